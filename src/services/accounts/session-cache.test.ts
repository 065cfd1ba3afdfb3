import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { UserId } from '#/protocol/ids/user-id.ts'
import { type CachedSession, SessionCache } from './session-cache.ts'

const session = (user: string, digest: string, deviceId = 'D', lastSeenTs = 0): CachedSession => ({
  session: {
    userId: user as UserId,
    deviceId,
    isGuest: false,
    isAdmin: false,
    isSuspended: false,
    appserviceId: undefined,
    sessionId: digest,
    rateLimit: 'normal',
  },
  expiresTs: null,
  locked: false,
  seen: { ts: lastSeenTs, ip: '', agent: undefined, waits: false },
})

test('the cache is bounded: the session used longest ago goes first', () => {
  const cache = new SessionCache(3)
  for (const digest of ['a', 'b', 'c']) cache.set(digest, session('@u:x', digest))
  assert.ok(cache.get('a'))
  cache.set('d', session('@u:x', 'd'))
  assert.equal(cache.size, 3)
  assert.equal(cache.get('b'), undefined)
  for (const digest of ['a', 'c', 'd']) assert.ok(cache.get(digest))
})

test('a session that is set twice is held once', () => {
  const cache = new SessionCache(3)
  cache.set('a', session('@u:x', 'a'))
  cache.set('a', session('@u:x', 'a'))
  assert.equal(cache.size, 1)
  cache.forget('a')
  assert.equal(cache.size, 0)
})

test('forgetting a user takes all of its sessions and nobody else’s, and raises the generation', () => {
  const cache = new SessionCache(10)
  for (const digest of ['a', 'b']) cache.set(digest, session('@u:x', digest))
  cache.set('c', session('@v:x', 'c'))
  const { generation } = cache
  cache.forgetUser('@u:x')
  assert.ok(cache.generation > generation)
  assert.equal(cache.get('a') ?? cache.get('b'), undefined)
  assert.ok(cache.get('c'))
  const before = cache.generation
  cache.forget('not there')
  assert.ok(cache.generation > before)
})

test('last use is told by device', () => {
  const cache = new SessionCache(10)
  cache.set('a', session('@u:x', 'a', 'PHONE', 5))
  cache.set('b', session('@u:x', 'b', 'PHONE', 9))
  cache.set('c', session('@u:x', 'c', 'DESK', 7))
  assert.deepEqual([...cache.lastSeen('@u:x')].map(([device, { ts }]) => [device, ts]).sort(), [
    ['DESK', 7],
    ['PHONE', 9],
  ])
  assert.deepEqual([...cache.lastSeen('@v:x')], [])
})
