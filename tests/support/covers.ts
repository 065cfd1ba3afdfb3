import assert from 'node:assert/strict'
import { after } from 'node:test'
import { findOperation, literalSegments } from '../spec/match.ts'

type Method = 'GET' | 'PUT' | 'POST' | 'DELETE' | 'PATCH'

const answered = new Set<string>()

/**
 * Says that this test file covers endpoints, written as in the specification:
 * `covers('GET /_matrix/client/v3/sync', 'PUT /_matrix/client/v3/rooms/{roomId}/typing/{userId}')`.
 * docs/endpoints.md is made from these calls by reading the text of the test files, so write literal strings, at
 * the top level. After the file's last test each of them must have been answered with success at least once.
 */
export function covers(...endpoints: `${Method} /${string}`[]): void {
  after(() => {
    const never = endpoints.filter((endpoint) => !answered.has(endpoint) && !matched(endpoint))
    assert.deepEqual(never, [], 'covers() names endpoints that this file never called with success')
  })
}

/** To be told by the test client of each answer: method, path as sent, status. */
export function called(method: string, path: string, status: number): void {
  if (status >= 400) return
  const operation = findOperation(method, path)
  answered.add(`${method.toUpperCase()} ${operation?.path ?? path.split('?')[0]}`)
}

/** Whether an endpoint outside of the specification was called, with its `{parameters}` filled in. */
function matched(endpoint: string): boolean {
  const template = endpoint.split('/')
  return [...answered].some((call) => literalSegments(template, call.split('/')) !== undefined)
}

/** The endpoints that a test file's text names in calls of covers(), as written. */
export function coveredBy(text: string): string[] {
  const calls = [...text.matchAll(/^covers\(([^)]*)\)/gm)]
  return calls.flatMap(([, inside = '']) =>
    [...inside.matchAll(/'([A-Z]+ \/[^']*)'/g)].map(([, e = '']) => e),
  )
}
