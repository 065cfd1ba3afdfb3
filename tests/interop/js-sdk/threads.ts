import assert from 'node:assert/strict'
import {
  type IThreadBundledRelationship,
  NotificationCountType,
  RelationType,
  type Room,
} from 'matrix-js-sdk'
import { within } from '../conversation.ts'
import { type Person, roomOf, type Stage } from './person.ts'

const { Total, Highlight } = NotificationCountType
const REPLIES = 3

/** Threads: replies, list, counts of their own, receipts of their own. */
export async function threads(stage: Stage): Promise<void> {
  const tess = await stage.enter('tess')
  const theo = await stage.enter('theo')
  const roomId = await roomOf(tess, [theo])
  const first = await tess.say(roomId, 'owls?')
  const second = await tess.say(roomId, 'or larks?')
  const replies: string[] = []
  for (let i = 0; i < REPLIES; i++) replies.push(await tess.say(roomId, `owls, reason ${i}`, first))
  const last = replies.at(-1) ?? ''
  await inTheThread(theo, roomId, first, replies)
  await countsAndReceipts(stage, { reader: theo, writer: tess }, roomId, { first, second, last })
  await theo.say(roomId, 'larks, since they sing', second)
  await listed(theo, roomId, [second, first], [second])
  const later = await stage.another(tess)
  await afterwards(later, roomId, { first, second }, replies)
}

/** The reply is in the thread and not in the room's own timeline. */
async function inTheThread(
  person: Person,
  roomId: string,
  first: string,
  replies: readonly string[],
): Promise<void> {
  await person.sees('the whole thread', () => {
    const ids =
      person
        .room(roomId)
        .getThread(first)
        ?.events.map((event) => event.getId()) ?? []
    return replies.every((id) => ids.includes(id))
  })
  const live = person.room(roomId).getLiveTimeline().getEvents()
  assert.ok(live.some((event) => event.getId() === first))
  assert.ok(
    !live.some((event) => replies.includes(event.getId() ?? '')),
    'a reply is not in the main timeline',
  )
}

async function countsAndReceipts(
  stage: Stage,
  { reader, writer }: { reader: Person; writer: Person },
  roomId: string,
  ids: { first: string; second: string; last: string },
): Promise<void> {
  const room = reader.room(roomId)
  const ofThread = () => room.getThreadUnreadNotificationCount(ids.first, Total)
  const ofRoom = () => room.getRoomUnreadNotificationCount(Total)
  await reader.sees('what is unread', () => ofThread() === REPLIES && ofRoom() === 2)
  assert.equal(room.getThreadUnreadNotificationCount(ids.first, Highlight), 0)

  await reader.client.sendReadReceipt(await reader.event(roomId, ids.last))
  const other = await stage.another(reader)
  try {
    const elsewhere = other.room(roomId)
    assert.equal(elsewhere.getThreadUnreadNotificationCount(ids.first, Total), 0, 'the thread is read')
    assert.equal(elsewhere.getRoomUnreadNotificationCount(Total), 2, 'the room is not')
    await reader.client.sendReadReceipt(await reader.event(roomId, ids.second))
    await other.sees('that the room is read', () => elsewhere.getRoomUnreadNotificationCount(Total) === 0)
    const again = await writer.say(roomId, 'owls, one more reason', ids.first)
    await other.sees('one reply', () => elsewhere.getThreadUnreadNotificationCount(ids.first, Total) === 1)
    assert.equal(elsewhere.getRoomUnreadNotificationCount(Total), 0)
    await writer.sees('how far the thread is read', () => {
      const thread = writer.room(roomId).getThread(ids.first)
      return thread?.getEventReadUpTo(reader.userId) === ids.last
    })
    await reader.client.sendReadReceipt(await reader.event(roomId, again))
  } finally {
    other.stop()
  }
}

/** Most recently answered first; the second list holds those in which the person took part. */
async function listed(
  person: Person,
  roomId: string,
  all: readonly string[],
  own: readonly string[],
): Promise<void> {
  const room = person.room(roomId)
  const sets = await within('the lists of threads', room.createThreadsTimelineSets())
  assert.ok(sets)
  await within('the threads of the room', room.fetchRoomThreads())
  const ids = sets.map((set) =>
    set
      .getLiveTimeline()
      .getEvents()
      .map((event) => event.getId()),
  )
  assert.deepEqual(ids, [all.toReversed(), own])
}

/** A device that comes later learns of the threads from their first events. */
async function afterwards(
  person: Person,
  roomId: string,
  { first, second }: { first: string; second: string },
  replies: readonly string[],
): Promise<void> {
  const room = person.room(roomId)
  await person.sees('both threads', () => room.getThread(first) !== null && room.getThread(second) !== null)
  assert.equal(bundle(room, first)?.count, REPLIES + 1)
  const { events } = await person.client.relations(roomId, first, RelationType.Thread, null, { limit: 2 })
  assert.equal(events.length, 2)
  const related = await person.client.relations(roomId, first, RelationType.Thread, null, { limit: 50 })
  assert.deepEqual(
    related.events
      .map((event) => event.getId())
      .slice(1)
      .toReversed(),
    replies,
  )
  assert.equal(bundle(room, second)?.current_user_participated, true, 'it began with their own words')
  assert.equal(bundle(room, second)?.latest_event.content?.['body'], 'larks, since they sing')
}

/** What the server says of a thread. The client's own count is doubled for a while where both come at once. */
function bundle(room: Room, root: string): IThreadBundledRelationship | undefined {
  return room
    .findEventById(root)
    ?.getServerAggregatedRelation<IThreadBundledRelationship>(RelationType.Thread)
}
