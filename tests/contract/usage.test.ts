/** Login tokens, consent, erasure, monthly activity, rooms of server notices. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Op } from '#/ports/store/plan.ts'
import { onEveryEngine } from './engines.ts'
import { accepted, account, fresh, newRoom, refused, user } from './plans.ts'

const loginToken = (name: string, digest: string, expiresTs: number, most = 10): Op => ({
  op: 'login_token.put',
  digest,
  user: name,
  expiresTs,
  most,
})

onEveryEngine('usage', (bench) => {
  it('lets a login token be taken once, before its time is over', async () => {
    const { store } = bench()
    const [name, digest, late] = [user(), fresh('digest'), fresh('digest')]
    await accepted(store, name, loginToken(name, digest, 100), loginToken(name, late, 100))
    assert.deepEqual(await store.usage.loginToken(digest), { user: name, expiresTs: 100 })
    const take = (which: string, now: number): Op => ({ op: 'login_token.take', digest: which, now })
    const tries = Array.from({ length: 6 }, () => store.commit({ lane: fresh('l'), ops: [take(digest, 99)] }))
    assert.equal((await Promise.all(tries)).filter((result) => result.ok).length, 1)
    assert.equal(await store.usage.loginToken(digest), undefined)
    assert.deepEqual(await refused(store, name, take(late, 100)), { conflict: 'gone' })
    assert.deepEqual(await refused(store, name, take('none', 1)), { conflict: 'gone' })
  })

  it('keeps no more login tokens of a user than allowed, and sweeps expired ones', async () => {
    const { store } = bench()
    const [name, other] = [user(), user()]
    const digests = [1, 2, 3].map(() => fresh('digest'))
    await accepted(store, other, loginToken(other, fresh('digest'), 9_000_000))
    for (const [n, digest] of digests.entries()) {
      await accepted(store, name, loginToken(name, digest, 5_000_000 + n, 2))
    }
    const left = await Promise.all(digests.map((digest) => store.usage.loginToken(digest)))
    assert.deepEqual(
      left.map((row) => row?.expiresTs),
      [undefined, 5_000_001, 5_000_002],
    )
    await accepted(store, 'jobs', { op: 'job.sweep', now: 5_000_002, limit: 1000 })
    assert.equal(await store.usage.loginToken(digests[1]!), undefined)
    assert.ok(await store.usage.loginToken(digests[2]!))
  })

  it('knows who agreed to what, and who was asked', async () => {
    const { store } = bench()
    const [a, b] = [user(), user()]
    assert.equal(await store.usage.consent(a), undefined)
    await accepted(store, a, { op: 'consent.asked', user: a, version: '1.0' })
    assert.deepEqual(await store.usage.consent(a), { version: null, ts: null, asked: '1.0' })
    await accepted(store, a, { op: 'consent.put', user: a, version: '1.0', ts: 7 })
    await accepted(store, a, { op: 'consent.asked', user: a, version: '2.0' })
    assert.deepEqual(await store.usage.consent(a), { version: '1.0', ts: 7, asked: '2.0' })
    await accepted(store, b, { op: 'consent.put', user: b, version: '2.0', ts: 8 })
    assert.deepEqual(await store.usage.consent(b), { version: '2.0', ts: 8, asked: null })
  })

  it('counts who is active in a month, up to a limit', async () => {
    const { store } = bench()
    const base = 1_000_000
    const seen = async (name: string, ts: number, most?: number) => {
      const op: Op = { op: 'month.seen', user: name, ts, since: ts - 1000, most }
      return (await accepted(store, 'usage', op)).results[0]
    }
    const [a, b, c] = [user(), user(), user()]
    assert.equal(await seen(a, base, 2), true)
    assert.equal(await seen(b, base + 1, 2), true)
    assert.equal(await seen(c, base + 2, 2), false)
    assert.equal(await seen(a, base + 3, 2), true, 'who counts may go on')
    assert.equal(await store.usage.monthly(a), base + 3)
    assert.equal(await store.usage.monthly(c), undefined)
    assert.equal(await store.usage.monthlyCount(base - 1), 2)
    assert.equal(await seen(c, base + 1002, 2), true, 'a place is free again: b was not active since')
    assert.equal(await seen(b, base + 1003), true, 'without a limit all count')
    const trim = async (since: number, most?: number) =>
      (await accepted(store, 'usage', { op: 'month.trim', since, most, limit: 10 })).results[0]
    assert.equal(await trim(base + 3), 1)
    assert.equal(await store.usage.monthly(a), undefined)
    assert.equal(await trim(base + 3, 1), 1)
    assert.equal(await store.usage.monthly(c), undefined, 'of two the one active longer ago goes')
    assert.equal(await store.usage.monthly(b), base + 1003)
  })

  it('names the room of notices of a user until the room goes', async () => {
    const { store } = bench()
    const name = user()
    const { room, lane } = await newRoom(store)
    await accepted(store, name, { op: 'notices.put', user: name, room })
    assert.equal(await store.usage.noticesRoom(name), room)
    assert.equal(await store.usage.noticesOf(room), name)
    await accepted(store, lane, { op: 'room.delete', room })
    assert.equal(await store.usage.noticesRoom(name), undefined)
    assert.equal(await store.usage.noticesOf(room), undefined)
  })

  it('adv-72: deactivation leaves nothing but the erasure', async () => {
    const { store } = bench()
    const name = user()
    const digest = fresh('digest')
    await accepted(
      store,
      name,
      account(name),
      loginToken(name, digest, 100),
      { op: 'consent.put', user: name, version: '1', ts: 1 },
      { op: 'month.seen', user: name, ts: 5, since: 0, most: undefined },
      { op: 'notices.put', user: name, room: 1 },
    )
    await accepted(
      store,
      name,
      { op: 'account.flags', user: name, deactivated: true },
      { op: 'erasure.put', user: name },
    )
    assert.equal(await store.usage.loginToken(digest), undefined)
    assert.equal(await store.usage.consent(name), undefined)
    assert.equal(await store.usage.monthly(name), undefined)
    assert.equal(await store.usage.noticesRoom(name), undefined)
    assert.equal(await store.usage.anyErased(), true)
    assert.deepEqual(await store.usage.erased([user(), name, user()]), [name])
    assert.deepEqual(await store.usage.erased([]), [])
  })
})
