/** The index of messages: kept with the events, merged, filled, emptied. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Op } from '#/ports/store/plan.ts'
import type { SearchFound } from '#/ports/store/search.ts'
import type { Store } from '#/ports/store/store.ts'
import { EVENT_FLAGS } from '#/protocol/event/flags.ts'
import { termsOfText } from '#/protocol/search/terms.ts'
import { SEARCH_MERGE_SEGMENTS, SEARCH_TAIL_EVENTS } from '#/storage/limits.ts'
import { type Bench, onEveryEngine } from './engines.ts'
import { accepted, insert, newRoom } from './plans.ts'

const ALL = Number.MAX_SAFE_INTEGER

function message(room: number, body: string, more: Partial<Parameters<typeof insert>[0]> = {}) {
  return insert({ room, json: JSON.stringify({ content: { body } }), ...more })
}

function find(store: Store, rooms: readonly number[], text: string, more = {}): Promise<SearchFound> {
  return store.search.find({ rooms, terms: termsOfText(text), before: ALL, limit: 1000, ...more })
}

async function eventsOf(store: Store, rooms: readonly number[], text: string): Promise<number[]> {
  const { candidates, next } = await find(store, rooms, text)
  assert.equal(next, undefined)
  return candidates.map(({ event }) => event)
}

async function say(store: Store, at: { room: number; lane: string }, ...bodies: string[]): Promise<number[]> {
  const ops = bodies.map((body, slot) => message(at.room, body, { slot }))
  const { results } = await accepted(store, at.lane, ...ops)
  return results as number[]
}

async function on(store: Store): Promise<void> {
  await accepted(store, 'search', { op: 'search.enable', on: true })
  await fillAll(store)
}

async function fillAll(store: Store): Promise<void> {
  for (let steps = 0; ; steps++) {
    assert.ok(steps < 10_000, 'filling does not end')
    const { filling, next } = await store.search.status()
    if (!filling) return
    const room = next === 0 ? undefined : await store.rooms.byNid(next)
    await accepted(store, room?.roomId ?? 'search', { op: 'search.fill', room: next })
  }
}

async function rowsOf(bench: Bench): Promise<number[]> {
  const counts = await bench.counts()
  return ['search_tail', 'search_segments', 'search_pages'].map((name) => counts[name] as number)
}

onEveryEngine('search', (bench) => {
  it('does nothing before it is turned on', async () => {
    const { store } = bench()
    const at = await newRoom(store)
    await say(store, at, 'early')
    assert.deepEqual(await store.search.status(), { active: false, filling: false, next: 0 })
    assert.deepEqual(await eventsOf(store, [at.room], 'early'), [])
    assert.deepEqual(await rowsOf(bench()), [0, 0, 0])
  })

  it('finds what was there before, when it was filled', async () => {
    const { store } = bench()
    const at = await newRoom(store)
    const [nid] = await say(store, at, 'prehistoric')
    await accepted(store, 'search', { op: 'search.enable', on: true })
    assert.equal((await store.search.status()).filling, true)
    assert.deepEqual(await store.search.missing([at.room, ALL]), [at.room])
    await fillAll(store)
    assert.deepEqual(await store.search.status(), { active: true, filling: false, next: 0 })
    assert.deepEqual(await store.search.missing([at.room]), [])
    assert.deepEqual(await eventsOf(store, [at.room], 'prehistoric'), [nid])
  })

  it('finds messages, names and topics of the rooms that are asked for, newest first', async () => {
    const { store } = bench()
    await on(store)
    const a = await newRoom(store)
    const b = await newRoom(store)
    const [first] = await say(store, a, 'the quick brown fox')
    const [second] = await say(store, b, 'a QUICK fóx')
    await say(store, a, 'a quick dog')
    const named = insert({
      room: a.room,
      type: 'm.room.name',
      stateKey: '',
      json: '{"content":{"name":"quick fox"}}',
    })
    const { results } = await accepted(store, a.lane, named)
    const secret = insert({ room: a.room, type: 'm.other', json: '{"content":{"body":"quick fox"}}' })
    await accepted(store, a.lane, secret)
    await accepted(store, a.lane, message(a.room, 'quick fox', { flags: EVENT_FLAGS.softFailed }))
    await accepted(store, a.lane, message(a.room, 'quick fox', { live: false }))
    assert.deepEqual(await eventsOf(store, [a.room, b.room], 'quick fox'), [results[0], second, first])
    assert.deepEqual(await eventsOf(store, [a.room], 'quick fox'), [results[0], first])
    assert.deepEqual(await eventsOf(store, [], 'quick fox'), [])
  })

  it('takes content of any shape', async () => {
    const { store } = bench()
    await on(store)
    const at = await newRoom(store)
    for (const json of ['{}', '{"content":null}', '{"content":[]}', '{"content":{"body":{}}}']) {
      await accepted(store, at.lane, insert({ room: at.room, json }))
    }
    const [nid] = await say(store, at, '\ud83d\ude00 x'.repeat(3), '')
    assert.deepEqual(await eventsOf(store, [at.room], 'x'), [nid])
  })

  it('packs and merges many messages, and pages through them', async () => {
    const { store } = bench()
    await on(store)
    const at = await newRoom(store)
    const count = SEARCH_TAIL_EVENTS * (SEARCH_MERGE_SEGMENTS + 2) + 5
    const all: number[] = []
    for (let i = 0; i < count; i += 100) {
      const bodies = Array.from({ length: Math.min(100, count - i) }, (_, k) => `common rare${i + k}`)
      all.push(...(await say(store, at, ...bodies)))
    }
    assert.deepEqual(await eventsOf(store, [at.room], 'common'), all.toReversed())
    assert.deepEqual(await eventsOf(store, [at.room], 'rare321'), [all[321]])
    assert.deepEqual(await eventsOf(store, [at.room], 'common rare1'), [all[1]])
    const paged: number[] = []
    let before = ALL
    for (let pages = 0; ; pages++) {
      assert.ok(pages < 50)
      const { candidates, next } = await find(store, [at.room], 'common', { before, limit: 37 })
      paged.push(...candidates.map(({ event }) => event))
      if (next === undefined) break
      before = next
    }
    assert.deepEqual(paged, all.toReversed())
  })

  it('forgets a redacted event, in the tail and in a segment', async () => {
    const { store } = bench()
    await on(store)
    const at = await newRoom(store)
    for (const inSegment of [false, true]) {
      const target = message(at.room, `hidden treasure ${inSegment}`)
      const { results } = await accepted(store, at.lane, target)
      const [kept] = await say(store, at, 'treasure')
      if (inSegment) await say(store, at, ...Array.from({ length: SEARCH_TAIL_EVENTS }, (_, i) => `x${i}`))
      assert.deepEqual(await eventsOf(store, [at.room], 'hidden treasure'), [results[0]])
      const redaction = insert({ room: at.room, type: 'm.room.redaction', json: '{"content":{}}' })
      const redact: Op = {
        op: 'event.redact',
        target: target.eventId,
        by: { slot: 0 },
        json: '{"content":{}}',
        keepUntil: 1,
      }
      await accepted(store, at.lane, redaction, redact)
      assert.deepEqual(await eventsOf(store, [at.room], 'hidden'), [])
      assert.ok((await eventsOf(store, [at.room], 'treasure')).includes(kept!))
    }
  })

  it('forgets what a purge takes at once, from segments and the tail, and finds the rest', async () => {
    const { store } = bench()
    await on(store)
    const at = await newRoom(store)
    const count = 3 * SEARCH_TAIL_EVENTS + 10
    const words = (n: number): string => `common rare${n}`
    const all = await say(store, at, ...Array.from({ length: count }, (_, n) => words(n)))
    const before = Number.MAX_SAFE_INTEGER
    const purge = (limit: number, after?: { ts: number; arrival: number }): Op => ({
      ...{ op: 'room.purge', room: at.room, before, limit },
      ...(after && { after }),
    })
    const some = SEARCH_TAIL_EVENTS + 20
    const { results } = await accepted(store, at.lane, purge(some))
    const { gone, next } = results[0] as { gone: number; next: { ts: number; arrival: number } }
    assert.equal(gone, some)
    assert.deepEqual(await eventsOf(store, [at.room], 'common'), all.slice(some).toReversed())
    assert.deepEqual(await eventsOf(store, [at.room], `rare${some - 1}`), [])
    assert.deepEqual(await eventsOf(store, [at.room], `rare${some}`), [all[some]])
    await accepted(store, at.lane, purge(count, next))
    assert.deepEqual(await eventsOf(store, [at.room], 'common'), [])
  })

  it('indexes nothing of a room that is encrypted', async () => {
    const { store } = bench()
    await on(store)
    const at = await newRoom(store)
    const [before] = await say(store, at, 'open words')
    const encryption = insert({
      room: at.room,
      type: 'm.room.encryption',
      stateKey: '',
      json: '{"content":{"algorithm":"m.megolm.v1.aes-sha2"}}',
    })
    await accepted(store, at.lane, encryption, {
      op: 'state.change',
      room: at.room,
      branch: 0,
      changes: [{ type: 'm.room.encryption', stateKey: '', event: { slot: 0 } }],
    })
    await say(store, at, 'secret words')
    assert.deepEqual(await eventsOf(store, [at.room], 'words'), [before])
    await accepted(store, 'search', { op: 'search.restart' })
    await fillAll(store)
    assert.deepEqual(await eventsOf(store, [at.room], 'words'), [before])
    await say(store, at, 'secret words')
    assert.deepEqual(await eventsOf(store, [at.room], 'words'), [before])
  })

  it('is filled again beside new messages, each found once', async () => {
    const { store } = bench()
    await on(store)
    const at = await newRoom(store)
    const nids: number[] = []
    for (let i = 0; i < 5; i++) nids.push(...(await say(store, at, ...new Array(70).fill('again'))))
    await accepted(store, 'search', { op: 'search.restart' })
    for (;;) {
      const { filling, next } = await store.search.status()
      if (!filling) break
      const room = await store.rooms.byNid(next)
      await accepted(store, room?.roomId ?? 'search', { op: 'search.fill', room: next })
      if (next === at.room) nids.push(...(await say(store, at, 'again')))
    }
    assert.deepEqual(await eventsOf(store, [at.room], 'again'), nids.toReversed())
  })

  it('is filled past an event that cannot be read', async () => {
    const { store } = bench()
    await on(store)
    const at = await newRoom(store)
    for (const json of ['not JSON', 'null', '[]']) {
      await accepted(store, at.lane, insert({ room: at.room, json }))
    }
    const [nid] = await say(store, at, 'readable')
    await accepted(store, 'search', { op: 'search.restart' })
    await fillAll(store)
    assert.deepEqual(await eventsOf(store, [at.room], 'readable'), [nid])
  })

  it('goes with its room', async () => {
    const { store } = bench()
    await on(store)
    const before = await rowsOf(bench())
    const at = await newRoom(store)
    await say(store, at, ...Array.from({ length: 90 }, (_, i) => `gone ${i}`))
    assert.notDeepEqual(await rowsOf(bench()), before)
    await accepted(store, at.lane, { op: 'room.delete', room: at.room })
    assert.deepEqual(await rowsOf(bench()), before)
    assert.deepEqual(await eventsOf(store, [at.room], 'gone'), [])
  })

  it('a plan that is refused leaves no trace in the index', async () => {
    const { store } = bench()
    await on(store)
    const at = await newRoom(store)
    const op = message(at.room, 'never')
    const gone: Op = { op: 'token.delete', digest: 'no such token' }
    assert.equal((await store.commit({ lane: at.lane, ops: [op, gone] })).ok, false)
    assert.deepEqual(await eventsOf(store, [at.room], 'never'), [])
    const [nid] = await say(store, at, 'never')
    assert.deepEqual(await eventsOf(store, [at.room], 'never'), [nid])
  })

  it('is emptied after it was turned off', async () => {
    const { store } = bench()
    await on(store)
    const at = await newRoom(store)
    await say(store, at, ...Array.from({ length: 90 }, (_, i) => `off ${i}`))
    await accepted(store, 'search', { op: 'search.enable', on: false })
    await say(store, at, 'off')
    for (let steps = 0; ; steps++) {
      assert.ok(steps < 100)
      const { results } = await accepted(store, 'search', { op: 'search.clear' })
      if (results[0] !== true) break
    }
    assert.deepEqual(await rowsOf(bench()), [0, 0, 0])
    assert.equal((await store.search.status()).active, false)
  })
})
