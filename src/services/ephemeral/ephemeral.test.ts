/** What typing and presence keep in memory, how much of it, and what gives way when there is too much. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Clock, realWorld } from '#/base/world.ts'
import type { ReceiptRow } from '#/ports/store/receipts.ts'
import type { Store } from '#/ports/store/store.ts'
import { ManualWorld } from '../../../tests/support/manual-world.ts'
import {
  PRESENCE_DEVICES_MAX,
  PRESENCE_GATHER_MS,
  PRESENCE_GATHER_MS_MAX,
  PRESENCE_LATE_MS,
  PRESENCE_PER_ANSWER_MAX,
  RECENT_RECEIPTS_PER_ROOM,
  TYPING_CHANGES_MAX,
  TYPING_PER_ROOM_MAX,
  TYPING_ROOMS_MAX,
} from './limits.ts'
import { PRESENCE_DEFAULTS, Presence, type PresenceNews, type UserRooms } from './presence.ts'
import { UserPresence } from './presence-state.ts'
import { receiptContents } from './receipt-content.ts'
import { RecentReceipts } from './recent-receipts.ts'
import { Typing } from './typing.ts'
import { ChangeLog, EphemeralVersions } from './versions.ts'

const store = { onChange: () => () => {} } as unknown as Store
const versions = (): EphemeralVersions => new EphemeralVersions(realWorld.rng)
const { times } = PRESENCE_DEFAULTS

function typing(world = new ManualWorld()): Typing {
  return new Typing({ store, clock: world.clock, versions: versions() })
}

function presence(clock: Clock, count = versions()): Presence {
  return new Presence({ store, clock, versions: count, options: PRESENCE_DEFAULTS })
}

const inRooms = (...rooms: number[]): UserRooms =>
  new Map(rooms.map((room) => [room, { roomId: `!${room}:x`, membership: 'join' }]))

test('a log of changes knows from where on it is whole', () => {
  const log = new ChangeLog<string>(2)
  for (const [version, key] of [
    [1, 'a'],
    [2, 'b'],
    [3, 'a'],
    [4, 'c'],
  ] as const) {
    log.push(version, key)
  }
  assert.deepEqual([...log.since(0)!].sort(), ['a', 'b', 'c'])
  assert.deepEqual([...log.since(3)!], ['c'])
  log.push(5, 'd')
  assert.equal(log.since(1), undefined)
  assert.deepEqual([...log.since(2)!].sort(), ['a', 'c', 'd'])
})

test('what was seen in another life of the server is nothing, but that somebody typed', () => {
  const count = versions()
  count.next()
  const { life } = count
  assert.equal(count.seenOf({ life, version: 1, typing: true }), 1)
  assert.equal(count.seenOf({ life, version: 7, typing: false }), 1, 'not more than there was')
  assert.equal(count.seenOf({ life: life + 1, version: 1, typing: false }), 0)
  assert.equal(count.seenOf({ life: life + 1, version: 1, typing: true }), -1)
  assert.equal(count.seenOf(undefined), 0)
})

test('too many who type in one room: the first make room', () => {
  const rooms = typing()
  for (let i = 0; i < TYPING_PER_ROOM_MAX + 2; i++) rooms.put(1, `@${i}:x`, 1000)
  const { user_ids: users } = JSON.parse(rooms.of(1).content)
  assert.deepEqual([users.length, users[0]], [TYPING_PER_ROOM_MAX, '@2:x'])
  rooms.close()
})

test('too many rooms with typing users: further ones are left out, until others end', async () => {
  const world = new ManualWorld()
  const rooms = typing(world)
  for (let room = 1; room <= TYPING_ROOMS_MAX + 1; room++) rooms.put(room, '@a:x', 1000)
  assert.equal(rooms.of(TYPING_ROOMS_MAX + 1).version, 0)
  rooms.remove(1, '@a:x')
  rooms.put(TYPING_ROOMS_MAX + 1, '@a:x', 1000)
  assert.ok(rooms.of(TYPING_ROOMS_MAX + 1).version > 0)
  rooms.close()
  assert.equal(world.next, undefined, 'no timer is left')
})

test('a client far behind is told of all its rooms', () => {
  const rooms = typing()
  const mine = inRooms(1, 2)
  rooms.put(1, '@a:x', 1000)
  assert.deepEqual(rooms.changedSince(0, mine), [1])
  for (let i = 0; i < TYPING_CHANGES_MAX + 1; i++) {
    rooms.put(3, '@b:x', 1000)
    rooms.remove(3, '@b:x')
  }
  assert.deepEqual(rooms.changedSince(0, mine), [1, 2])
  rooms.close()
})

test('devices add up to the most present, each with a time of its own', () => {
  const user = new UserPresence()
  user.device('phone', 0, 'unavailable')
  user.device('desk', 0, 'online')
  assert.equal(user.update(0, times), true)
  assert.deepEqual([user.state, user.currentlyActive], ['online', true])
  assert.equal(user.update(1, times), false)
  user.syncing('phone', 1, 10)
  assert.equal(user.update(times.onlineMs, times), true)
  assert.equal(user.state, 'unavailable', 'the desk is gone, the phone still asks')
  assert.equal(user.update(times.onlineMs * 9, times), false)
  user.syncing('phone', -1, times.onlineMs * 9)
  assert.equal(user.update(times.onlineMs * 10, times), true)
  assert.deepEqual([user.state, user.atRest], ['offline', true])
})

test('a user of endless devices keeps the newest', () => {
  const user = new UserPresence()
  for (let i = 0; i < PRESENCE_DEVICES_MAX + 10; i++) user.device(`d${i}`, i, 'online')
  assert.deepEqual(
    [user.stateOf('d0'), user.stateOf('d9'), user.stateOf('d10')],
    [undefined, undefined, 'online'],
  )
})

test('who is invisible stays it, whatever they do', () => {
  const user = new UserPresence()
  user.device('phone', 0, 'offline')
  user.activity('phone', 5)
  user.update(5, times)
  assert.equal(user.state, 'offline')
})

test('many changes are told at once; where timers come late, later', async () => {
  const world = new ManualWorld()
  let late = 0
  const clock: Clock = { ...world.clock, monotonic: () => world.time + late }
  const all = presence(clock)
  const news: PresenceNews[] = []
  all.onNews((each) => news.push(each))
  const flap = (): void => {
    for (let i = 0; i < 10; i++) {
      const who = { userId: `@${i}:x`, rooms: inRooms(i % 3) }
      all.set(who, 'D', 'online', `${world.time}`)
    }
  }
  flap()
  await world.pass(PRESENCE_GATHER_MS)
  assert.equal(news.length, 1)
  assert.deepEqual([...news[0]!.rooms].sort(), [0, 1, 2])
  /* The clock runs on while the timer waits. */
  for (let pause = PRESENCE_GATHER_MS; pause < PRESENCE_GATHER_MS_MAX; pause *= 2) {
    flap()
    late += PRESENCE_LATE_MS + 1
    await world.pass(pause)
  }
  const before = news.length
  flap()
  await world.pass(PRESENCE_GATHER_MS)
  assert.equal(news.length, before, 'it takes longer now')
  await world.pass(PRESENCE_GATHER_MS_MAX)
  assert.equal(news.length, before + 1)
  all.close()
})

test('the presence of a whole town comes in one answer of bounded size, the newest first', async () => {
  const world = new ManualWorld()
  const all = presence(world.clock)
  const town = PRESENCE_PER_ANSWER_MAX + 50
  for (let i = 0; i < town; i++) {
    all.set({ userId: `@${i}:x`, rooms: inRooms(1) }, 'D', 'online', undefined)
  }
  const reader = { userId: '@reader:x', rooms: inRooms(1, 2) }
  const seen = await all.seenBy(reader, undefined, new Set())
  assert.deepEqual([seen.length, seen[0]?.userId], [PRESENCE_PER_ANSWER_MAX, `@${town - 1}:x`])
  const apart = { userId: '@apart:x', rooms: inRooms(3) }
  assert.deepEqual(await all.seenBy(apart, undefined, new Set()), [])
  all.close()
  assert.equal(world.next, undefined, 'no timer is left')
})

const receipt = (position: number, more: Partial<ReceiptRow> = {}): ReceiptRow => ({
  room: 1,
  user: '@a:x',
  kind: 'm.read',
  thread: '',
  eventId: `$${position}`,
  event: position,
  ts: 1,
  position,
  ...more,
})

test('recent receipts answer only what they hold whole, and each reader and thread once', () => {
  const recent = new RecentReceipts()
  recent.push(receipt(5))
  recent.push(receipt(6, { user: '@b:x' }))
  recent.push(receipt(7))
  const positions = (after: number, upto = 99) => recent.since(1, after, upto)?.map((row) => row.position)
  assert.deepEqual(positions(4), [7, 6])
  assert.deepEqual([positions(6), positions(7), positions(3)], [[7], [], undefined])
  assert.deepEqual(positions(4, 6), [6])
  assert.equal(recent.since(2, 50, 60), undefined)
  for (let i = 0; i < RECENT_RECEIPTS_PER_ROOM; i++) recent.push(receipt(10 + i, { user: `@u${i}:x` }))
  assert.deepEqual([positions(6), positions(7)?.length], [undefined, RECENT_RECEIPTS_PER_ROOM])
})

test('receipts of one user for one event in several threads come in several contents', () => {
  const rows = [receipt(1), receipt(2, { eventId: '$1', thread: 'main' }), receipt(3, { user: '__proto__' })]
  assert.deepEqual(JSON.parse(JSON.stringify(receiptContents(rows))), [
    { $1: { 'm.read': { '@a:x': { ts: 1 } } }, $3: { 'm.read': JSON.parse('{"__proto__":{"ts":1}}') } },
    { $1: { 'm.read': { '@a:x': { ts: 1, thread_id: 'main' } } } },
  ])
  assert.deepEqual(receiptContents([]), [])
})
