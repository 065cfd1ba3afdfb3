import assert from 'node:assert/strict'
import { NotificationCountType } from 'matrix-js-sdk'
import { type MSC3575List, SlidingSync } from 'matrix-js-sdk/lib/sliding-sync.js'
import type { LiveServer } from '../../support/live-server.ts'
import { ENCRYPTED, type Person, type Stage } from './person.ts'

const ROOMS = 7
const WINDOW = 3
const POLL_MS = 5_000

/** The list of rooms of the SDK's own sliding sync, which grows, and a room that is looked at. */
export async function sliding(stage: Stage): Promise<void> {
  const sam = await stage.enterEncrypted('sam')
  const slid = await (await stage.person('slid')).encrypted()
  const rooms: string[] = []
  for (let i = 0; i < ROOMS; i++) {
    const { room_id: roomId } = await sam.client.createRoom({ name: `room ${i}`, invite: [slid.userId] })
    await slid.client.joinRoom(roomId)
    await sam.say(roomId, `first words ${i}`)
    rooms.push(roomId)
  }
  const sync = slidingSync(stage.server, slid)
  const known = () => slid.client.getRooms().map(({ roomId }) => roomId)
  await slid.start({ slidingSync: sync })
  assert.equal(sync.getListData('all')?.joinedCount, ROOMS)
  assert.deepEqual(new Set(known()), new Set(rooms.slice(-WINDOW)), 'the window alone')

  sync.setListRanges('all', [[0, 99]])
  await slid.sees('all rooms', () => known().length === ROOMS)
  const [quiet = ''] = rooms
  assert.equal(slid.room(quiet).name, 'room 0')
  await live(sam, slid, quiet, sync)
  await stage.server.restart('SIGTERM')
  const after = await sam.say(quiet, 'after the restart')
  await slid.event(quiet, after)
  noneTwice(slid, rooms)
  await invited(sam, slid)
}

function slidingSync(server: LiveServer, person: Person): SlidingSync {
  const required_state = [
    ['m.room.create', ''],
    ['m.room.encryption', ''],
    ['m.room.name', ''],
    ['m.room.member', '$ME'],
    ['m.room.member', '$LAZY'],
  ]
  const list: MSC3575List = { ranges: [[0, WINDOW - 1]], timeline_limit: 1, required_state }
  const room = { timeline_limit: 20, required_state: [['*', '*']] }
  return new SlidingSync(server.url, new Map([['all', list]]), room, person.client, POLL_MS)
}

/** Messages, counts, receipts, typing, names and account data, all through sliding sync. */
async function live(writer: Person, reader: Person, roomId: string, sync: SlidingSync): Promise<void> {
  sync.modifyRoomSubscriptions(new Set([roomId]))
  await reader.sees('what was said before', () => {
    const types = reader
      .room(roomId)
      .getLiveTimeline()
      .getEvents()
      .map((event) => event.getType())
    return types.includes('m.room.create') && types.includes('m.room.message')
  })
  const said = await writer.say(roomId, 'new words')
  await reader.event(roomId, said)
  const unread = () => reader.room(roomId).getRoomUnreadNotificationCount(NotificationCountType.Total)
  await reader.sees('two unread', () => unread() === 2)
  await reader.client.sendReadReceipt(await reader.event(roomId, said))
  await reader.sees('nothing unread', () => unread() === 0)

  const back = await reader.say(roomId, 'and back')
  await writer.event(roomId, back)
  await writer.client.sendReadReceipt(await writer.event(roomId, back))
  await reader.sees('that it was read', () => reader.room(roomId).getEventReadUpTo(writer.userId) === back)
  await writer.client.sendTyping(roomId, true, 20_000)
  await reader.sees('somebody typing', () => reader.room(roomId).getMember(writer.userId)?.typing === true)
  await writer.client.setRoomName(roomId, 'renamed')
  await reader.sees('the new name', () => reader.room(roomId).name === 'renamed')
  await reader.client.setAccountData('test.live.data' as never, { here: true } as never)
  await reader.sees('own account data', () => {
    const event = reader.client.getAccountData('test.live.data' as never)
    return event?.getContent<{ here?: boolean }>().here === true
  })
  await reader.client.setRoomTag(roomId, 'm.favourite', {})
  await reader.sees('the tag', () => 'm.favourite' in reader.room(roomId).tags)
}

/** An invitation to an encrypted room; keys travel through the extensions. */
async function invited(host: Person, guest: Person): Promise<void> {
  const options = { name: 'party', invite: [guest.userId], initial_state: [ENCRYPTED] }
  const { room_id: roomId } = await host.client.createRoom(options)
  const membership = () => guest.client.getRoom(roomId)?.getMyMembership()
  await guest.sees('the invitation', () => membership() === 'invite')
  await guest.client.joinRoom(roomId)
  await guest.sees('the room joined', () => membership() === 'join')
  await host.sees(
    'the guest',
    () => host.client.getRoom(roomId)?.getMember(guest.userId)?.membership === 'join',
  )
  await guest.reads(roomId, await host.say(roomId, 'welcome'), 'welcome')
  await host.reads(roomId, await guest.say(roomId, 'thanks'), 'thanks')
}

function noneTwice(person: Person, rooms: readonly string[]): void {
  for (const roomId of rooms) {
    const ids = person
      .room(roomId)
      .getLiveTimeline()
      .getEvents()
      .map((event) => event.getId())
    assert.equal(new Set(ids).size, ids.length, `twice in ${roomId}: ${ids}`)
  }
}
