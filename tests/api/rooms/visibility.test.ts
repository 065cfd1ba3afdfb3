/**
 * Every way of reading against one small model of who may see an event: history visibility at the event and now,
 * the reader's story, full account or guest (§5.11, adv-48, adv-51, adv-54, adv-55).
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Answer, type ApiClient, type Json, withQuery } from '../../support/api-client.ts'
import { relationsUrl, reply } from '../../support/relation-calls.ts'
import {
  createRoom,
  eventIds,
  inRoom,
  invite,
  join,
  leave,
  messages,
  say,
  setState,
  sync,
  V3,
  verdict,
} from '../../support/room-calls.ts'
import { sliding } from '../../support/sliding-calls.ts'
import { TestServer } from '../../support/test-server.ts'

const VISIBILITIES = ['world_readable', 'shared', 'invited', 'joined'] as const
type Visibility = (typeof VISIBILITIES)[number]
type Membership = 'join' | 'invite' | 'leave' | 'ban' | 'knock'

/** What a reader did before the event, and after it. */
interface Story {
  readonly before: readonly Membership[]
  readonly after: readonly Membership[]
}

const STORIES: Readonly<Record<string, Story>> = {
  stranger: { before: [], after: [] },
  member: { before: ['join'], after: [] },
  latecomer: { before: [], after: ['join'] },
  invited: { before: ['invite'], after: [] },
  accepted: { before: ['invite'], after: ['join'] },
  leaver: { before: ['join'], after: ['leave'] },
  gone: { before: ['join', 'leave'], after: [] },
  returned: { before: ['join', 'leave'], after: ['join'] },
  recalled: { before: ['join', 'leave', 'invite'], after: [] },
  refuser: { before: ['invite'], after: ['leave'] },
  banned: { before: ['join'], after: ['ban'] },
  outlaw: { before: ['join', 'ban'], after: [] },
  kickban: { before: ['join'], after: ['leave', 'ban'] },
  barred: { before: ['ban'], after: [] },
  knocker: { before: ['knock'], after: [] },
}

/** The model: the rules of the specification, and who may read a room at all. */
interface Expected {
  /** Whether the event may be seen. */
  readonly event: boolean
  /** Whether state and history of the room may be asked for. */
  readonly room: boolean
  /** Whether the event lies within the time that an answer without a token covers. */
  readonly covered: boolean
  readonly joined: boolean
}

function expectedOf({ before, after }: Story, then: Visibility, now: Visibility): Expected {
  const atEvent = before.at(-1) ?? 'leave'
  const present = after.at(-1) ?? atEvent
  const joinedLater = atEvent === 'join' || after.includes('join')
  const everJoined = before.includes('join') || after.includes('join')
  const joined = present === 'join'
  const gone = present === 'leave' || present === 'ban'
  return {
    event:
      then === 'world_readable' ||
      atEvent === 'join' ||
      (then === 'shared' && joinedLater) ||
      (then === 'invited' && atEvent === 'invite'),
    room: joined || now === 'world_readable' || (gone && everJoined),
    covered: joined || now === 'world_readable' || joinedLater,
    joined,
  }
}

let server: TestServer
let alice: ApiClient
const readers = new Map<string, ApiClient>()
before(async () => {
  server = await TestServer.start()
  alice = await server.user('alice')
  for (const name of Object.keys(STORIES)) {
    readers.set(name, await server.user(name))
    const guest = server.anonymous()
    guest.become(await guest.post(`${V3}/register?kind=guest`))
    readers.set(`guest ${name}`, guest)
  }
})
after(() => server.close())

async function act(roomId: string, who: ApiClient, membership: Membership): Promise<void> {
  if (membership === 'join') await join(who, roomId)
  else if (membership === 'leave') await leave(who, roomId)
  else if (membership === 'invite') await invite(alice, roomId, who)
  else if (membership === 'ban') await alice.post(inRoom(roomId, 'ban'), { user_id: who.userId })
  else await setState(who, roomId, 'm.room.member', { membership }, who.userId)
}

const visibility = (roomId: string, value: Visibility): Promise<string> =>
  setState(alice, roomId, 'm.room.history_visibility', { history_visibility: value })
const joinRule = (roomId: string, rule: string): Promise<string> =>
  setState(alice, roomId, 'm.room.join_rules', { join_rule: rule })
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 2))

interface Scene {
  readonly roomId: string
  readonly eventId: string
  /** Another event, sent right after it, that refers to it. */
  readonly relation: string
  readonly word: string
  /** A token of sync from before the event, and one of paging from behind it. */
  readonly before: string
  readonly behind: string
  /** Whether the room's visibility stayed as it was. */
  readonly steady: boolean
}

/** Plays all stories around one event in one room. */
async function play(then: Visibility, now: Visibility, names: readonly string[]): Promise<Scene> {
  const roomId = await createRoom(alice, { preset: 'public_chat' })
  await setState(alice, roomId, 'm.room.guest_access', { guest_access: 'can_join' })
  await visibility(roomId, then)
  const storyOf = (name: string): Story => STORIES[name.replace('guest ', '')]!
  for (const name of names) {
    for (const step of storyOf(name).before) {
      if (step === 'knock') await joinRule(roomId, 'knock')
      await act(roomId, readers.get(name)!, step)
      if (step === 'knock') await joinRule(roomId, 'public')
    }
  }
  await pause()
  const filter = JSON.stringify({ room: { rooms: [roomId], timeline: { limit: 1 } } })
  const { next_batch } = await sync(alice, { filter })
  const word = `word${then}${now}${names.length}`.replaceAll('_', '')
  const eventId = await say(alice, roomId, word)
  const relates = { 'm.relates_to': { rel_type: 'm.reference', event_id: eventId } }
  const url = inRoom(roomId, 'send', 'org.example.related', alice.txn())
  const relation = (await alice.put(url, relates)).event_id
  await reply(alice, roomId, eventId, 'in the thread')
  const { end: behind } = await messages(alice, roomId, { dir: 'f', from: next_batch, limit: 1 })
  await pause()
  for (const name of names) {
    for (const step of storyOf(name).after) await act(roomId, readers.get(name)!, step)
  }
  if (now !== then) await visibility(roomId, now)
  return { roomId, eventId, relation, word, before: next_batch, behind, steady: now === then }
}

/** Whether an answer holds the event; undefined when it is a refusal. */
type Look = (who: ApiClient, scene: Scene) => Promise<Answer>

const get = (who: ApiClient, roomId: string, ...rest: string[]): Promise<Answer> =>
  who.call('GET', inRoom(roomId, ...rest))

const holds = (events: Json, eventId: string): boolean => eventIds(events ?? []).includes(eventId)

/** Reads of the whole room: allowed or refused, and with what of the event. */
async function checkRoomReads(
  who: ApiClient,
  scene: Scene,
  expected: Expected,
  guest: boolean,
): Promise<void> {
  const { roomId, eventId } = scene
  const allowed = expected.room ? '200' : '403 M_FORBIDDEN'
  const own = ['state', 'm.room.member', alice.userId]
  for (const rest of [
    ['state'],
    ['state', 'm.room.create'],
    ['state', 'm.room.create', ''],
    own,
    ['members'],
  ]) {
    assert.equal(verdict(await get(who, roomId, ...rest)), allowed, rest.join('/'))
  }
  const joinedMembers: Look = (reader) => get(reader, roomId, 'joined_members')
  const counted = guest ? '403 M_GUEST_ACCESS_FORBIDDEN' : expected.joined ? '200' : undefined
  const members = verdict(await joinedMembers(who, scene))
  if (counted !== undefined) assert.equal(members, counted, 'joined_members')
  else assert.ok(members === '403 M_FORBIDDEN' || (members === '200' && expected.room), 'joined_members')
  const messages = await who.call('GET', `${inRoom(roomId, 'messages')}?dir=f&limit=1000`)
  assert.equal(verdict(messages), allowed, 'messages')
  if (expected.room) assert.equal(holds(messages.json.chunk, eventId), expected.event, 'messages')
  const back = await who.call('GET', `${inRoom(roomId, 'messages')}?dir=b&limit=1000`)
  assert.equal(verdict(back), allowed, 'messages backwards')
  const newest = expected.event && expected.covered
  if (expected.room) assert.equal(holds(back.json.chunk, eventId), newest, 'messages backwards')
  const snapshot = await who.call('GET', `${inRoom(roomId, 'initialSync')}?limit=100`)
  assert.equal(verdict(snapshot), allowed, 'initialSync')
  if (expected.room) {
    const shown = expected.event && expected.covered
    assert.equal(holds(snapshot.json.messages.chunk, eventId), shown, 'initialSync')
  }
}

/** Reads of the event itself. */
async function checkEventReads(
  who: ApiClient,
  scene: Scene,
  expected: Expected,
  guest: boolean,
): Promise<void> {
  const { roomId, eventId, relation } = scene
  const single = expected.event ? '200' : '404 M_NOT_FOUND'
  assert.equal(verdict(await get(who, roomId, 'event', eventId)), single, 'event')
  const around = expected.room ? single : '403 M_FORBIDDEN'
  const context = await get(who, roomId, 'context', eventId)
  assert.equal(verdict(context), around, 'context')
  if (context.status === 200) assert.ok(holds(context.json.events_after, relation), 'context after')
  if (guest) return
  const anywhere = await who.call('GET', `${V3}/events/${encodeURIComponent(eventId)}`)
  assert.equal(verdict(anywhere), single, 'events')
  const { json: event } = await get(alice, roomId, 'event', eventId)
  const time = `${inRoom(roomId, 'timestamp_to_event').replace('/v3/', '/v1/')}?dir=f`
  const nearest = await who.call('GET', `${time}&ts=${event.origin_server_ts}`)
  if (!expected.room) assert.equal(verdict(nearest), '403 M_FORBIDDEN', 'timestamp')
  else assert.equal(nearest.json.event_id === eventId, expected.event, 'timestamp')
  await checkLists(who, scene, expected)
  await checkHandles(who, scene, expected)
}

/** What is done with an event that must be seen for it. */
async function checkHandles(who: ApiClient, { roomId, eventId }: Scene, expected: Expected): Promise<void> {
  const seen = expected.event && expected.room ? '200' : '404 M_NOT_FOUND'
  const thread = [roomId, 'thread', eventId, 'subscription'].map(encodeURIComponent).join('/')
  const subscription = `/_matrix/client/unstable/io.element.msc4306/rooms/${thread}`
  for (const method of ['PUT', 'GET', 'DELETE'] as const) {
    const answer = await who.call(method, subscription, method === 'PUT' ? {} : undefined)
    assert.equal(verdict(answer), seen, `${method} subscription of a thread`)
  }
  const report = await who.call('POST', inRoom(roomId, 'report', eventId), { reason: 'x' })
  assert.equal(verdict(report), expected.joined && expected.event ? '200' : '404 M_NOT_FOUND', 'report')
}

/** Lists in which the event may stand. */
async function checkLists(who: ApiClient, scene: Scene, expected: Expected): Promise<void> {
  const { roomId, eventId, relation, word } = scene
  const around = expected.event && expected.room
  for (const rest of [[], ['m.reference'], ['m.reference', 'org.example.related']]) {
    const { status, json } = await who.call('GET', relationsUrl(roomId, eventId, ...rest))
    assert.equal(status === 200 && holds(json.chunk, relation), around, `relations/${rest.join('/')}`)
  }
  const roots = await who.call('GET', `${inRoom(roomId, 'threads').replace('/v3/', '/v1/')}?limit=100`)
  assert.equal(verdict(roots), expected.room ? '200' : '403 M_FORBIDDEN', 'threads')
  if (expected.room) assert.equal(holds(roots.json.chunk, eventId), expected.event, 'threads')
  const body = { search_categories: { room_events: { search_term: word } } }
  const { search_categories: found } = await who.post(`${V3}/search`, body)
  const hit = (found.room_events.results ?? []).some(({ result }: Json) => result.event_id === eventId)
  if (expected.joined) assert.equal(hit, expected.event, 'search')
  else assert.ok(!hit || expected.event, 'search')
  const { notifications } = await who.get(`${V3}/notifications`, { limit: 10 })
  const told = holds(
    notifications.map(({ event }: Json) => event),
    eventId,
  )
  assert.ok(!told || expected.event, 'notifications')
}

/** The room at one time, and as a stream. */
async function checkTimes(who: ApiClient, scene: Scene, expected: Expected, guest: boolean): Promise<void> {
  const { roomId, eventId, before, behind } = scene
  const around = expected.event && expected.room
  const then = await who.call('GET', `${inRoom(roomId, 'members')}?at=${encodeURIComponent(behind)}`)
  assert.equal(verdict(then), around ? '200' : '403 M_FORBIDDEN', 'members at a time')
  const stream = await who.call(
    'GET',
    withQuery(`${V3}/events`, { room_id: roomId, from: before, timeout: 0 }),
  )
  assert.equal(verdict(stream), expected.room ? '200' : '403 M_FORBIDDEN', 'events of a room')
  const shown = expected.event && expected.covered
  if (expected.room) assert.equal(holds(stream.json.chunk, eventId), shown, 'events of a room')
  const aliases = await get(who, roomId, 'aliases')
  if (guest) assert.equal(verdict(aliases), '403 M_GUEST_ACCESS_FORBIDDEN', 'aliases')
  else if (!expected.room) assert.equal(verdict(aliases), '403 M_FORBIDDEN', 'aliases')
  if (guest) return
  const { chunk } = await who.get(`${V3}/events`, { from: before, timeout: 0 })
  assert.ok(!holds(chunk, eventId) || expected.event, 'events')
  if (!scene.steady) return
  const { rooms } = await who.get(`${V3}/initialSync`, { limit: 100, archived: true })
  const snapshot = rooms.find((room: Json) => room.room_id === roomId)
  const old = holds(snapshot?.messages?.chunk, eventId)
  if (expected.joined) assert.equal(old, expected.event, 'initialSync of all')
  else assert.ok(!old || expected.event, 'initialSync of all')
}

/** `/sync` from before the event, and sliding sync, which shows rooms that one is in. */
async function checkLaterSyncs(
  who: ApiClient,
  scene: Scene,
  expected: Expected,
  guest: boolean,
): Promise<void> {
  const { roomId, eventId, before } = scene
  const filter = JSON.stringify({ room: { rooms: [roomId], timeline: { limit: 100 } } })
  const { rooms } = await sync(who, { filter, since: before })
  const section = rooms?.join?.[roomId] ?? rooms?.leave?.[roomId]
  assert.ok(!holds(section?.timeline.events, eventId) || expected.event, 'sync since')
  if (guest) return
  const subscription = { timeline_limit: 100, required_state: [['m.room.member', '*']] }
  const answer = await sliding(who, { room_subscriptions: { [roomId]: subscription } }, { timeout: 0 })
  const room = answer.rooms[roomId]
  const seen = holds(room?.timeline, eventId)
  if (expected.joined) assert.equal(seen, expected.event, 'sliding sync')
  else assert.ok(!seen || expected.event, 'sliding sync')
  const told = [...(room?.timeline ?? []), ...(room?.required_state ?? [])]
  const others = told.filter((event: Json) => event.state_key !== who.userId)
  if (!expected.room) assert.deepEqual(others, [], 'sliding sync tells of the own membership alone')
}

/** `/sync` shows rooms that one is in, and those that one left. */
async function checkSync(who: ApiClient, { roomId, eventId }: Scene, expected: Expected): Promise<void> {
  const filter = JSON.stringify({ room: { rooms: [roomId], timeline: { limit: 100 }, include_leave: true } })
  const { rooms } = await sync(who, { filter })
  const section = rooms?.join?.[roomId] ?? rooms?.leave?.[roomId]
  assert.equal(rooms?.join?.[roomId] !== undefined, expected.joined, 'sync')
  const seen = holds(section?.timeline.events, eventId)
  if (expected.joined) assert.equal(seen, expected.event, 'sync')
  else assert.ok(!seen || expected.event, 'sync')
}

for (const then of VISIBILITIES) {
  for (const now of VISIBILITIES) {
    test(`adv-48, adv-51, adv-54 an event under ${then}, in a room that is ${now} now: every reader on every way`, async () => {
      const full = Object.keys(STORIES)
      const names = then === now ? [...full, ...full.map((name) => `guest ${name}`)] : full
      const scene = await play(then, now, names)
      for (const name of names) {
        const who = readers.get(name)!
        const guest = name.startsWith('guest ')
        const expected = expectedOf(STORIES[name.replace('guest ', '')]!, then, now)
        try {
          await checkRoomReads(who, scene, expected, guest)
          await checkEventReads(who, scene, expected, guest)
          await checkTimes(who, scene, expected, guest)
          await checkSync(who, scene, expected)
          await checkLaterSyncs(who, scene, expected, guest)
        } catch (error) {
          throw new Error(`${name}: ${(error as Error).message}`, { cause: error })
        }
      }
    })
  }
}

/** Routes that name a room or an event and are read, but tell nothing of its history or its state. */
const OTHERWISE = [
  'GET /_matrix/client/v1/room_summary/:roomIdOrAlias', // directory/cards.test.ts
  'GET /_matrix/client/v1/rooms/:roomId/hierarchy', // directory/cards.test.ts
  'GET /_matrix/client/v3/directory/list/room/:roomId', // public by its nature
  'GET /_matrix/client/v3/directory/room/:roomAlias', // public by its nature
  'GET /_matrix/client/v3/room_keys/keys/:roomId', // the reader's own
  'GET /_matrix/client/v3/room_keys/keys/:roomId/:sessionId', // the reader's own
  'GET /_matrix/client/v3/user/:userId/rooms/:roomId/account_data/:type', // the reader's own
  'GET /_matrix/client/v3/user/:userId/rooms/:roomId/tags', // the reader's own
]

/** Routes that are read in this file for every reader and every scene. */
const READ_HERE = [
  'GET /_matrix/client/unstable/io.element.msc4306/rooms/:roomId/thread/:threadRoot/subscription',
  'GET /_matrix/client/v1/rooms/:roomId/relations/:eventId',
  'GET /_matrix/client/v1/rooms/:roomId/relations/:eventId/:relType',
  'GET /_matrix/client/v1/rooms/:roomId/relations/:eventId/:relType/:eventType',
  'GET /_matrix/client/v1/rooms/:roomId/threads',
  'GET /_matrix/client/v1/rooms/:roomId/timestamp_to_event',
  'GET /_matrix/client/v3/events/:eventId',
  'GET /_matrix/client/v3/rooms/:roomId/aliases',
  'GET /_matrix/client/v3/rooms/:roomId/context/:eventId',
  'GET /_matrix/client/v3/rooms/:roomId/event/:eventId',
  'GET /_matrix/client/v3/rooms/:roomId/initialSync',
  'GET /_matrix/client/v3/rooms/:roomId/joined_members',
  'GET /_matrix/client/v3/rooms/:roomId/members',
  'GET /_matrix/client/v3/rooms/:roomId/messages',
  'GET /_matrix/client/v3/rooms/:roomId/state',
  'GET /_matrix/client/v3/rooms/:roomId/state/:eventType',
  'GET /_matrix/client/v3/rooms/:roomId/state/:eventType/',
  'GET /_matrix/client/v3/rooms/:roomId/state/:eventType/:stateKey',
]

test('every route that reads something named by a room or an event is in this table, or known not to belong', () => {
  const served = server.assembled.routes
    .filter(({ method, path }) => method === 'GET' && /:(room|event|thread)/.test(path))
    .map(({ method, path }) => `${method} ${path}`)
  assert.deepEqual(served.sort(), [...OTHERWISE, ...READ_HERE].sort())
})

test('who forgot a room sees nothing of it by any way, but what everybody may read', async () => {
  const names = ['leaver', 'gone']
  for (const then of ['shared', 'world_readable'] as const) {
    const scene = await play(then, 'shared', names)
    for (const name of names) {
      const who = readers.get(name)!
      await who.post(inRoom(scene.roomId, 'forget'))
      const nothing = { event: false, room: false, covered: false, joined: false }
      await checkRoomReads(who, scene, nothing, false)
      await checkEventReads(who, scene, nothing, false)
      await checkTimes(who, scene, nothing, false)
      await checkSync(who, scene, nothing)
    }
  }
})
