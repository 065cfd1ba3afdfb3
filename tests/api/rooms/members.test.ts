import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ApiClient, Json, Query } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import {
  createRoom,
  getEvent,
  inRoom,
  invite,
  join,
  leave,
  roomOf,
  say,
  setState,
  sync,
  syncWith,
  V3,
} from '../../support/room-calls.ts'
import { TestServer } from '../../support/test-server.ts'

covers(
  'GET /_matrix/client/v3/rooms/{roomId}/members',
  'GET /_matrix/client/v3/rooms/{roomId}/joined_members',
  'GET /_matrix/client/v3/rooms/{roomId}/event/{eventId}',
)

let server: TestServer
let alice: ApiClient
let bob: ApiClient
let carol: ApiClient
before(async () => {
  server = await TestServer.start()
  alice = await server.user('alice')
  bob = await server.user('bob')
  carol = await server.user('carol')
})
after(() => server.close())

/** `user membership` of each member event, sorted. */
async function members(who: ApiClient, roomId: string, query: Query = {}): Promise<string[]> {
  const { chunk } = await who.get(inRoom(roomId, 'members'), query)
  return chunk.map((event: Json) => `${event.state_key} ${event.content.membership}`).sort()
}

const is = (who: ApiClient, membership: string): string => `${who.userId} ${membership}`

test('members gives the member events of all memberships', async () => {
  const roomId = await roomOf([alice, bob])
  await invite(alice, roomId, carol)
  assert.deepEqual(
    await members(bob, roomId),
    [is(alice, 'join'), is(bob, 'join'), is(carol, 'invite')].sort(),
  )
})

test('membership and not_membership choose; both together are an "or"', async () => {
  const roomId = await roomOf([alice, bob])
  await invite(alice, roomId, carol)
  await leave(bob, roomId)
  assert.deepEqual(await members(alice, roomId, { membership: 'invite' }), [is(carol, 'invite')])
  assert.deepEqual(await members(alice, roomId, { not_membership: 'leave' }), [
    is(alice, 'join'),
    is(carol, 'invite'),
  ])
  assert.deepEqual(await members(alice, roomId, { membership: 'leave', not_membership: 'invite' }), [
    is(alice, 'join'),
    is(bob, 'leave'),
  ])
  assert.deepEqual(await members(alice, roomId, { membership: 'ban' }), [])
})

test('a membership that does not exist is refused', async () => {
  const roomId = await roomOf([alice])
  await alice.refused('400 M_INVALID_PARAM', 'GET', `${inRoom(roomId, 'members')}?membership=guest`)
})

test('at gives the members of that time, by tokens of sync and by prev_batch', async () => {
  const roomId = await roomOf([alice])
  await say(alice, roomId, 'alone')
  const then = await syncWith(alice, { room: { timeline: { limit: 1 } } })
  await join(bob, roomId)
  await invite(alice, roomId, carol)
  assert.deepEqual(await members(alice, roomId, { at: then.next_batch }), [is(alice, 'join')])
  const { prev_batch } = then.rooms.join[roomId].timeline
  assert.deepEqual(await members(alice, roomId, { at: prev_batch }), [is(alice, 'join')])
  const now = await sync(alice, { since: then.next_batch })
  assert.deepEqual(
    await members(alice, roomId, { at: now.next_batch }),
    [is(alice, 'join'), is(bob, 'join'), is(carol, 'invite')].sort(),
  )
})

test('at a token that is not ours is refused', async () => {
  const roomId = await roomOf([alice])
  for (const at of ['x', 's9_1', 't1']) {
    await alice.refused('400 M_INVALID_PARAM', 'GET', `${inRoom(roomId, 'members')}?at=${at}`)
  }
})

test('members of a time of which one may see nothing are refused (adv-51)', async () => {
  const hidden = { type: 'm.room.history_visibility', content: { history_visibility: 'joined' } }
  const dora = await server.user('dora')
  const roomId = await roomOf([alice, dora], { initial_state: [hidden] })
  await say(alice, roomId, 'hidden')
  const { next_batch } = await sync(alice)
  await leave(dora, roomId)
  await join(bob, roomId)
  await bob.refused('403 M_FORBIDDEN', 'GET', `${inRoom(roomId, 'members')}?at=${next_batch}`)
  assert.ok((await members(dora, roomId, { at: next_batch })).includes(is(dora, 'join')))
})

test('those outside get no member list, by neither endpoint (adv-54)', async () => {
  const roomId = await createRoom(alice)
  const refusedBoth = async (who: ApiClient, id = roomId) => {
    await who.refused('403 M_FORBIDDEN', 'GET', inRoom(id, 'members'))
    await who.refused('403 M_FORBIDDEN', 'GET', inRoom(id, 'joined_members'))
  }
  await refusedBoth(bob)
  await invite(alice, roomId, bob)
  await refusedBoth(bob)
  await leave(bob, roomId)
  await refusedBoth(bob)
  await alice.post(inRoom(roomId, 'ban'), { user_id: bob.userId })
  await refusedBoth(bob)
  await refusedBoth(bob, '!nowhere:test.example')
})

test('a room that is not there and one that is not yours are refused in the same words (adv-55)', async () => {
  const roomId = await createRoom(alice)
  for (const what of ['members', 'state', 'messages?dir=b', 'joined_members']) {
    const [path, query = ''] = what.split('?')
    const url = (id: string) => `${inRoom(id, path!)}?${query}`
    const yours = await bob.refused('403 M_FORBIDDEN', 'GET', url(roomId))
    assert.deepEqual(await bob.refused('403 M_FORBIDDEN', 'GET', url('!nowhere:test.example')), yours, what)
  }
})

test('who left sees the members as they were, not those who came later (adv-52)', async () => {
  const roomId = await roomOf([alice, bob])
  await leave(bob, roomId)
  await join(carol, roomId)
  assert.deepEqual(await members(bob, roomId), [is(alice, 'join'), is(bob, 'leave')])
  const { next_batch } = await sync(bob)
  assert.deepEqual(await members(bob, roomId, { at: next_batch }), [is(alice, 'join'), is(bob, 'leave')])
  await bob.refused('403 M_FORBIDDEN', 'GET', inRoom(roomId, 'joined_members'))
})

test('joined_members names the joined with their profiles', async () => {
  const erin = await server.user('erin')
  await erin.put(`${V3}/profile/${encodeURIComponent(erin.userId)}/avatar_url`, {
    avatar_url: 'mxc://test.example/e',
  })
  const roomId = await roomOf([alice, bob, erin])
  await leave(bob, roomId)
  await invite(alice, roomId, carol)
  const { joined } = await alice.get(inRoom(roomId, 'joined_members'))
  assert.deepEqual(Object.keys(joined).sort(), [alice.userId, erin.userId].sort())
  assert.deepEqual(joined[erin.userId], {
    display_name: erin.userId.slice(1).split(':')[0],
    avatar_url: 'mxc://test.example/e',
  })
})

test('joined_members leaves out what is no text', async () => {
  const roomId = await roomOf([alice])
  const url = inRoom(roomId, 'state', 'm.room.member', bob.userId)
  await alice.post(inRoom(roomId, 'invite'), { user_id: bob.userId })
  await bob.put(url, { membership: 'join', displayname: { a: 1 }, avatar_url: 'https://a' })
  assert.deepEqual((await alice.get(inRoom(roomId, 'joined_members'))).joined[bob.userId], {})
})

test('an event is found in its own room alone; another room is answered like a missing one (adv-49)', async () => {
  const roomId = await roomOf([alice, bob])
  const other = await roomOf([alice, bob])
  const eventId = await say(alice, roomId, 'here')
  const event = await getEvent(bob, roomId, eventId)
  assert.deepEqual([event.event_id, event.room_id], [eventId, roomId])
  const wrong = await bob.refused('404 M_NOT_FOUND', 'GET', inRoom(other, 'event', eventId))
  const missing = await bob.refused('404 M_NOT_FOUND', 'GET', inRoom(other, 'event', '$missing'))
  assert.deepEqual(wrong, missing)
  const unknownRoom = await bob.refused(
    '404 M_NOT_FOUND',
    'GET',
    inRoom('!no:test.example', 'event', eventId),
  )
  assert.deepEqual(unknownRoom, missing)
  const outside = await carol.refused('404 M_NOT_FOUND', 'GET', inRoom(roomId, 'event', eventId))
  assert.deepEqual(outside, missing)
})

test('an event of after one left, or of before one came to a joined-only room, is missing', async () => {
  const hidden = { type: 'm.room.history_visibility', content: { history_visibility: 'joined' } }
  const roomId = await roomOf([alice], { initial_state: [hidden] })
  const early = await say(alice, roomId, 'early')
  await join(bob, roomId)
  const seen = await say(alice, roomId, 'seen')
  await leave(bob, roomId)
  const late = await say(alice, roomId, 'late')
  await getEvent(bob, roomId, seen)
  await bob.refused('404 M_NOT_FOUND', 'GET', inRoom(roomId, 'event', early))
  await bob.refused('404 M_NOT_FOUND', 'GET', inRoom(roomId, 'event', late))
})

test('a state event is an event as well, and says how the reader stood', async () => {
  const roomId = await roomOf([alice, bob])
  const eventId = await setState(alice, roomId, 'm.room.name', { name: 'n' })
  const event = await getEvent(bob, roomId, eventId)
  assert.deepEqual([event.state_key, event.unsigned.membership], ['', 'join'])
})

test('an event id that is none is refused', async () => {
  const roomId = await roomOf([alice])
  await alice.refused('400 M_INVALID_PARAM', 'GET', inRoom(roomId, 'event', 'nothing'))
})

test('a store that fails is a failure, not a missing event', async () => {
  let broken = false
  const own = await TestServer.start({
    wrapStore: (store) => ({
      ...store,
      rooms: {
        ...store.rooms,
        membership: (room, user) => {
          if (broken) return Promise.reject(new Error('the disk is gone'))
          return store.rooms.membership(room, user)
        },
      },
    }),
  })
  try {
    const eve = await own.user('eve')
    const roomId = await createRoom(eve)
    const eventId = await say(eve, roomId, 'x')
    broken = true
    const reply = await own.assembled.dispatches.client({
      method: 'GET',
      url: inRoom(roomId, 'event', eventId),
      headers: { authorization: `Bearer ${eve.token}` },
      remote: '127.0.0.1',
      signal: new AbortController().signal,
    })
    assert.equal(reply.status, 500)
  } finally {
    await own.close()
  }
})
