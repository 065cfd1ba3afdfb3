import assert from 'node:assert/strict'
import { ClientEvent, NotificationCountType, ReceiptType, RoomEvent } from 'matrix-js-sdk'
import { M_POLL_KIND_DISCLOSED } from 'matrix-js-sdk/lib/@types/polls.js'
import { makeLocationContent } from 'matrix-js-sdk/lib/content-helpers.js'
import { PollEndEvent } from 'matrix-js-sdk/lib/extensible_events_v1/PollEndEvent.js'
import { PollResponseEvent } from 'matrix-js-sdk/lib/extensible_events_v1/PollResponseEvent.js'
import { PollStartEvent } from 'matrix-js-sdk/lib/extensible_events_v1/PollStartEvent.js'
import { type Person, roomOf, type Stage } from './person.ts'

/** What people do besides talking: polls, calls, places, pinned messages, direct chats, ignoring, reading quietly. */
export async function everyday(stage: Stage): Promise<void> {
  const eva = await stage.person('eva')
  await eva.start({ pendingEventOrdering: 'detached' as never })
  const egon = await stage.enter('egon')
  const roomId = await roomOf(eva, [egon], { name: 'Kitchen' })
  await poll(eva, egon, roomId)
  await call(eva, egon, roomId)
  await place(eva, egon, roomId)
  await pinned(eva, egon, roomId)
  await readQuietly(eva, egon, roomId)
  await direct(eva, egon)
  await ignored(eva, egon, roomId)
  await movedOn(eva, egon, roomId)
}

type Sendable = { type: string; content: object }

const send = async (person: Person, roomId: string, { type, content }: Sendable): Promise<string> =>
  (await person.client.sendEvent(roomId, type as never, content as never)).event_id

async function poll(asks: Person, answers: Person, roomId: string): Promise<void> {
  const start = PollStartEvent.from('Tea?', ['yes', 'no'], M_POLL_KIND_DISCLOSED)
  const pollId = await send(asks, roomId, start.serialize())
  await answers.sees('the poll', () => answers.room(roomId).polls.has(pollId))
  const choice = [start.answers[0]!.id]
  await send(answers, roomId, PollResponseEvent.from(choice, pollId).serialize())
  const responses = await asks.room(roomId).polls.get(pollId)!.getResponses()
  await asks.sees('the answer', () => responses.getRelations().length === 1)
  await send(asks, roomId, PollEndEvent.from(pollId, 'yes').serialize())
  await answers.sees('its end', () => answers.room(roomId).polls.get(pollId)!.isEnded)
}

async function call(calls: Person, called: Person, roomId: string): Promise<void> {
  const seen: string[] = []
  called.client.on(RoomEvent.Timeline, (event) => void seen.push(event.getType()))
  const common = { call_id: 'c', party_id: 'p', version: '1' }
  const offer = { ...common, lifetime: 60_000, offer: { type: 'offer', sdp: 'v=0' } }
  await send(calls, roomId, { type: 'm.call.invite', content: offer })
  await send(calls, roomId, { type: 'm.call.candidates', content: { ...common, candidates: [] } })
  await send(calls, roomId, { type: 'm.call.hangup', content: { ...common, reason: 'user_hangup' } })
  await called.sees('the end of the call', () => seen.includes('m.call.hangup'))
  const calling = seen.filter((type) => type.startsWith('m.call.'))
  assert.deepEqual(calling, ['m.call.invite', 'm.call.candidates', 'm.call.hangup'])
}

async function place(shows: Person, sees: Person, roomId: string): Promise<void> {
  const content = makeLocationContent(undefined, 'geo:51.5,-0.1', 1, 'here')
  const event = await sees.event(roomId, await send(shows, roomId, { type: 'm.room.message', content }))
  assert.equal(event.getContent()['geo_uri'], 'geo:51.5,-0.1')
}

async function pinned(host: Person, guest: Person, roomId: string): Promise<void> {
  const type = 'm.room.pinned_events' as never
  const eventId = await host.say(roomId, 'the bins go out on Monday')
  await host.client.sendStateEvent(roomId, type, { pinned: [eventId] } as never)
  const pins = (): unknown => guest.room(roomId).currentState.getStateEvents(type, '')?.getContent()['pinned']
  await guest.sees('what is pinned', () => (pins() as string[] | undefined)?.[0] === eventId)
  await assert.rejects(guest.client.sendStateEvent(roomId, type, { pinned: [] } as never), {
    errcode: 'M_FORBIDDEN',
  })
}

/** Counts fall, the marker moves, and nobody else learns of it until it is said in public. */
async function readQuietly(writer: Person, reader: Person, roomId: string): Promise<void> {
  const content = { msgtype: 'm.text', body: 'you', 'm.mentions': { user_ids: [reader.userId] } }
  const event = await reader.event(roomId, await send(writer, roomId, { type: 'm.room.message', content }))
  const eventId = event.getId()!
  const room = reader.room(roomId)
  const unread = (kind: NotificationCountType) => room.getRoomUnreadNotificationCount(kind)
  await reader.sees('the mention', () => unread(NotificationCountType.Highlight) === 1)
  await reader.client.setRoomReadMarkers(roomId, eventId, undefined, event)
  await reader.sees('nothing unread', () => unread(NotificationCountType.Total) === 0)
  const marker = (): unknown => room.getAccountData('m.fully_read')?.getContent()['event_id']
  await reader.sees('the marker', () => marker() === eventId)
  /* Whoever has the next message has all that came before it. */
  await writer.event(roomId, await reader.say(roomId, 'hm'))
  const known = () =>
    writer.room(roomId).getReadReceiptForUserId(reader.userId, true, ReceiptType.Read)?.eventId
  assert.notEqual(known(), eventId, 'a private receipt is private')
  await reader.client.setRoomReadMarkers(roomId, eventId, event)
  await writer.sees('the public receipt', () => known() === eventId)
}

async function direct(host: Person, guest: Person): Promise<void> {
  const { room_id: roomId } = await host.client.createRoom({
    preset: 'trusted_private_chat' as never,
    is_direct: true,
    invite: [guest.userId],
  })
  await guest.sees('the invitation', () => guest.client.getRoom(roomId)?.getMyMembership() === 'invite')
  assert.equal(guest.room(roomId).getDMInviter(), host.userId)
  assert.equal(guest.room(roomId).name, 'eva', 'named after who invites')
  const invitation = guest.room(roomId).getMember(guest.userId)?.events.member
  assert.ok((invitation?.getTs() ?? 0) > 1_600_000_000_000, 'the invitation has a date')
  await guest.client.joinRoom(roomId)
}

async function ignored(speaks: Person, deaf: Person, roomId: string): Promise<void> {
  await deaf.client.setIgnoredUsers([speaks.userId])
  await deaf.sees('whom it ignores', () => deaf.client.isUserIgnored(speaks.userId))
  const unheard = await speaks.say(roomId, 'hello?')
  await deaf.event(roomId, await deaf.say(roomId, 'so quiet here'))
  assert.equal(deaf.room(roomId).findEventById(unheard), undefined)
  await deaf.client.setIgnoredUsers([])
}

/** Leaves for good, knocks, and is let in again. */
async function movedOn(host: Person, guest: Person, roomId: string): Promise<void> {
  await guest.client.leave(roomId)
  const gone = new Promise<void>((done) => {
    guest.client.on(ClientEvent.DeleteRoom, (id) => void (id === roomId && done()))
  })
  await guest.client.forget(roomId)
  await gone
  await host.client.sendStateEvent(roomId, 'm.room.join_rules' as never, { join_rule: 'knock' } as never)
  await guest.client.knockRoom(roomId, { reason: 'me again' })
  const membership = () => host.room(roomId).getMember(guest.userId)?.membership
  await host.sees('who knocks', () => membership() === 'knock')
  await host.client.invite(roomId, guest.userId)
  await guest.sees('the invitation', () => guest.client.getRoom(roomId)?.getMyMembership() === 'invite')
  await guest.client.joinRoom(roomId)
  await host.sees('the guest back', () => membership() === 'join')
}
