import assert from 'node:assert/strict'
import { after } from 'node:test'
import { findOperation, literalSegments } from '../spec/match.ts'

type Method = 'GET' | 'PUT' | 'POST' | 'DELETE' | 'PATCH'
type Endpoint = `${Method} /${string}`

/** What the check needs to know of a route, as the route table has it. */
export interface ServedRoute {
  readonly method: string
  readonly path: string
  readonly also?: readonly string[]
  readonly auth: string
  readonly query?: unknown
  readonly body?: unknown
}

/** The three kinds of tests that every endpoint has. */
export type Kind = 'success' | 'missing rights' | 'bad input'

/** By endpoint, or by method and path where the specification has no such operation, what was shown of it. */
const shown = new Map<string, Set<Kind>>()
let served: readonly ServedRoute[] = []

/**
 * Says that this test file covers endpoints, written as in the specification:
 * `covers('GET /_matrix/client/v3/sync', 'PUT /_matrix/client/v3/rooms/{roomId}/typing/{userId}')`.
 * docs/endpoints.md is made from these calls by reading the text of the test files, so write literal strings, at
 * the top level. After the file's last test each of them must have been answered
 * - with success;
 * - with a refusal for missing rights (403, 404 or a 401 that asks for more than a token), where the path names
 *   something that belongs to somebody;
 * - with a refusal of bad input (400, 413), where there is a body or a query.
 * Missing and bad tokens, and paths and bodies that cannot be read at all, are tried on every route in
 * tests/api/every-route.test.ts.
 */
export function covers(...endpoints: Endpoint[]): void {
  atTheEnd(() => {
    assert.deepEqual(endpoints.flatMap(lacking), [], 'covers() names endpoints without these tests')
  })
}

/**
 * Checks after the file's last test. Where the file runs by itself, Node may pass over a failure of an outermost hook
 * that comes after the last result was told: then the end of the process tells it.
 */
function atTheEnd(check: () => void): void {
  after(() => {
    try {
      check()
    } catch (error) {
      process.once('exit', () => {
        process.exitCode = 1
        process.stderr.write(`${(error as Error).message}\n`)
      })
      throw error
    }
  })
}

/** As `covers`, for files with more tests of endpoints that another file covers: success alone is asked for. */
export function coversPart(...endpoints: Endpoint[]): void {
  atTheEnd(() => {
    const never = endpoints.filter((endpoint) => !kindsOf(endpoint).has('success'))
    assert.deepEqual(never, [], 'coversPart() names endpoints that this file never called with success')
  })
}

/** Another test file begins in this process: what the one before has shown does not count for it. */
export function forgetCalls(): void {
  shown.clear()
  served = []
}

/** To be told by a test server which routes it serves. */
export function serves(routes: readonly ServedRoute[]): void {
  served = routes
}

/** To be told by the test client of each answer: method, path as sent, status and error code. */
export function called(method: string, path: string, status: number, errcode?: string): void {
  const kind = kindOf(status, errcode)
  if (kind === undefined) return
  const operation = findOperation(method, path)
  const name = `${method.toUpperCase()} ${operation?.path ?? path.split('?')[0]}`
  const kinds = shown.get(name) ?? new Set()
  shown.set(name, kinds.add(kind))
}

/** What an answer shows; undefined when it is none of the three, such as a missing token or a rate limit. */
function kindOf(status: number, errcode: string | undefined): Kind | undefined {
  if (status < 400) return 'success'
  if (status === 400 || status === 413) return 'bad input'
  if (status === 401) return /^M_(MISSING|UNKNOWN)_TOKEN$/.test(errcode ?? '') ? undefined : 'missing rights'
  return status === 403 || status === 404 ? 'missing rights' : undefined
}

function lacking(endpoint: Endpoint): string[] {
  const kinds = kindsOf(endpoint)
  return asked(endpoint).flatMap((kind) => (kinds.has(kind) ? [] : [`${endpoint}: ${kind}`]))
}

/** The kinds that an endpoint needs, by what its route takes. */
function asked(endpoint: Endpoint): Kind[] {
  const route = served.find(({ method, path, also = [] }) =>
    [path, ...also].some((each) => shape(`${method} ${each}`) === shape(endpoint)),
  )
  if (route === undefined) return ['success']
  const open = route.auth === 'none' || route.auth === 'sharedSecret'
  return [
    'success',
    ...(!open && OWNED.test(endpoint) ? (['missing rights'] as const) : []),
    ...(route.body !== undefined || route.query !== undefined ? (['bad input'] as const) : []),
  ]
}

/** A parameter that names something of somebody: a type and a transaction's name do not. */
const OWNED = /\{(?!(?:eventType|txnId)\})/

/** An endpoint with its parameters' names left out. */
const shape = (endpoint: string): string => endpoint.replace(/\{[^}]*\}|:\w+/g, '{}')

/** What was shown of an endpoint; one outside of the specification was called with its `{parameters}` filled in. */
function kindsOf(endpoint: Endpoint): ReadonlySet<Kind> {
  const known = shown.get(endpoint)
  if (known !== undefined) return known
  const template = endpoint.split('/')
  const calls = [...shown].filter(([call]) => literalSegments(template, call.split('/')) !== undefined)
  return new Set(calls.flatMap(([, kinds]) => [...kinds]))
}

/** The endpoints that a test file's text names in calls of covers() or coversPart(), as written. */
export function coveredBy(text: string, call: 'covers' | 'coversPart' = 'covers'): string[] {
  const calls = [...text.matchAll(new RegExp(`^${call}\\(([^)]*)\\)`, 'gm'))]
  return calls.flatMap(([, inside = '']) =>
    [...inside.matchAll(/'([A-Z]+ \/[^']*)'/g)].map(([, e = '']) => e),
  )
}
