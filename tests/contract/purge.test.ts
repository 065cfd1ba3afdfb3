/** Purging history and deleting rooms slice by slice. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Op } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import { STATE_OLDER_INLINE_BYTES, STATE_TAIL_ROWS } from '#/storage/limits.ts'
import { onEveryEngine } from './engines.ts'
import { accepted, fresh, insert, newRoom, refused, user } from './plans.ts'

async function purgeAll(store: Store, lane: string, op: Extract<Op, { op: 'room.purge' }>): Promise<number> {
  let gone = 0
  let after = op.after
  for (;;) {
    const { results } = await accepted(store, lane, { ...op, ...(after ? { after } : {}) })
    const slice = results[0] as { gone: number; next: { ts: number; arrival: number } | null }
    gone += slice.gone
    if (!slice.next) return gone
    after = slice.next
  }
}

onEveryEngine('purge', (bench) => {
  it('loses no change of state that other rooms make in the same group', async () => {
    const { store } = bench()
    const [one, other, gone] = [await newRoom(store), await newRoom(store), await newRoom(store)]
    const topic = { type: 'm.topic', stateKey: '' }
    for (const { room, lane } of [one, other]) {
      await accepted(store, lane, insert({ room, ts: 1, eventId: `${lane}old`, sender: '@a:here' }))
      await accepted(store, lane, insert({ room, ts: 2 ** 40, eventId: `${lane}new`, sender: '@a:here' }))
    }
    const change = (n: number) =>
      accepted(
        store,
        one.lane,
        insert({ room: one.room, ts: 2 ** 40, eventId: `${one.lane}t${n}`, ...topic }),
        {
          op: 'state.change',
          room: one.room,
          branch: 0,
          changes: [{ ...topic, event: { slot: 0 } }],
        },
      )
    const changes: ReturnType<typeof change>[] = []
    const ahead: Promise<unknown>[] = []
    for (let n = 0; n < 5; n++) changes.push(change(n))
    const purge: Op = { op: 'room.purge', room: other.room, before: 100, limit: 10 }
    ahead.push(accepted(store, other.lane, purge))
    for (let n = 5; n < 10; n++) changes.push(change(n))
    ahead.push(accepted(store, gone.lane, { op: 'room.delete', room: gone.room }))
    for (let n = 10; n < 15; n++) changes.push(change(n))
    await Promise.all(ahead)
    for (const { results } of await Promise.all(changes)) {
      const pos = results[0] as number
      const [from, to] = [
        { branch: 0, pos: pos - 1 },
        { branch: 0, pos },
      ]
      assert.equal((await store.state.difference(one.room, from, to)).length, 1, `the change at ${pos}`)
    }
  })

  it('deletes old messages and nothing else, in slices', async () => {
    const { store } = bench()
    const { room, lane } = await newRoom(store)
    const other = await newRoom(store)
    const id = (name: string) => `${lane}${name}`
    const say = (name: string, ts: number, more: object = {}): Op =>
      insert({ room, ts, eventId: id(name), sender: '@a:here', ...more })
    await accepted(store, other.lane, insert({ room: other.room, ts: 1 }))
    await accepted(store, lane, say('old', 10), {
      op: 'event.txn',
      event: { slot: 0 },
      user: '@a:here',
      device: 'D',
      scope: lane,
      txnId: 't',
      ts: 1,
    })
    for (let i = 0; i < 7; i++) await accepted(store, lane, say(`m${i}`, 20))
    const state = { type: 'm.topic', stateKey: '' }
    await accepted(store, lane, say('state', 30, state), {
      op: 'state.change',
      room,
      branch: 0,
      changes: [{ ...state, event: { slot: 0 } }],
    })
    const redaction = (of: string) => ({
      type: 'm.room.redaction',
      json: JSON.stringify({ redacts: id(of) }),
    })
    const redact = (of: string): Op => ({
      op: 'event.redact',
      target: id(of),
      by: { slot: 0 },
      json: '{}',
      keepUntil: 2 ** 50,
    })
    await accepted(store, lane, say('r-state', 40, redaction('state')), redact('state'))
    await accepted(store, lane, say('r-old', 41, redaction('old')), redact('old'))
    await accepted(store, lane, say('theirs', 42, { sender: '@b:there' }))
    await accepted(store, lane, say('young', 1000))
    await accepted(store, lane, say('head', 43), {
      op: 'room.head',
      room,
      expect: 0,
      extremities: [id('head')],
      depth: 1,
      joinedDelta: 0,
      invitedDelta: 0,
    })
    const purge = { op: 'room.purge', room, before: 1000, limit: 3 } as const
    assert.equal(await purgeAll(store, lane, { ...purge, keepServer: 'here' }), 1)
    assert.equal(await store.events.byId(id('theirs')), undefined)
    assert.equal(await purgeAll(store, lane, purge), 9)
    const page = { room, after: 0, upto: 2 ** 50, limit: 100, dir: 'f' } as const
    const left = (await store.events.timeline(page)).map((row) => row.eventId.slice(lane.length))
    assert.deepEqual(left, ['state', 'r-state', 'young', 'head'])
    assert.equal((await store.state.current(room, [['m.topic', '']]))[0]?.eventId, id('state'))
    assert.equal(await store.events.byTxn('@a:here', 'D', lane, 't'), undefined)
    assert.equal(await purgeAll(store, lane, purge), 0)
    assert.equal((await store.events.timeline({ ...page, room: other.room })).length, 1)
    /* The purged id may come again. */
    await accepted(store, lane, say('old', 2000))
    assert.ok(await store.events.byId(id('old')))
  })

  it('hides a room at once, then gives every row of it back, and no other', async () => {
    const { store } = bench()
    const other = await newRoom(store)
    const shared = { type: 'm.room.member', stateKey: '@shared:x' }
    await accepted(store, other.lane, insert({ room: other.room }), {
      op: 'state.change',
      room: other.room,
      branch: 0,
      changes: [{ ...shared, event: { slot: 0 } }],
    })
    const before = await bench().counts()
    const { room, lane } = await newRoom(store)
    const name = user()
    const plans = Array.from(
      { length: Math.max(STATE_TAIL_ROWS, STATE_OLDER_INLINE_BYTES / 2) + 50 },
      (_, i) => {
        const key = { type: 'm.room.member', stateKey: `@${i % 200}:${lane}` }
        const changes = [shared, key].map((each) => ({ ...each, event: { slot: 0 } }))
        return store.commit({
          lane,
          ops: [
            insert({ room, sender: name, live: i % 5 > 0 }),
            { op: 'state.change', room, branch: 0, changes },
          ],
        })
      },
    )
    assert.ok((await Promise.all(plans)).every((result) => result.ok))
    const member = (who: string): Op => ({
      op: 'room.membership',
      room,
      user: who,
      membership: 'join',
      event: { slot: 0 },
      sender: who,
      stripped: null,
    })
    await accepted(
      store,
      lane,
      insert({ room }),
      member(name),
      ...Array.from({ length: 12 }, () => member(user())),
    )
    const clear: Op = { op: 'room.clear', room, limit: 50 }
    assert.deepEqual(await refused(store, lane, clear), { conflict: 'gone' })
    await accepted(store, lane, { op: 'room.hide', room })
    assert.deepEqual(await refused(store, lane, { op: 'room.hide', room }), { conflict: 'gone' })
    assert.equal(await store.rooms.byId(lane), undefined)
    assert.equal(await store.rooms.byNid(room), undefined)
    assert.equal(await store.rooms.head(room), undefined)
    assert.equal(await store.rooms.membership(room, name), undefined)
    assert.deepEqual(await store.rooms.membershipsOf(name), [])
    assert.ok(!(await store.rooms.page(room - 1, 5)).some((row) => row.nid === room))
    /* The id is free before the last row is gone. */
    const again = await accepted(store, lane, { op: 'room.create', roomId: lane, version: '11' })
    let slices = 0
    for (;;) {
      const { results } = await accepted(store, lane, clear)
      if (results[0] === 0) break
      assert.ok((results[0] as number) <= 50)
      slices++
    }
    assert.ok(slices > 10)
    assert.deepEqual(await refused(store, lane, clear), { conflict: 'gone' })
    await accepted(store, lane, { op: 'room.delete', room: again.results[0] as number })
    assert.deepEqual(await bench().counts(), before)
    const point = { branch: 0, pos: store.position() }
    assert.equal((await store.state.fullAt(other.room, point)).length, 1)
    assert.ok(fresh('end'))
  })
})
