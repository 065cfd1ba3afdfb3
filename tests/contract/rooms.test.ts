/** Rooms, heads, memberships, and what is left of a room that was deleted. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Op } from '#/ports/store/plan.ts'
import type { Membership } from '#/ports/store/rooms.ts'
import { STATE_TAIL_ROWS } from '#/storage/limits.ts'
import { onEveryEngine } from './engines.ts'
import { accepted, account, fresh, insert, newRoom, refused, user } from './plans.ts'

const member = (room: number, name: string, membership: Membership, more: object = {}): Op => ({
  op: 'room.membership',
  room,
  user: name,
  membership,
  event: { slot: 0 },
  sender: '@by:x',
  stripped: null,
  ...more,
})

onEveryEngine('rooms', (bench) => {
  it('makes a room once', async () => {
    const { store } = bench()
    const roomId = `!${fresh('once')}:x`
    const make = () =>
      store.commit({ lane: fresh('lane'), ops: [{ op: 'room.create', roomId, version: '9' }] })
    const results = await Promise.all(Array.from({ length: 6 }, make))
    const made = results.filter((result) => result.ok)
    assert.equal(made.length, 1)
    for (const result of results) {
      if (!result.ok) assert.deepEqual(result, { ok: false, conflict: 'taken', value: roomId })
    }
    const row = await store.rooms.byId(roomId)
    assert.deepEqual(row, {
      nid: made[0]?.ok && made[0].results[0],
      roomId,
      version: '9',
      stale: false,
      opened: 0,
    })
    assert.deepEqual(await store.rooms.byNid(row!.nid), row)
    assert.equal(await store.rooms.byId(roomId.toUpperCase()), undefined)
    assert.deepEqual(await store.rooms.head(row!.nid), {
      seq: 0,
      extremities: [],
      depth: 0,
      joined: 0,
      invited: 0,
    })
  })

  it('moves a head only from where it was expected', async () => {
    const { store } = bench()
    const { room, lane } = await newRoom(store)
    const move = (expect: number, joinedDelta = 0, invitedDelta = 0): Op => ({
      op: 'room.head',
      room,
      expect,
      extremities: [`$a${expect}`, '$b'],
      depth: expect + 10,
      joinedDelta,
      invitedDelta,
    })
    await accepted(store, lane, move(0, 2, 1), move(1, -1, 3))
    const head = { seq: 2, extremities: ['$a1', '$b'], depth: 11, joined: 1, invited: 4 }
    assert.deepEqual(await store.rooms.head(room), head)
    for (const expect of [0, 1, 3]) {
      assert.deepEqual(await refused(store, lane, move(expect)), { conflict: 'head' })
    }
    const results = await Promise.all(Array.from({ length: 5 }, () => store.commit({ lane, ops: [move(2)] })))
    assert.deepEqual(
      results.map((result) => result.ok),
      [true, false, false, false, false],
    )
    assert.deepEqual(await refused(store, lane, { ...move(0), room: 2 ** 50 } as Op), { conflict: 'head' })
    assert.equal(await store.rooms.head(2 ** 50), undefined)
  })

  it('keeps the memberships of local users', async () => {
    const { store } = bench()
    const [a, b] = [await newRoom(store), await newRoom(store)]
    const [alice, bob] = [user('alice'), user('bob')]
    const joined = await accepted(store, a.lane, insert({ room: a.room }), member(a.room, alice, 'join'))
    const event = joined.results[0] as number
    const row = {
      room: a.room,
      roomId: a.lane,
      user: alice,
      membership: 'join',
      event,
      position: event,
      sender: '@by:x',
      forgotten: false,
      stripped: null,
    }
    assert.deepEqual(await store.rooms.membership(a.room, alice), row)
    await accepted(store, a.lane, insert({ room: a.room }), member(a.room, bob, 'join'))
    await accepted(
      store,
      b.lane,
      insert({ room: b.room }),
      member(b.room, alice, 'invite', { stripped: '[1]' }),
    )
    assert.deepEqual((await store.rooms.localJoined(a.room)).sort(), [alice, bob].sort())
    assert.deepEqual(await store.rooms.localJoined(b.room), [])
    const since = await store.rooms.membershipsSince(alice, event)
    assert.deepEqual(
      since.map((each) => [each.room, each.membership, each.stripped]),
      [[b.room, 'invite', '[1]']],
    )
    assert.equal((await store.rooms.membershipsOf(alice)).length, 2)
    const forget: Op = { op: 'room.forget', room: a.room, user: alice }
    assert.deepEqual(await refused(store, a.lane, forget), { conflict: 'gone' })
    await accepted(store, a.lane, insert({ room: a.room }), member(a.room, alice, 'leave'))
    assert.equal((await store.rooms.membershipsOf(alice)).length, 2)
    await accepted(store, a.lane, forget)
    assert.deepEqual(
      (await store.rooms.membershipsOf(alice)).map((each) => each.room),
      [b.room],
    )
    assert.equal((await store.rooms.membership(a.room, alice))?.forgotten, true)
    await accepted(store, a.lane, insert({ room: a.room }), member(a.room, alice, 'invite'))
    assert.equal((await store.rooms.membership(a.room, alice))?.forgotten, false)
    assert.equal(await store.rooms.membership(b.room, bob), undefined)
  })

  it('knows the guests that are joined to a room', async () => {
    const { store } = bench()
    const { room, lane } = await newRoom(store)
    const names = [user('1'), user('2'), user('3'), user('full')].sort()
    for (const name of names) {
      await accepted(store, name, { ...account(name), guest: !name.startsWith('@full') } as Op)
      await accepted(store, lane, insert({ room }), member(room, name, 'join'))
    }
    const guests = names.filter((name) => !name.startsWith('@full'))
    assert.deepEqual(await store.rooms.guestsJoined(room, '', 100), guests)
    assert.deepEqual(await store.rooms.guestsJoined(room, guests[0]!, 1), [guests[1]])
    await accepted(store, lane, insert({ room }), member(room, guests[2]!, 'leave'))
    assert.deepEqual(await store.rooms.guestsJoined(room, '', 100), guests.slice(0, 2))
  })

  it('gives every row of a deleted room back, and no other', async () => {
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
    for (let i = 0; i < STATE_TAIL_ROWS + 5; i++) {
      const key = { type: 'm.room.member', stateKey: `@${i}:${lane}` }
      const changes = [shared, key].map((each) => ({ ...each, event: { slot: 0 } }))
      await accepted(
        store,
        lane,
        insert({ room, sender: name, eventId: `${lane}#${i}` }),
        { op: 'state.change', room, branch: 0, changes },
        { op: 'event.txn', event: { slot: 0 }, user: name, device: 'D', scope: lane, txnId: `${i}`, ts: 1 },
      )
    }
    const parent = { branch: 0, pos: store.position() }
    const opened = await accepted(store, lane, { op: 'state.branch', room, parent })
    const branch = opened.results[0] as number
    await accepted(
      store,
      lane,
      insert({ room }),
      { op: 'state.change', room, branch, changes: [{ type: fresh('t'), stateKey: '', event: { slot: 0 } }] },
      { op: 'event.redact', target: `${lane}#3`, by: { slot: 0 }, json: '{}', keepUntil: 2 ** 50 },
      member(room, name, 'join'),
      { op: 'account_data.put', user: name, room, type: 'm.tag', content: '{}' },
    )
    const filled = await bench().counts()
    for (const table of [
      'events',
      'state_keys',
      'room_state',
      'state_delta_tails',
      'state_delta_chunks',
      'event_txns',
    ])
      assert.ok(filled[table]! > before[table]!, table)
    const results = await Promise.all([
      store.commit({ lane: other.lane, ops: [insert({ room: other.room, eventId: `${lane}beside` })] }),
      store.commit({ lane, ops: [{ op: 'room.delete', room }] }),
      store.commit({ lane: other.lane, ops: [insert({ room: other.room, eventId: `${lane}after` })] }),
    ])
    assert.ok(results.every((result) => result.ok))
    assert.deepEqual(await bench().counts(), { ...before, events: before['events']! + 2 })
    assert.equal(await store.rooms.byId(lane), undefined)
    const point = { branch: 0, pos: store.position() }
    assert.equal((await store.state.fullAt(other.room, point)).length, 1)
    /* The same id and the same keys again: nothing remembered from before may be used. */
    const { results: made } = await accepted(
      store,
      lane,
      { op: 'room.create', roomId: lane, version: '10' },
      insert({ room: 'new', eventId: `${lane}#1` }),
      insert({ room: 'new', slot: 1, authEvents: [`${lane}#1`] }),
      {
        op: 'state.change',
        room: 'new',
        branch: 0,
        changes: [{ type: 'm.room.member', stateKey: `@1:${lane}`, event: { slot: 0 } }],
      },
    )
    const state = await store.state.fullAt(made[0] as number, { branch: 0, pos: store.position() })
    assert.deepEqual(state, [{ type: 'm.room.member', stateKey: `@1:${lane}`, event: made[1] }])
    await assert.rejects(
      store.commit({ lane, ops: [insert({ room: made[0] as number, authEvents: [`${lane}#2`] })] }),
      { kind: 'invalid' },
    )
  })
})
