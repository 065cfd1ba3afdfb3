import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { DEFECTS } from './defects.ts'
import { at, type Node, SpecDocuments, target } from './documents.ts'
import { operations } from './operations.ts'
import { needsSpec, specDir } from './spec-dir.ts'
import { SpecValidator } from './validate.ts'

test('every example in the specification passes its own schema', needsSpec(), () => {
  const folder = specDir() ?? ''
  const documents = new SpecDocuments(folder)
  const validator = new SpecValidator(folder)
  const errors: string[] = []
  let examples = 0
  for (const { method, path, at: places } of operations())
    for (const { file, key } of places)
      for (const { status, body } of responseExamples(documents, file, key, method)) {
        examples++
        errors.push(...validator.validateResponse(method, path, status, body))
      }
  assert.deepEqual(errors, [])
  assert.ok(examples > 380, `only ${examples} examples found`)
})

test('every known defect is still in the data', needsSpec(), () => {
  const folder = specDir() ?? ''
  for (const { file, at: place, mend } of DEFECTS) {
    const node = at(parse(readFileSync(join(folder, file), 'utf8')) as Node, place)
    const before = JSON.stringify(node)
    mend(node)
    assert.notEqual(JSON.stringify(node), before, `${file}: mended in the data, take it off the list`)
  }
})

/** The examples of an operation's JSON responses. */
function* responseExamples(documents: SpecDocuments, file: string, key: string, method: string) {
  const paths = (documents.document(file) as Record<string, Node>)['paths'] as Record<string, Node>
  const item = paths[key] as Record<string, Node>
  const operation = item[method.toLowerCase()] as Record<string, Node>
  for (const [status, response] of Object.entries(operation['responses'] as Record<string, Node>)) {
    if (!/^\d+$/.test(status)) continue
    const { content } = follow(documents, file, response) as { content?: Record<string, Node> }
    const media = content?.['application/json'] as { examples?: Node; example?: Node } | undefined
    const named = Object.values(follow(documents, file, media?.examples ?? {}) as Record<string, Node>)
    const bodies = named.map((example) => (example as { value: Node }).value)
    for (const body of media?.example === undefined ? bodies : [media.example, ...bodies])
      yield { status: Number(status), body: follow(documents, file, body) }
  }
}

/** A value with all references in it replaced by what they name, in copies. */
function follow(documents: SpecDocuments, file: string, node: Node): Node {
  if (typeof node !== 'object' || node === null) return node
  if (Array.isArray(node)) return node.map((item) => follow(documents, file, item))
  const reference = node['$ref']
  if (typeof reference !== 'string')
    return Object.fromEntries(
      Object.entries(node).map(([key, value]) => [key, follow(documents, file, value)]),
    )
  const [there = '', pointer = ''] = target(file, reference).split('#')
  const found = at(documents.document(there), pointer)
  assert.ok(found !== undefined, `${file}: nothing at ${reference}`)
  const rest = Object.fromEntries(Object.entries(node).filter(([key]) => key !== '$ref'))
  const value = follow(documents, there, found)
  // A fragment that is a list has nothing to be mixed with.
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return { ...value, ...(follow(documents, file, rest) as object) }
}
