/** What the feed keeps ready: recent events of a room and changes of a user. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EventRow } from '#/ports/store/events.ts'
import { ActiveUser } from './active-user.ts'
import { LazyMembers } from './lazy-members.ts'
import { CHANGES_PER_USER, PEEKERS_MAX, RECENT_EVENTS_PER_ROOM, WAITING_PER_USER_MAX } from './limits.ts'
import { RoomWaiters } from './old/room-waiters.ts'
import { RecentEvents } from './recent-events.ts'

function row(nid: number): EventRow {
  return { nid, json: '{}' } as EventRow
}

test('recent events answer only what they hold whole', () => {
  const recent = new RecentEvents(10)
  for (const nid of [12, 15, 17]) recent.push(row(nid))
  const nids = (after: number, upto: number, limit: number) =>
    recent.newest(after, upto, limit)?.map((r) => r.nid)
  assert.deepEqual(nids(12, 17, 10), [17, 15])
  assert.deepEqual(nids(10, 16, 10), [15, 12])
  assert.deepEqual(nids(9, 17, 10), undefined, 'events between 9 and 10 are not known')
  assert.deepEqual(nids(0, 17, 2), [17, 15], 'the limit is met before the unknown begins')
  assert.deepEqual(nids(17, 17, 5), [])
})

test('recent events forget the oldest and know from where on they are whole', () => {
  const recent = new RecentEvents(0)
  for (let nid = 1; nid <= RECENT_EVENTS_PER_ROOM + 2; nid++) recent.push(row(nid))
  assert.equal(recent.newest(1, 1000, 1000), undefined)
  assert.equal(recent.newest(2, 1000, 1000)?.length, RECENT_EVENTS_PER_ROOM)
  const weight = recent.bytes
  recent.push(row(1000))
  assert.equal(recent.bytes, weight)
})

test('a user knows which rooms changed, until it is too long ago', () => {
  const user = new ActiveUser('@a:x', new Map(), 10)
  user.touch(11, 1)
  user.touch(12, 2)
  user.touch(13, 1)
  assert.deepEqual([...user.changedSince(11)!].sort(), [1, 2])
  assert.deepEqual([...user.changedSince(12)!], [1])
  assert.equal(user.changedSince(9), undefined)
  assert.deepEqual([user.hasNewsSince(9), user.hasNewsSince(12), user.hasNewsSince(13)], [true, true, false])
  for (let i = 0; i < CHANGES_PER_USER; i++) user.touch(14 + i, 3)
  assert.equal(user.changedSince(13), undefined)
})

test('changes of account data are told from those of rooms', () => {
  const user = new ActiveUser('@a:x', new Map(), 10)
  user.touch(11, 1)
  assert.equal(user.dataChangedSince(10), false)
  user.touchData(12, 0)
  assert.deepEqual(
    [user.dataChangedSince(11), user.dataChangedSince(12), user.dataChangedSince(5)],
    [true, false, true],
  )
})

test('too many peekers: the one that comes is told not to wait, once', async () => {
  const waiters = new RoomWaiters({ onChange: () => () => {} })
  const told: boolean[] = []
  const stops = Array.from({ length: PEEKERS_MAX + 1 }, (_, i) =>
    waiters.wait(i % 7, (tooMany) => told.push(tooMany === true)),
  )
  await Promise.resolve()
  assert.deepEqual(told, [true])
  for (const stop of stops) stop()
  waiters.wait(1, (tooMany) => told.push(tooMany === true))
  waiters.close()
  assert.deepEqual(told, [true, false])
})

test('too many waiting requests of one user: the oldest is answered', () => {
  const user = new ActiveUser('@a:x', new Map(), 0)
  const woken: number[] = []
  for (let i = 0; i <= WAITING_PER_USER_MAX; i++) user.wait(() => woken.push(i))
  assert.deepEqual(woken, [0])
  const stops = (): void => void woken.push(999)
  user.wait(stops)
  user.stopWaiting(stops)
  user.wake()
  assert.equal(woken.length, WAITING_PER_USER_MAX + 1, 'each but the one that stopped was woken once')
})

test('D3: what devices were told of members is forgotten for others when it weighs too much', () => {
  const members = new LazyMembers(100_000)
  const device = (name: number) => ({ userId: '@a:x', deviceId: `${name}`, since: 10 })
  for (let name = 0; name < 20; name++) {
    const told = members.of(device(name), 1)
    for (let i = 0; i < 100; i++) told.set(`@member${i}:x`, 5)
  }
  const kept = Array.from({ length: 20 }, (_, name) => name).filter(
    (name) => members.of(device(name), 1).size > 0,
  )
  assert.ok(kept.length >= 5 && kept.length <= 9, `${kept.length}`)
})
