import { type Operation, operations } from './operations.ts'

type Candidate = { operation: Operation; segments: string[] }

/** Operations by the number of their path's segments. */
const BY_LENGTH = new Map<number, Candidate[]>()
for (const operation of operations()) {
  const segments = operation.path.split('/')
  const group = BY_LENGTH.get(segments.length)
  if (group) group.push({ operation, segments })
  else BY_LENGTH.set(segments.length, [{ operation, segments }])
}

/** What releases before v1.0 had and old clients still use. It looks like an operation of today, and is none. */
const OLD = [
  /^POST \/_matrix\/client\/[^/]+\/rooms\/[^/]+\/send\/[^/]*$/,
  /^GET \/_matrix\/client\/[^/]+\/pushrules\/global\/[^/]+\/$/,
]

/** Whether a request is one of those; a query may follow its path. */
export function isOldForm(method: string, path: string): boolean {
  return OLD.some((form) => form.test(`${method.toUpperCase()} ${path.split('?')[0]}`))
}

/**
 * The operation behind a request's path (query allowed): the one with the most literal segments. r0 means v3;
 * a missing or extra slash at the end is forgiven. Undefined when there is none for this method.
 */
export function findOperation(method: string, path: string): Operation | undefined {
  if (isOldForm(method, path)) return undefined
  const bare = (path.split('?')[0] ?? '').replace(/^\/_matrix\/(client|media)\/r0\//, '/_matrix/$1/v3/')
  const other = bare.endsWith('/') ? bare.slice(0, -1) : `${bare}/`
  return match(method, bare) ?? match(method, other)
}

function match(method: string, path: string): Operation | undefined {
  const segments = path.split('/')
  let best: (Candidate & { literal: number }) | undefined
  for (const candidate of BY_LENGTH.get(segments.length) ?? []) {
    if (candidate.operation.method !== method.toUpperCase()) continue
    const literal = literalSegments(candidate.segments, segments)
    if (literal !== undefined && literal > (best?.literal ?? 0)) best = { ...candidate, literal }
  }
  return best?.operation
}

/** How many segments are literally equal; undefined when the path does not fit the template. */
export function literalSegments(template: string[], segments: string[]): number | undefined {
  if (template.length !== segments.length) return undefined
  let literal = 0
  for (const [i, part] of template.entries())
    if (part === segments[i]) literal++
    else if (!part.startsWith('{')) return undefined
  return literal
}
