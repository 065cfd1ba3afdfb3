/** Schemas at work: checks of bodies and query strings, and the sentences of their refusals. */
import { MatrixError } from '#/protocol/errors.ts'
import type { Query } from './query.ts'
import type { TSchema } from './schema.ts'
import { checkerOf, type Finding } from './schema-check.ts'

/** Throws a MatrixError when `value` is not as the schema wants. */
export type Check = (value: unknown) => void

/** Names of required members that are absent, or undefined when something else is wrong too. */
function missingOnly(findings: readonly Finding[]): string[] | undefined {
  const names: string[] = []
  for (const finding of findings) {
    if (finding.keyword !== 'required') return undefined
    const where = finding.instancePath === '' ? '' : `${dotted(finding.instancePath)}.`
    names.push(...(finding.absent ?? []).map((name) => `${where}${name}`))
  }
  return names.length === 0 ? undefined : names
}

const dotted = (pointer: string): string => pointer.slice(1).replaceAll('/', '.').slice(0, 200)

/**
 * A check of request bodies: M_MISSING_PARAM when members are absent and all else is well, else M_BAD_JSON.
 */
export function bodyCheck(schema: TSchema): Check {
  const checker = checkerOf(schema)
  return (value) => {
    if (checker.fits(value)) return
    const findings = checker.findings(value)
    const missing = missingOnly(findings)
    if (missing !== undefined)
      throw new MatrixError('M_MISSING_PARAM', `The body lacks ${missing.join(', ')}.`)
    const first = findings.find((finding) => finding.keyword !== 'required') ?? findings[0]
    const where =
      first === undefined || first.instancePath === ''
        ? 'The body'
        : `'${dotted(first.instancePath)}' in the body`
    throw new MatrixError('M_BAD_JSON', `${where} ${first?.message ?? 'is not as expected'}.`)
  }
}

type Convert = (text: string) => unknown

interface Json extends Record<string, unknown> {
  readonly type?: string
  readonly properties?: Readonly<Record<string, Json>>
  readonly items?: Json
  readonly anyOf?: readonly Json[]
}

/** Text to what a schema wants; undefined when it cannot be. */
function converter(schema: Json): Convert {
  switch (schema.type) {
    case 'integer':
      return (text) => (/^-?[0-9]{1,16}$/.test(text) ? Number(text) : undefined)
    case 'number':
      return (text) => (/^-?[0-9]{1,20}(\.[0-9]{1,20})?$/.test(text) ? Number(text) : undefined)
    case 'boolean':
      return (text) => (text === 'true' ? true : text === 'false' ? false : undefined)
    default:
      return (text) => text
  }
}

const WANTED: Readonly<Record<string, string>> = {
  integer: 'an integer',
  number: 'a number',
  boolean: 'true or false',
}

/** Reads the parameters that a schema names. M_MISSING_PARAM, M_INVALID_PARAM. */
export function queryReader(schema: TSchema): (query: Query) => unknown {
  const checker = checkerOf(schema)
  const fields = Object.entries((schema as Json).properties ?? {}).map(([name, field]) => ({
    name,
    list: field.type === 'array',
    convert: converter(field.type === 'array' ? (field.items ?? {}) : field),
    wanted: WANTED[(field.type === 'array' ? field.items?.type : field.type) ?? ''] ?? 'text',
  }))
  return (query) => {
    const out: Record<string, unknown> = {}
    for (const { name, list, convert, wanted } of fields) {
      const texts = query.all(name)
      if (texts.length === 0) continue
      const values = (list ? texts : texts.slice(0, 1)).map(convert)
      if (values.includes(undefined)) {
        throw new MatrixError('M_INVALID_PARAM', `The query parameter '${name}' must be ${wanted}.`)
      }
      out[name] = list ? values : values[0]
    }
    if (checker.fits(out)) return out
    const findings = checker.findings(out)
    const missing = missingOnly(findings)
    if (missing !== undefined) {
      throw new MatrixError('M_MISSING_PARAM', `The query parameter '${missing.join("', '")}' is missing.`)
    }
    const first = findings[0]
    throw new MatrixError(
      'M_INVALID_PARAM',
      `The query parameter '${dotted(first?.instancePath ?? '')}' ${first?.message ?? 'is wrong'}.`,
    )
  }
}

/**
 * What is unsafe in a schema of foreign input: strings without a length (adv-34), patterns (a backtracking
 * regular expression). Undefined when there is nothing.
 */
export function unsafePart(schema: unknown, where = ''): string | undefined {
  if (typeof schema !== 'object' || schema === null) return undefined
  const node = schema as Json
  if ('pattern' in node || 'format' in node || 'patternProperties' in node)
    return `${where}: pattern or format`
  if (node.type === 'string' && !('maxLength' in node || 'enum' in node || 'const' in node)) {
    return `${where}: a string without a length`
  }
  if (node.type === 'array' && !('maxItems' in node)) return `${where}: an array without a length`
  for (const [name, field] of Object.entries(node.properties ?? {})) {
    const found = unsafePart(field, `${where}.${name}`)
    if (found !== undefined) return found
  }
  for (const part of [node.items, node['additionalProperties'], ...(node.anyOf ?? [])]) {
    const found = unsafePart(part, `${where}[]`)
    if (found !== undefined) return found
  }
  return undefined
}
