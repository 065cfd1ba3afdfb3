/** What is asked of many rooms at once, against the same asked of each alone. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Op } from '#/ports/store/plan.ts'
import type { StatePoint } from '#/ports/store/state.ts'
import type { Store } from '#/ports/store/store.ts'
import { KIND_RULES } from '#/protocol/push-rules/event-kind.ts'
import { DEFAULT_PROFILE, NO_ROOM_PROFILE } from '#/protocol/push-rules/profile.ts'
import { STATE_TAIL_ROWS, STATE_TEXT_ROWS_AT_ONCE, TURNS_MAX } from '#/storage/limits.ts'
import { onEveryEngine } from './engines.ts'
import { accepted, fresh, insert, newRoom, user } from './plans.ts'

const MESSAGE = 1 << KIND_RULES.indexOf('.m.rule.message')
const BOB = '@bob:contract.example'

interface Made {
  readonly room: number
  readonly lane: string
  /** Row ids of its events. */
  readonly events: number[]
}

type Content = Readonly<Record<string, unknown>>

/** A state event and the change of state that it makes. */
async function state(
  store: Store,
  made: Made,
  type: string,
  stateKey: string,
  content: Content = {},
): Promise<number> {
  const { room, lane } = made
  const sender = BOB
  const json = JSON.stringify({
    content,
    origin_server_ts: 5,
    room_id: lane,
    sender,
    state_key: stateKey,
    type,
  })
  const changes = [{ type, stateKey, event: { slot: 0 } }]
  const { results } = await accepted(store, lane, insert({ room, type, stateKey, sender, json }), {
    op: 'state.change',
    room,
    branch: 0,
    changes,
  })
  made.events.push(results[0] as number)
  return results[0] as number
}

async function message(store: Store, made: Made, thread = 'main', more: Op[] = []): Promise<number> {
  const { room, lane } = made
  const { results } = await accepted(
    store,
    lane,
    insert({ room, sender: BOB }),
    {
      ...{
        op: 'push.event',
        event: { slot: 0 },
        room,
        thread,
        kind: MESSAGE,
        loud: false,
        readBy: undefined,
      },
      ...{ joined: undefined, actions: [], queue: [] },
    },
    ...more,
  )
  made.events.push(results[0] as number)
  return results[0] as number
}

const receipt = (room: number, name: string, event: number, thread = ''): Op => ({
  ...{ op: 'receipt.put', room, user: name, kind: 'm.read', thread, eventId: `$${event}`, event, ts: 1 },
})

/** Rooms that differ in how many of everything they have. */
async function rooms(store: Store, count: number, reader: string): Promise<Made[]> {
  const all: Made[] = []
  for (let n = 0; n < count; n++) {
    const made: Made = { ...(await newRoom(store)), events: [] }
    all.push(made)
    await state(store, made, 'm.room.name', '', { name: `room ${n}` })
    const joined = await state(store, made, 'm.room.member', reader, { membership: 'join' })
    if (n % 6 > 0) {
      await accepted(store, made.lane, {
        ...{
          op: 'room.membership',
          room: made.room,
          user: reader,
          membership: 'join',
          event: { nid: joined },
        },
        ...{ sender: reader, stripped: null },
      })
    }
    for (let i = 0; i < n % 4; i++) await state(store, made, 'm.room.name', '', { name: `${i}` })
    for (let i = 0; i < n % 3; i++)
      await state(store, made, 'm.room.member', `@u${i}:x`, { membership: 'join' })
    for (let i = 0; i < n % 5; i++) await message(store, made)
    const [first, last] = [made.events[0]!, made.events.at(-1)!]
    if (n % 3 === 1) await accepted(store, made.lane, receipt(made.room, reader, last))
    if (n % 3 === 2)
      await accepted(store, made.lane, receipt(made.room, reader, first), receipt(made.room, user(), last))
    if (n % 4 === 3) await message(store, made, '$thread')
    if (n % 7 === 6) {
      const action = { user: reader, notify: true, highlight: true, actions: '["notify"]' }
      const op: Op = {
        ...{
          op: 'push.event',
          event: { slot: 0 },
          room: made.room,
          thread: 'main',
          kind: MESSAGE,
          loud: false,
        },
        ...{ readBy: undefined, joined: undefined, actions: [action], queue: [] },
      }
      await accepted(store, made.lane, insert({ room: made.room, sender: BOB }), op)
    }
  }
  return all
}

const at = (pos: number): StatePoint => ({ branch: 0, pos })
const nidsOf = (rows: readonly { readonly nid: number }[]): number[] =>
  rows.map((row) => row.nid).sort((a, b) => a - b)

onEveryEngine('many rooms at once', (bench) => {
  it('is what each room alone gives', async () => {
    const { store } = bench()
    const { many } = store
    const reader = user('reader')
    /* More than one list, and no power of two. */
    const made = await rooms(store, 45, reader)
    const nids = [...made.map(({ room }) => room), 999_999_999, made[3]!.room]
    const each = <T>(of: (room: number) => Promise<T>): Promise<T[]> => Promise.all(nids.map(of))
    assert.deepEqual(await many.rooms(nids), await each((room) => store.rooms.byNid(room)))
    assert.deepEqual(await many.heads(nids), await each((room) => store.rooms.head(room)))
    assert.deepEqual(
      await many.memberships(reader, nids),
      await each((room) => store.rooms.membership(room, reader)),
    )
    assert.deepEqual(await many.lastChanges(nids), await each((room) => store.state.lastChange(room)))
    const stretch = { after: made[2]!.events[0]!, upto: made.at(-2)!.events.at(-1)!, limit: 3 }
    assert.deepEqual(
      await many.timelines(nids, stretch),
      await each((room) => store.events.timeline({ room, ...stretch, dir: 'b' })),
    )
    const heard = { after: 0, upto: store.position(), limit: 2 }
    assert.deepEqual(
      await many.receipts(nids, reader, heard),
      await each((room) => store.receipts.since(room, reader, heard.after, heard.upto, heard.limit)),
    )
    for (const after of [0, made[1]!.events[0]!]) {
      assert.deepEqual(
        await many.members(nids, 2, after),
        await each((room) => store.state.someMembers(room, 2, after)),
      )
    }
    for (const upto of [store.position(), stretch.upto]) {
      assert.deepEqual(
        await store.push.countsOfRooms(reader, nids, upto),
        await each((room) => store.push.counts(reader, room, upto)),
      )
    }
    const points = made.flatMap(({ events }) => events)
    assert.deepEqual(await many.pointsBefore(points), await store.state.pointsBefore(points))
    assert.deepEqual(await many.timelines([], stretch), [])
  })

  it('finds what others relate to, and transaction ids', async () => {
    const { store } = bench()
    const sender = BOB
    const asks: { room: number; eventIds: string[] }[] = []
    const sent: number[] = []
    for (let n = 0; n < 5; n++) {
      const { room, lane } = await newRoom(store)
      const ids = Array.from({ length: 40 }, () => `$${fresh('related')}`)
      asks.push({ room, eventIds: ids })
      for (const target of ids.slice(0, 2 * n)) {
        const related = { target, relType: 'm.reference', key: null, aggregated: true, type: 't', sender }
        const txn = { user: sender, device: 'D', scope: lane, txnId: target, ts: 1 }
        const { results } = await accepted(
          store,
          lane,
          insert({ room, eventId: target, sender }),
          { op: 'event.txn', event: { slot: 0 }, ...txn },
          insert({ room, slot: 1, sender }),
          { op: 'relation.put', event: { slot: 1 }, room, ...related, ts: 1, depth: 1 },
        )
        sent.push(results[0] as number)
      }
    }
    const found = await store.many.targets(asks)
    for (const [index, { room, eventIds }] of asks.entries()) {
      const byId = (a: { eventId: string }, b: { eventId: string }) => (a.eventId < b.eventId ? -1 : 1)
      const alone = await store.relations.targets(room, eventIds)
      assert.deepEqual([...found[index]!].sort(byId), [...alone].sort(byId))
      assert.equal(alone.length, 2 * index)
    }
    const byEvent = (a: { event: number }, b: { event: number }) => a.event - b.event
    const txns = (await store.many.txns(BOB, 'D', sent)).sort(byEvent)
    assert.deepEqual(txns, (await store.events.txnsOf(BOB, 'D', sent)).sort(byEvent))
    assert.equal(txns.length, sent.length)
    assert.deepEqual(await store.many.txns(BOB, 'other', sent), [])
  })

  it('counts under a profile that changed in between', async () => {
    const { store } = bench()
    const reader = user('reader')
    const made = await rooms(store, 9, reader)
    const quiet = NO_ROOM_PROFILE.replaceAll(NO_ROOM_PROFILE[0]!, '0')
    for (const [profile, rooms] of [
      [undefined, [[made[4]!.lane, quiet]]],
      [DEFAULT_PROFILE.replaceAll(/[12]/g, '0'), []],
    ] as const) {
      await accepted(store, reader, {
        ...{ op: 'push.rules', user: reader, content: '{}', custom: false, profile, rooms },
      })
      for (const one of made.slice(3)) await message(store, one)
    }
    for (const one of made) await message(store, one)
    const nids = made.map(({ room }) => room)
    const upto = store.position()
    assert.deepEqual(
      await store.push.countsOfRooms(reader, nids, upto),
      await Promise.all(nids.map((room) => store.push.counts(reader, room, upto))),
    )
  })

  it('finds the state of each at a point of its own, on branches too', async () => {
    const { store } = bench()
    const reader = user('reader')
    const made = await rooms(store, 12, reader)
    const { room, lane } = made[5]!
    const parent = at(made[5]!.events[1]!)
    const branch = (await accepted(store, lane, { op: 'state.branch', room, parent })).results[0] as number
    const keys = [
      ['m.room.name', ''],
      ['m.room.member', reader],
      ['none', ''],
    ] as const
    const asks = made.flatMap(({ room, events }) => events.map((pos) => ({ room, point: at(pos), keys })))
    asks.push({ room, point: { branch, pos: store.position() }, keys })
    const found = await store.many.stateAt(asks)
    for (const [index, ask] of asks.entries()) {
      assert.deepEqual(nidsOf(found[index]!), nidsOf(await store.state.at(ask.room, ask.point, ask.keys)))
    }
    const turns = await store.many.turns(
      made.map(({ room, events }) => ({ room, from: events[1]!, to: events.at(-1)!, keys })),
    )
    for (const [index, { room, events }] of made.entries()) {
      for (const pos of events.slice(1)) {
        const held = new Map(
          turns[index]!.filter((turn) => turn.pos <= pos).map((turn) => [turn.type, turn.event!]),
        )
        assert.deepEqual(nidsOf([...held.values()]), nidsOf(await store.state.at(room, at(pos), keys)))
      }
    }
  })

  it('tells what held a key before an event', async () => {
    const { store } = bench()
    const made: Made = { ...(await newRoom(store)), events: [] }
    const { room, lane } = made
    const name: number[] = []
    /* Enough to spill. */
    for (let i = 0; i < 30; i++) name.push(await state(store, made, 'm.room.name', '', { name: `${i}` }))
    const alone = await state(store, made, 'm.room.topic', '')
    const said = await message(store, made)
    const before = (await store.state.replaced([...name, alone, said])).map(({ by, event }) => [
      by,
      event.nid,
    ])
    assert.deepEqual(
      new Map(before as [number, number][]),
      new Map(name.slice(1).map((nid, i) => [nid, name[i]!])),
    )
    assert.deepEqual(
      await store.many.replaced([...name, alone]),
      await store.state.replaced([...name, alone]),
    )
    /* On a branch the key may have another story, also one that the main line never had. */
    const branch = (await accepted(store, lane, { op: 'state.branch', room, parent: at(name[3]!) }))
      .results[0] as number
    const changes = [{ type: 'm.room.avatar', stateKey: '', event: { nid: said } }]
    await accepted(store, lane, insert({ room }), { op: 'state.change', room, branch, changes })
    const point = { branch, pos: store.position() }
    const judged: number[] = []
    for (const type of ['m.room.name', 'm.room.avatar']) {
      const { results } = await accepted(store, lane, insert({ room, type, stateKey: '' }), {
        ...{ op: 'state.at', event: { slot: 0 }, point },
      })
      judged.push(results[0] as number)
    }
    const there = (await store.state.replaced(judged)).map(({ by, event }) => [by, event.nid])
    assert.deepEqual(
      new Map(there as [number, number][]),
      new Map([
        [judged[0]!, name[3]!],
        [judged[1]!, said],
      ]),
    )
  })

  it('knows who took a key in turn, unless that is too long a story', async () => {
    const { store } = bench()
    const made: Made = { ...(await newRoom(store)), events: [] }
    const { room, lane } = made
    const taken = Array.from({ length: TURNS_MAX + 5 }, () => 0)
    for (let i = 0; i < taken.length; i++) taken[i] = await state(store, made, 'm.room.name', '')
    const gone = [{ type: 'm.room.name', stateKey: '', event: null }]
    await accepted(store, lane, insert({ room }), { op: 'state.change', room, branch: 0, changes: gone })
    const end = store.position()
    const keys = [['m.room.name', '']] as const
    assert.equal(await store.state.turns({ room, from: taken[0]!, to: end, keys }), undefined)
    const some = await store.state.turns({ room, from: taken.at(-3)!, to: end, keys })
    assert.deepEqual(
      some?.map(({ pos, event }) => [pos, event?.nid]),
      [
        [taken.at(-3), taken.at(-3)],
        [taken.at(-2), taken.at(-2)],
        [taken.at(-1), taken.at(-1)],
        [some?.at(-1)?.pos, undefined],
      ],
    )
    assert.deepEqual(await store.state.turns({ room, from: 1, to: taken[0]! - 1, keys }), [])
  })

  it('gives whole states as texts, of too many only the first', async () => {
    const { store } = bench()
    const made = await rooms(store, 6, user('reader'))
    const odd = made[0]!
    const redacted = await state(store, odd, 'm.room.topic', '', { topic: 'secret' })
    const [row] = await store.events.byNids([redacted])
    await accepted(store, odd.lane, insert({ room: odd.room, type: 'm.room.redaction' }), {
      ...{ op: 'event.redact', target: row!.eventId, by: { slot: 0 }, json: '{}', keepUntil: 1 },
    })
    const asks = made.flatMap(({ room, events }) =>
      [undefined, 'm.room.member'].flatMap((exceptType) =>
        events.map((pos) => ({ room, point: at(pos), exceptType })),
      ),
    )
    for (const [index, { text, others }] of (await store.many.texts(asks)).entries()) {
      const { room, point, exceptType } = asks[index]!
      const rows = await store.state.eventsAt(room, point, exceptType)
      const told = JSON.parse(`[${text}]`) as { event_id: string; content: unknown; room_id?: string }[]
      assert.deepEqual(
        [...told.map((event) => event.event_id), ...others.map((event) => event.eventId)].sort(),
        rows.map((event) => event.eventId).sort(),
      )
      for (const event of told) {
        const { json } = rows.find((one) => one.eventId === event.event_id)!
        assert.deepEqual(event.content, (JSON.parse(json) as { content: unknown }).content)
        assert.equal(event.room_id, undefined)
      }
      assert.ok(others.every((event) => event.redactedBy !== null))
    }
    const large: Made = { ...(await newRoom(store)), events: [] }
    for (let i = 0; i * STATE_TAIL_ROWS < STATE_TEXT_ROWS_AT_ONCE; i++) {
      const changes = Array.from({ length: STATE_TAIL_ROWS }, (_, n) => ({
        ...{ type: 'm.room.member', stateKey: `@${fresh('m')}${n}:x`, event: { nid: made[1]!.events[0]! } },
      }))
      await accepted(store, large.lane, insert({ room: large.room }), {
        ...{ op: 'state.change', room: large.room, branch: 0, changes },
      })
    }
    const whole = (room: number) => ({ room, point: at(store.position()), exceptType: undefined })
    const asked = [whole(made[1]!.room), whole(made[2]!.room), whole(large.room), whole(made[3]!.room)]
    const answered = async (from: number) => (await store.many.texts(asked.slice(from))).length
    assert.deepEqual([await answered(0), await answered(2), await answered(3)], [2, 1, 1])
  })
})
