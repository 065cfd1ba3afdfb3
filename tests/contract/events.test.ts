/** Events, redactions, transaction ids, timelines and auth chains. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { StoreError } from '#/base/store-error.ts'
import type { Op } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import { EVENT_FLAGS } from '#/protocol/event/flags.ts'
import { onEveryEngine } from './engines.ts'
import { accepted, fresh, insert, newRoom, refused } from './plans.ts'

const PAGE = { after: 0, upto: Number.MAX_SAFE_INTEGER, limit: 100, dir: 'f' } as const
const ids = (rows: readonly { eventId: string }[]): string[] => rows.map((row) => row.eventId)

onEveryEngine('events', (bench) => {
  it('reads back every column', async () => {
    const { store } = bench()
    const { room, lane } = await newRoom(store)
    const op = insert({
      room,
      type: 'm.room.topic',
      stateKey: '',
      sender: '@é:x',
      ts: 1_700_000_000_123,
      depth: Number.MAX_SAFE_INTEGER,
      json: '{"a":"\\u0000é"}',
      flags: EVENT_FLAGS.rejected | EVENT_FLAGS.partialState,
      rejectedRule: 'rule',
    })
    const { results } = await accepted(store, lane, op)
    const { eventId, type, stateKey, sender, ts, depth, flags, rejectedRule, json } = op
    const row = {
      nid: results[0],
      room,
      eventId,
      type,
      stateKey,
      sender,
      ts,
      depth,
      arrival: null,
      flags,
      rejectedRule,
      redactedBy: null,
      json,
    }
    assert.deepEqual(await store.events.byId(eventId), row)
    assert.deepEqual(await store.events.byIds([eventId, '$unknown', eventId]), [row])
    assert.deepEqual(await store.events.byNids([row.nid as number, 4]), [row])
    assert.deepEqual(await store.events.byIds([]), [])
    assert.equal(await store.events.byId('$unknown'), undefined)
  })

  it('reads a room by time, then by arrival, from any place', async () => {
    const { store } = bench()
    const { room, lane } = await newRoom(store)
    const other = await newRoom(store)
    const times = [30, 10, 20, 20, 20, 40]
    const ops = times.map((ts, slot) => insert({ room, slot, ts, eventId: `${lane}${slot}` }))
    await accepted(store, lane, ...ops, insert({ room, slot: 9, ts: 15, live: false }))
    await accepted(store, other.lane, insert({ room: other.room, ts: 20 }))
    const names = (rows: readonly { eventId: string }[]) => ids(rows).map((id) => id.slice(lane.length))
    const at = (ts: number, arrival?: number) => ({ ts, arrival })
    const page = { room, limit: 100 }
    const forward = await store.events.byTime({ ...page, from: at(20), dir: 'f' })
    assert.deepEqual(names(forward), ['2', '3', '4', '0', '5'])
    const back = await store.events.byTime({ ...page, from: at(20), dir: 'b' })
    assert.deepEqual(names(back), ['4', '3', '2', '1'])
    const middle = at(20, forward[1]!.arrival!)
    assert.deepEqual(names(await store.events.byTime({ ...page, from: middle, dir: 'f', limit: 2 })), [
      '4',
      '0',
    ])
    assert.deepEqual(names(await store.events.byTime({ ...page, from: middle, dir: 'b', limit: 1 })), ['2'])
    assert.deepEqual(await store.events.byTime({ ...page, from: at(41), dir: 'f' }), [])
  })

  it('finds many events in one call', async () => {
    const { store } = bench()
    const { room, lane } = await newRoom(store)
    const ops = Array.from({ length: 200 }, (_, slot) => insert({ room, slot }))
    const { results } = await accepted(store, lane, ...ops)
    const rows = await store.events.byIds(ops.map((op) => op.eventId))
    assert.deepEqual(ids(rows).sort(), ops.map((op) => op.eventId).sort())
    assert.equal((await store.events.byNids(results as number[])).length, 200)
  })

  it('shows in timelines only what is live and accepted', async () => {
    const { store } = bench()
    const { room, lane } = await newRoom(store)
    const shown: string[] = []
    for (const flags of [0, 1, 2, 4, 8, 0]) {
      const op = insert({ room, flags })
      if (flags === 0 || flags === 8) shown.push(op.eventId)
      await accepted(store, lane, op)
    }
    await accepted(store, lane, insert({ room, live: false }))
    const rows = await store.events.timeline({ room, ...PAGE })
    assert.deepEqual(ids(rows), shown)
    assert.ok(rows.every((row) => row.arrival === row.nid))
    assert.deepEqual(ids(await store.events.timeline({ room, ...PAGE, dir: 'b' })), shown.toReversed())
    const [first, second, third] = rows
    const part = { room, after: first!.nid, upto: third!.nid, limit: 1 }
    assert.deepEqual(ids(await store.events.timeline({ ...part, dir: 'f' })), [second!.eventId])
    assert.deepEqual(ids(await store.events.timeline({ ...part, dir: 'b' })), [third!.eventId])
  })

  it('pages in topological order, by depth and then arrival', async () => {
    const { store } = bench()
    const { room, lane } = await newRoom(store)
    const depths = [1, 2, 5, 3, 3, 4, 2]
    const made: { id: string; depth: number }[] = []
    for (const depth of depths) {
      const op = insert({ room, depth })
      made.push({ id: op.eventId, depth })
      await accepted(store, lane, op)
    }
    const expected = made
      .map((each, at) => ({ ...each, at }))
      .sort((a, b) => a.depth - b.depth || a.at - b.at)
      .map(({ id }) => id)
    for (const dir of ['f', 'b'] as const) {
      const found: string[] = []
      let from: { depth: number; arrival: number } | undefined
      for (;;) {
        const page = await store.events.topological({ room, dir, limit: 2, ...(from && { from }) })
        found.push(...ids(page))
        const last = page.at(-1)
        if (!last) break
        /* A place is the gap before it; after an event is the gap before the next arrival at its depth. */
        from = { depth: last.depth, arrival: last.arrival! + (dir === 'f' ? 1 : 0) }
      }
      assert.deepEqual(found, dir === 'f' ? expected : expected.toReversed())
    }
    const rows = await store.events.topological({ room, dir: 'f', limit: 10 })
    const to = { depth: rows[2]!.depth, arrival: rows[2]!.arrival! }
    assert.deepEqual(
      ids(await store.events.topological({ room, dir: 'f', to, limit: 10 })),
      expected.slice(0, 2),
    )
    const back = await store.events.topological({ room, dir: 'b', to, limit: 10 })
    assert.deepEqual(ids(back), expected.slice(2).toReversed())
  })

  it('streams over all rooms and names the rooms with news', async () => {
    const { store } = bench()
    const [a, b, quiet] = [await newRoom(store), await newRoom(store), await newRoom(store)]
    await accepted(store, quiet.lane, insert({ room: quiet.room }))
    const after = store.position()
    const made = [insert({ room: a.room }), insert({ room: b.room }), insert({ room: a.room })]
    for (const [at, op] of made.entries()) await accepted(store, at === 1 ? b.lane : a.lane, op)
    await accepted(store, quiet.lane, insert({ room: quiet.room, flags: EVENT_FLAGS.softFailed }))
    const upto = store.position()
    assert.deepEqual(ids(await store.events.stream(after, upto, 10)), ids(made))
    assert.deepEqual(ids(await store.events.stream(after, upto, 2)), ids(made.slice(0, 2)))
    assert.deepEqual((await store.events.roomsWithNews(after, upto)).sort(), [a.room, b.room].sort())
    assert.deepEqual(await store.events.roomsWithNews(upto, upto), [])
  })

  it('redacts once, and keeps the original apart until its time', async () => {
    const { store } = bench()
    const { room, lane } = await newRoom(store)
    const target = insert({ room, json: '{"body":"secret"}' })
    await accepted(store, lane, target)
    const redact = (slot: number, json: string): Op => ({
      op: 'event.redact',
      target: target.eventId,
      by: { slot },
      json,
      keepUntil: 5000,
    })
    const before = (await bench().counts())['event_originals']!
    const by = await accepted(store, lane, insert({ room, slot: 7 }), redact(7, '{}'))
    const row = await store.events.byId(target.eventId)
    assert.deepEqual([row?.json, row?.redactedBy], ['{}', by.results[0]])
    await accepted(store, lane, insert({ room, slot: 0 }), redact(0, '{"other":1}'))
    assert.deepEqual(await store.events.byId(target.eventId), row)
    assert.equal((await bench().counts())['event_originals'], before + 1)
    const unknown: Op = { op: 'event.redact', target: '$none', by: { slot: 0 }, json: '{}', keepUntil: 1 }
    assert.deepEqual(await refused(store, lane, insert({ room }), unknown), {
      conflict: 'gone',
      value: '$none',
    })
    await accepted(store, 'sweep', { op: 'job.sweep', now: 5000, limit: 100 })
    assert.equal((await bench().counts())['event_originals'], before + 1)
    const swept = await accepted(store, 'sweep', { op: 'job.sweep', now: 5001, limit: 100 })
    assert.ok((swept.results[0] as number) >= 1)
    assert.equal((await bench().counts())['event_originals'], before)
  })

  const txn = (user: string, device: string, scope: string, txnId: string): Op => ({
    op: 'event.txn',
    event: { slot: 0 },
    user,
    device,
    scope,
    txnId,
    ts: 1000,
  })

  it('answers a transaction id with the event it gave, in its own scope only', async () => {
    const { store } = bench()
    const { room, lane } = await newRoom(store)
    const sender = `@${fresh('sender')}:x`
    const op = insert({ room, sender })
    const { results } = await accepted(store, lane, op, txn(sender, 'D', 'PUT /a', 't'))
    const again = await refused(store, lane, insert({ room, sender }), txn(sender, 'D', 'PUT /a', 't'))
    assert.deepEqual(again, { conflict: 'txn', value: op.eventId })
    for (const [device, scope, txnId] of [
      ['E', 'PUT /a', 't'],
      ['D', 'PUT /b', 't'],
      ['D', 'PUT /a', 'T'],
    ] as const) {
      assert.equal(await store.events.byTxn(sender, device, scope, txnId), undefined)
      await accepted(store, lane, insert({ room, sender }), txn(sender, device, scope, txnId))
    }
    assert.equal(await store.events.byTxn(sender, 'D', 'PUT /a', 't'), op.eventId)
    assert.equal(await store.events.byTxn('@other:x', 'D', 'PUT /a', 't'), undefined)
    const nids = results as number[]
    assert.deepEqual(await store.events.txnsOf(sender, 'D', nids), [{ event: nids[0], txnId: 't' }])
    assert.deepEqual(await store.events.txnsOf(sender, 'E', nids), [])
    assert.deepEqual(await store.events.txnsOf(sender, 'D', []), [])
  })

  it('lets one of many equal transaction ids through', async () => {
    const { store } = bench()
    const { room, lane } = await newRoom(store)
    const sender = `@${fresh('sender')}:x`
    const tries = Array.from({ length: 10 }, () =>
      store.commit({ lane, ops: [insert({ room, sender }), txn(sender, 'D', 'PUT /same', 't')] }),
    )
    const results = await Promise.all(tries)
    assert.equal(results.filter((result) => result.ok).length, 1)
    const kept = await store.events.byTxn(sender, 'D', 'PUT /same', 't')
    for (const result of results) {
      if (!result.ok) assert.deepEqual(result, { ok: false, conflict: 'txn', value: kept })
    }
    assert.equal((await store.events.timeline({ room, ...PAGE })).length, 1)
  })

  it('walks an auth chain, and refuses one that is longer than allowed', async () => {
    const { store } = bench()
    const { room, lane } = await newRoom(store)
    const nids = new Map<string, number>()
    const add = async (name: string, ...auth: string[]): Promise<void> => {
      const op = insert({ room, eventId: lane + name, authEvents: auth.map((each) => lane + each) })
      nids.set(name, (await accepted(store, lane, op)).results[0] as number)
    }
    await add('create')
    await add('power', 'create')
    await add('join', 'create', 'power')
    await add('other', 'create')
    await add('message', 'join', 'power')
    assert.deepEqual(await chain(store, lane, 'message'), named('create', 'join', 'power'))
    assert.deepEqual(await chain(store, lane, 'create'), [])
    assert.deepEqual(await chain(store, lane, 'join', 'other'), named('create', 'power'))
    assert.deepEqual(await store.events.authChain([], 10), [])
    assert.deepEqual(await store.events.authChain(['$unknown'], 10), [])
    await assert.rejects(store.events.authChain([`${lane}message`], 2), (error) => {
      return error instanceof StoreError && error.kind === 'limit'
    })
    function named(...names: string[]): number[] {
      return names.map((name) => nids.get(name)!).sort((a, b) => a - b)
    }
  })

  it('adv-28: walks long forked chains, whole and without an event too many', async () => {
    const { store } = bench()
    const { room, lane } = await newRoom(store)
    const other = await newRoom(store)
    const size = 1500
    const auth = new Map<number, number[]>()
    let ops: Op[] = []
    const nids: number[] = []
    for (let i = 0; i < size; i++) {
      /* Mostly a chain, with forks that go far back, and rows of another room between. */
      const names = i === 0 ? [] : i % 10 === 7 ? [0, (i * 7919) % i] : [0, i - 1]
      auth.set(i, names)
      const authEvents = [...new Set(names)].map((each) => `${lane}${each}`)
      const type = 'm.room.power_levels'
      ops.push(insert({ room, slot: i, eventId: `${lane}${i}`, type, stateKey: '', authEvents }))
      if (i % 100 !== 99) continue
      const { results } = await accepted(store, lane, ...ops)
      nids.push(...(results as number[]))
      ops = []
      const between = Array.from({ length: 40 }, (_, slot) =>
        insert({ room: other.room, slot, stateKey: '' }),
      )
      await accepted(store, other.lane, ...between)
    }
    for (const tips of [[size - 1], [size - 1, 800, 807, 8], [17], [0]]) {
      const reached = new Set<number>()
      const todo = [...tips]
      for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
        for (const each of auth.get(at)!) {
          if (reached.has(each)) continue
          reached.add(each)
          todo.push(each)
        }
      }
      const ids = tips.map((tip) => `${lane}${tip}`)
      const found = await store.events.authChain(ids, size)
      assert.deepEqual(new Set(found), new Set([...reached].map((each) => nids[each]!)))
      assert.equal(found.length, reached.size)
      if (reached.size === 0) continue
      await assert.rejects(store.events.authChain(ids, reached.size - 1), { kind: 'limit' })
    }
  })
})

async function chain(store: Store, lane: string, ...names: string[]): Promise<number[]> {
  const found = await store.events.authChain(
    names.map((name) => lane + name),
    10,
  )
  return found.sort((a, b) => a - b)
}
