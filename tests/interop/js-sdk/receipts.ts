import assert from 'node:assert/strict'
import { NotificationCountType, ReceiptType } from 'matrix-js-sdk'
import { type Person, roomOf, type Stage } from './person.ts'

/** Receipts that all see, receipts that only one's own devices see, and the marker of what was read in full. */
export async function receipts(stage: Stage): Promise<void> {
  const rosa = await stage.enter('rosa')
  const remy = await stage.enter('remy')
  const second = await stage.another(remy)
  const roomId = await roomOf(rosa, [remy])
  const ids: string[] = []
  for (let i = 0; i < 4; i++) ids.push(await rosa.say(roomId, `line ${i}`))
  const [one = '', two = '', three = '', four = ''] = ids
  await second.event(roomId, four)
  const unread = () => second.room(roomId).getRoomUnreadNotificationCount(NotificationCountType.Total)
  await second.sees('four unread lines', () => unread() === 4)

  await remy.client.sendReadReceipt(await remy.event(roomId, one))
  const readers = (id: string) => rosa.room(roomId).getUsersReadUpTo(rosa.room(roomId).findEventById(id)!)
  await rosa.sees('who read the first line', () => readers(one).includes(remy.userId))
  await second.sees('three unread lines', () => unread() === 3)

  await remy.client.sendReadReceipt(await remy.event(roomId, three), ReceiptType.ReadPrivate)
  await second.sees('one unread line', () => unread() === 1)
  assert.equal(second.room(roomId).getEventReadUpTo(remy.userId), three)
  assert.equal(privateReceipt(second, roomId, remy.userId), three)

  /* What comes after it in the room came after it in the answers, too: nothing of it is on its way any more. */
  const five = await rosa.say(roomId, 'line 4')
  await rosa.event(roomId, five)
  assert.equal(rosa.room(roomId).getEventReadUpTo(remy.userId), one, 'a private receipt stays private')
  assert.equal(privateReceipt(rosa, roomId, remy.userId), undefined)

  const fourth = await remy.event(roomId, four)
  await remy.client.setRoomReadMarkers(roomId, two, fourth)
  const marker = () => second.room(roomId).getAccountData('m.fully_read')?.getContent()['event_id']
  await second.sees('the marker', () => marker() === two)
  await rosa.sees('who read the fourth line', () => readers(four).includes(remy.userId))
  await typing(remy, rosa, roomId)
}

function privateReceipt(person: Person, roomId: string, of: string): string | undefined {
  return person.room(roomId).getReadReceiptForUserId(of, true, ReceiptType.ReadPrivate)?.eventId
}

async function typing(writer: Person, reader: Person, roomId: string): Promise<void> {
  const isTyping = () => reader.room(roomId).getMember(writer.userId)?.typing
  await writer.client.sendTyping(roomId, true, 20_000)
  await reader.sees('somebody typing', () => isTyping() === true)
  await writer.client.sendTyping(roomId, false, 0)
  await reader.sees('that nobody types', () => isTyping() === false)
}
