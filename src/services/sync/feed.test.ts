/** The feed: what it keeps, whom it wakes, and what may come while it loads. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { realWorld } from '#/base/world.ts'
import type { EventRow } from '#/ports/store/events.ts'
import type { Change } from '#/ports/store/plan.ts'
import type { Membership, MembershipRow } from '#/ports/store/rooms.ts'
import type { Store } from '#/ports/store/store.ts'
import { handTurns } from '../../../tests/support/hand-turns.ts'
import { Feed } from './feed.ts'
import { ACTIVE_USERS_MAX, FEED_WAKES_PER_TURN } from './limits.ts'

const ROOM = 7
const ROOM_ID = '!r:x'

/** A store that tells what the test writes; the loading of a user waits where the test says so. */
class FakeStore {
  now = 10
  readonly rows: EventRow[] = []
  readonly memberships = new Map<string, MembershipRow>()
  #listener: (changes: readonly Change[], position: number) => void = () => {}
  gate: Promise<void> = Promise.resolve()
  loads = 0
  reads = 0

  readonly store = {
    position: () => this.now,
    onChange: (listener: (changes: readonly Change[], position: number) => void) => {
      this.#listener = listener
      return () => {}
    },
    rooms: {
      membershipsOf: async (user: string) => {
        this.loads++
        const row = this.memberships.get(user)
        await this.gate
        return row ? [row] : []
      },
    },
    events: {
      timeline: async ({ after, upto, limit }: { after: number; upto: number; limit: number }) => {
        this.reads++
        const found = this.rows.filter((row) => row.nid > after && row.nid <= upto)
        return found.reverse().slice(0, limit)
      },
    },
  } as unknown as Store

  join(user: string): void {
    const row = { room: ROOM, roomId: ROOM_ID, user, membership: 'join', position: this.now }
    this.memberships.set(user, row as MembershipRow)
  }

  event(type = 'm.room.message', stateKey: string | null = null, membership?: Membership): EventRow {
    const nid = ++this.now
    const json = JSON.stringify({ content: membership ? { membership } : {}, room_id: ROOM_ID })
    const row = { nid, room: ROOM, type, stateKey, json, arrival: nid } as EventRow
    this.rows.push(row)
    this.#listener([{ stream: 'events', position: nid, room: ROOM, event: row }], nid)
    return row
  }

  data(user: string): void {
    const position = ++this.now
    this.#listener([{ stream: 'account_data', position, user }], position)
  }
}

const nids = (rows: readonly EventRow[]): number[] => rows.map((row) => row.nid)

function gate(): { promise: Promise<void>; open: () => void } {
  let open = (): void => {}
  const promise = new Promise<void>((resolve) => {
    open = resolve
  })
  return { promise, open }
}

test('an event that comes while somebody loads is kept once and noted for everybody once', async () => {
  const fake = new FakeStore()
  const feed = new Feed(fake.store, realWorld.clock)
  fake.join('@a:x')
  fake.join('@b:x')
  const a = await feed.user('@a:x')
  const first = fake.event()
  const { promise, open } = gate()
  fake.gate = promise
  const loading = feed.user('@b:x')
  const [second, third] = [fake.event(), fake.event()]
  open()
  const b = await loading
  const fourth = fake.event()
  const all = [fourth, third, second, first].map((row) => row.nid)
  assert.deepEqual(nids(await feed.newest(ROOM, 10, fake.now, 10)), all)
  assert.equal(fake.reads, 0, 'from memory')
  for (const user of [a, b]) {
    assert.deepEqual([...(user.changedSince(second.nid) ?? [])], [ROOM])
    assert.equal(user.changedSince(fourth.nid)?.size, 0)
  }
})

test('news that others had before somebody loaded stay in order for them', async () => {
  const fake = new FakeStore()
  const feed = new Feed(fake.store, realWorld.clock)
  fake.join('@a:x')
  const a = await feed.user('@a:x')
  const { promise, open } = gate()
  fake.gate = promise
  const loading = feed.user('@b:x')
  fake.event()
  fake.data('@a:x')
  const since = fake.now
  fake.event()
  open()
  await loading
  assert.deepEqual([...(a.changedSince(since) ?? [])], [ROOM], 'a list out of order would end too early')
})

test('a join and a leave that come while the user loads are taken', async () => {
  const fake = new FakeStore()
  const feed = new Feed(fake.store, realWorld.clock)
  const { promise, open } = gate()
  fake.gate = promise
  const loading = feed.user('@a:x')
  fake.event('m.room.member', '@a:x', 'join')
  const message = fake.event()
  open()
  const a = await loading
  assert.equal(a.memberships.get(ROOM)?.membership, 'join')
  assert.equal(a.hasNewsSince(message.nid - 1), true)
  const later = fake.event()
  assert.equal(a.hasNewsSince(later.nid - 1), true, 'and news go on')
  const left = fake.event('m.room.member', '@a:x', 'leave')
  assert.equal(a.hasNewsSince(left.nid - 1), true, 'leaving is news')
  const behind = fake.event()
  assert.equal(a.hasNewsSince(behind.nid - 1), false, 'what comes after it is not')
})

test('account data that comes while the user loads is news', async () => {
  const fake = new FakeStore()
  const feed = new Feed(fake.store, realWorld.clock)
  const { promise, open } = gate()
  fake.gate = promise
  const loading = feed.user('@a:x')
  fake.data('@a:x')
  open()
  const a = await loading
  assert.deepEqual([a.dataChangedSince(10), a.dataChangedSince(fake.now)], [true, false])
})

test('users that ask side by side are loaded once', async () => {
  const fake = new FakeStore()
  const feed = new Feed(fake.store, realWorld.clock)
  const all = await Promise.all([feed.user('@a:x'), feed.user('@a:x'), feed.user('@a:x')])
  assert.deepEqual([new Set(all).size, fake.loads], [1, 1])
})

test('those in the room are woken, those outside are not', async () => {
  const fake = new FakeStore()
  const feed = new Feed(fake.store, realWorld.clock)
  fake.join('@a:x')
  const [a, b] = [await feed.user('@a:x'), await feed.user('@b:x')]
  const woken: string[] = []
  a.wait(() => woken.push('a'))
  b.wait(() => woken.push('b'))
  fake.event()
  assert.deepEqual(woken, ['a'])
  fake.data('@b:x')
  assert.deepEqual(woken, ['a', 'b'])
})

test('a redaction lets the kept events go, because one of them changed', async () => {
  const fake = new FakeStore()
  const feed = new Feed(fake.store, realWorld.clock)
  fake.join('@a:x')
  await feed.user('@a:x')
  fake.event()
  fake.event('m.room.redaction')
  await feed.newest(ROOM, 10, fake.now, 10)
  assert.equal(fake.reads, 1)
})

test('a user who is being served is kept, however many others come', async () => {
  const fake = new FakeStore()
  const feed = new Feed(fake.store, realWorld.clock)
  fake.join('@busy:x')
  const busy = await feed.user('@busy:x')
  busy.busy++
  for (let i = 0; i <= ACTIVE_USERS_MAX; i++) await feed.user(`@u${i}:x`)
  let woken = 0
  busy.wait(() => woken++)
  const row = fake.event()
  assert.deepEqual([woken, busy.hasNewsSince(row.nid - 1)], [1, true])
  busy.busy--
  await feed.user('@one more:x')
  assert.notEqual(await feed.user('@busy:x'), busy, 'then it goes like the others')
})

test('where everybody is being served a newcomer is served as well', async () => {
  const fake = new FakeStore()
  const feed = new Feed(fake.store, realWorld.clock)
  for (let i = 0; i < ACTIVE_USERS_MAX; i++) (await feed.user(`@u${i}:x`)).busy++
  fake.join('@new:x')
  const newcomer = await feed.user('@new:x')
  const row = fake.event()
  assert.equal(newcomer.hasNewsSince(row.nid - 1), true)
})

test('stopping wakes all who wait', async () => {
  const fake = new FakeStore()
  const feed = new Feed(fake.store, realWorld.clock)
  const a = await feed.user('@a:x')
  let woken = false
  a.wait(() => {
    woken = true
  })
  feed.stopWaiting()
  assert.deepEqual([woken, feed.stopping], [true, true])
})

test('one event wakes those who wait over several turns, each of them once', async () => {
  const fake = new FakeStore()
  const { clock, turn } = handTurns()
  const feed = new Feed(fake.store, clock)
  const woken: string[] = []
  for (let i = 0; i < 2 * FEED_WAKES_PER_TURN + 1; i++) {
    fake.join(`@u${i}:x`)
    const user = await feed.user(`@u${i}:x`)
    user.wait(() => woken.push(user.userId))
  }
  fake.join('@idle:x')
  await feed.user('@idle:x')
  fake.event()
  assert.equal(woken.length, FEED_WAKES_PER_TURN)
  fake.event()
  feed.typingMoved(ROOM, 1)
  turn()
  assert.equal(woken.length, 2 * FEED_WAKES_PER_TURN)
  turn()
  assert.equal(new Set(woken).size, 2 * FEED_WAKES_PER_TURN + 1)
  assert.deepEqual([woken.length, turn(), turn()], [2 * FEED_WAKES_PER_TURN + 1, 1, 0])
})
