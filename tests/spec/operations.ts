/**
 * The specification's operations as a committed table (operations.json), so that docs and tests know them
 * without the specification at hand, and the validator parses only the documents it needs.
 * Made again from the specification's data by: node tests/spec/operations.ts
 */
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { specDir } from './spec-dir.ts'

export type Api = 'client-server' | 'server-server' | 'identity' | 'application-service' | 'push-gateway'

/** One operation of the specification. */
export type Operation = {
  method: string
  /** Full path with `{parameters}`. */
  path: string
  api: Api
  /** `operationId`; unique within one API only. */
  id: string
  deprecated?: true
  /** Where it stands: file below the specification's folder and key under `paths`, one to two places. */
  at: { file: string; key: string }[]
}

const FILE = new URL('operations.json', import.meta.url)
const METHODS = ['get', 'put', 'post', 'delete', 'patch', 'head', 'options'] as const

/** The committed table. */
export function operations(): Operation[] {
  return JSON.parse(readFileSync(FILE, 'utf8'))
}

/** Address of the operation's text in the published specification, below https://spec.matrix.org/latest/. */
export function specLink({ api, method, path }: Pick<Operation, 'api' | 'method' | 'path'>): string {
  const anchor = `${method}${path}`.toLowerCase().replace(/[^a-z0-9_-]/g, '')
  return `${api === 'identity' ? 'identity-service' : api}-api/#${anchor}`
}

type Document = {
  servers: { variables: { basePath?: { default: string } } }[]
  paths: Record<
    string,
    Partial<Record<(typeof METHODS)[number], { operationId: string; deprecated?: boolean }>>
  >
}

/** Reads all operations out of the specification's data in `folder`; in the order of files and paths. */
export function readOperations(folder: string): Operation[] {
  const found = new Map<string, Operation>()
  for (const file of globSync('api/*/*.yaml', { cwd: folder }).sort()) {
    const document = parse(readFileSync(join(folder, file), 'utf8')) as Document
    const base = document.servers[0]?.variables.basePath?.default ?? ''
    for (const [key, item] of Object.entries(document.paths))
      for (const method of METHODS) {
        const operation = item[method]
        if (!operation) continue
        // Two operations stand twice, the second time with a space behind the path.
        const path = `${base}${key}`.trim()
        const name = `${method} ${path}`
        const before = found.get(name)
        if (before) before.at.push({ file, key })
        else
          found.set(name, {
            method: method.toUpperCase(),
            path,
            api: file.split('/')[1] as Api,
            id: operation.operationId,
            ...(operation.deprecated && { deprecated: true }),
            at: [{ file, key }],
          })
      }
  }
  return [...found.values()]
}

/** The text of operations.json: one operation a line. */
export function operationsText(all: Operation[]): string {
  return `[\n${all.map((operation) => JSON.stringify(operation)).join(',\n')}\n]\n`
}

if (import.meta.main) {
  const folder = specDir()
  if (!folder) throw new Error('no specification: set MATRIX_SPEC_DIR')
  writeFileSync(FILE, operationsText(readOperations(folder)))
}
