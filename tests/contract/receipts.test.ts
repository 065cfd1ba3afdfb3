/** Read receipts: they only move forward, private ones are their owner's, and they go with their room or account. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Change, Op } from '#/ports/store/plan.ts'
import type { ReceiptKind, ReceiptOp } from '#/ports/store/receipts.ts'
import type { Store } from '#/ports/store/store.ts'
import { onEveryEngine } from './engines.ts'
import { accepted, insert, newRoom, user } from './plans.ts'

type Put = Extract<ReceiptOp, { op: 'receipt.put' }>

const put = (room: number, name: string, event: number, more: Partial<Put> = {}): Put => ({
  op: 'receipt.put',
  room,
  user: name,
  kind: 'm.read',
  thread: '',
  eventId: `$${event}`,
  event,
  ts: 5,
  ...more,
})

const join = (room: number, name: string): Op[] => [
  insert({ room }),
  {
    op: 'room.membership',
    room,
    user: name,
    membership: 'join',
    event: { slot: 0 },
    sender: name,
    stripped: null,
  },
]

async function visible(store: Store, room: number, reader: string, after = 0, limit = 100) {
  const rows = await store.receipts.since(room, reader, after, store.position(), limit)
  return rows.map((row) => `${row.user} ${row.kind} ${row.thread} ${row.event}`)
}

onEveryEngine('receipts', (bench) => {
  it('keeps one receipt of a user, kind and thread, and tells whether it moved', async () => {
    const { store } = bench()
    const { room, lane } = await newRoom(store)
    const name = user()
    const changes: Change[] = []
    const stop = store.onChange((list) => changes.push(...list.filter((one) => one.room === room)))
    const { results } = await accepted(
      store,
      lane,
      put(room, name, 10),
      put(room, name, 10, { eventId: '$again' }),
      put(room, name, 9),
      put(room, name, 12, { ts: 6 }),
      put(room, name, 3, { thread: 'main' }),
      put(room, name, 2, { thread: '$root' }),
      put(room, name, 4, { kind: 'm.read.private' }),
    )
    stop()
    assert.deepEqual(results, [true, false, false, true, true, true, true])
    const rows = await store.receipts.ofUser(name, room)
    assert.deepEqual(
      rows.map((row) => [row.kind, row.thread, row.event, row.eventId, row.ts]),
      [
        ['m.read', '', 12, '$12', 6],
        ['m.read', 'main', 3, '$3', 5],
        ['m.read', '$root', 2, '$2', 5],
        ['m.read.private', '', 4, '$4', 5],
      ],
    )
    const told = changes.filter((change) => change.stream === 'receipts')
    assert.deepEqual(
      told.map((change) => [change.room, change.user, change.receipt?.event]),
      [10, 12, 3, 2, 4].map((event) => [room, name, event]),
    )
    assert.deepEqual(told.at(-1)?.receipt, rows.at(-1), 'the change carries the row as it is read')
    assert.ok(told.every((change) => change.position === change.receipt?.position))
    assert.deepEqual(await store.receipts.ofUser(user(), room), [])
  })

  it('moves a receipt forward only, whoever comes first', async () => {
    const { store } = bench()
    const { room } = await newRoom(store)
    const name = user()
    const order = [4, 9, 1, 7, 2, 8]
    await Promise.all(order.map((event, i) => accepted(store, `${name}${i}`, put(room, name, event))))
    const [row] = await store.receipts.ofUser(name, room)
    assert.equal(row?.event, 9)
  })

  it('shows private receipts to their owner alone, newest first, between positions', async () => {
    const { store } = bench()
    const { room, lane } = await newRoom(store)
    const [a, b] = [user('a'), user('b')]
    const kind: ReceiptKind = 'm.read.private'
    const first = await accepted(store, lane, put(room, a, 1), put(room, b, 2))
    await accepted(store, lane, put(room, a, 3, { kind }), put(room, b, 4, { kind, thread: 'main' }))
    assert.deepEqual(await visible(store, room, a), [`${a} ${kind}  3`, `${b} m.read  2`, `${a} m.read  1`])
    assert.deepEqual(await visible(store, room, b, first.position), [`${b} ${kind} main 4`])
    assert.deepEqual(await visible(store, room, a, 0, 1), [`${a} ${kind}  3`])
    assert.deepEqual(await store.receipts.since(room, a, 0, first.position - 1, 9), [
      (await store.receipts.ofUser(a, room))[0],
    ])
    assert.deepEqual(await visible(store, room + 1, a), [])
  })

  it('gives the newest receipts of a room, whoever may see them, between two positions', async () => {
    const { store } = bench()
    const { room, lane } = await newRoom(store)
    const [a, b] = [user('a'), user('b')]
    const kind: ReceiptKind = 'm.read.private'
    const first = await accepted(store, lane, put(room, a, 1))
    const second = await accepted(store, lane, put(room, b, 2, { kind }))
    await accepted(store, lane, put(room, b, 3))
    const newest = async (after: number, upto: number, limit: number) =>
      (await store.receipts.newest(room, after, upto, limit)).map((row) => row.event)
    assert.deepEqual(await newest(0, store.position(), 9), [3, 2, 1])
    assert.deepEqual(await newest(0, store.position(), 2), [3, 2])
    assert.deepEqual(await newest(first.position, second.position, 9), [2])
    assert.deepEqual(await store.receipts.newest(room + 1, 0, store.position(), 9), [])
  })

  it('names the newest receipt of the rooms that a user is joined to', async () => {
    const { store } = bench()
    const [read, quiet, foreign] = [await newRoom(store), await newRoom(store), await newRoom(store)]
    const name = user()
    await accepted(store, read.lane, ...join(read.room, name), put(read.room, user(), 1))
    await accepted(store, quiet.lane, ...join(quiet.room, name))
    await accepted(store, foreign.lane, put(foreign.room, user(), 1))
    const { position } = await accepted(store, read.lane, put(read.room, name, 2))
    assert.deepEqual(await store.receipts.latest(name), [{ room: read.room, latest: position }])
  })

  it('goes with its room and with its account', async () => {
    const { store } = bench()
    const [kept, gone] = [await newRoom(store), await newRoom(store)]
    const [name, stays] = [user(), user()]
    for (const { room, lane } of [kept, gone]) {
      await accepted(store, lane, ...join(room, name), put(room, name, 1), put(room, stays, 1))
    }
    await accepted(store, gone.lane, { op: 'room.delete', room: gone.room })
    assert.deepEqual(await visible(store, gone.room, name), [])
    assert.equal((await visible(store, kept.room, name)).length, 2)
    await accepted(store, name, { op: 'receipt.clear', user: name })
    assert.deepEqual(await visible(store, kept.room, name), [`${stays} m.read  1`])
  })
})
