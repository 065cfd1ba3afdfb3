/** Rooms that somebody fills with nonsense, or that are damaged, beside rooms that are well. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { createRoom, inRoom, invite, join, roomOf, say, V3 } from '../../support/room-calls.ts'
import { TestServer } from '../../support/test-server.ts'

let server: TestServer
let alice: ApiClient
before(async () => {
  server = await TestServer.start()
  alice = await server.user('alice')
})
after(() => server.close())

/** Nonsense where a server or a client looks for something. */
const NONSENSE: [string, Json][] = [
  ['m.room.name', { name: { a: 1 } }],
  ['m.room.topic', { topic: [], 'm.topic': 7 }],
  ['m.room.avatar', { url: 5 }],
  ['m.room.canonical_alias', { alias: {}, alt_aliases: 'x' }],
  ['m.room.encryption', { algorithm: null }],
  ['m.room.guest_access', { guest_access: {} }],
  ['m.room.history_visibility', { history_visibility: 3 }],
  ['m.room.tombstone', []],
  ['m.room.tombstone', { replacement_room: 1 }],
  ['m.room.join_rules', { join_rule: ['public'], allow: 'all' }],
  ['m.room.member', { membership: 'join', displayname: { a: 1 }, avatar_url: [] }],
]

async function syncLoosely(who: ApiClient, query = ''): Promise<Json> {
  return who.ok('GET', `${V3}/sync${query}`, undefined, { events: false })
}

test('nonsense in the state of one room breaks no sync, no invite and no other room (adv-36)', async () => {
  const bob = await server.user('bob')
  const good = await roomOf([alice, bob])
  const odd = await roomOf([alice, bob])
  const invited = await createRoom(alice)
  const { next_batch: since } = await syncLoosely(bob)
  for (const roomId of [odd, invited]) {
    for (const [type, content] of NONSENSE) {
      if (Array.isArray(content)) continue
      const key = type === 'm.room.member' ? alice.userId : ''
      const answer = await alice.call('PUT', inRoom(roomId, 'state', type, key), content, { events: false })
      assert.ok(answer.status < 500, `${type}: ${answer.status}`)
    }
  }
  await invite(alice, invited, bob)
  await say(alice, good, 'all is well')
  await say(alice, odd, 'and here')
  const filter = (json: Json) => `&filter=${encodeURIComponent(JSON.stringify(json))}`
  const lazy = filter({ room: { state: { lazy_load_members: true }, timeline: { limit: 1 } } })
  for (const query of [
    '',
    `?since=${since}`,
    `?since=${since}&use_state_after=true`,
    `?since=${since}${lazy}`,
  ]) {
    const { rooms } = await syncLoosely(bob, query)
    assert.ok(rooms.join[good] && rooms.join[odd] && rooms.invite[invited], query)
  }
  await bob.ok('GET', inRoom(odd, 'state'), undefined, { events: false })
  await bob.ok('GET', inRoom(odd, 'members'), undefined, { events: false })
  await bob.get(inRoom(odd, 'joined_members'))
  await bob.ok('GET', `${inRoom(odd, 'messages')}?dir=b&limit=50`, undefined, { events: false })
})

test('a predecessor that is no object does not break a room (D7)', async () => {
  const bob = await server.user('bob')
  const odd = await createRoom(alice, { preset: 'public_chat', creation_content: { predecessor: 'a room' } })
  await join(bob, odd)
  assert.ok((await syncLoosely(bob)).rooms.join[odd])
})

test('a room of a version that this server no longer knows breaks no other room (adv-36, adv-22)', async () => {
  const bob = await server.user('bob')
  const good = await roomOf([alice, bob])
  const old = await roomOf([alice, bob])
  const { next_batch: since } = await syncLoosely(bob)
  await say(alice, old, 'x')
  await say(alice, good, 'y')
  await server.restart((ask) => ask("UPDATE rooms SET version = 'org.example.gone' WHERE room_id = ?1", old))
  for (const query of ['', `?since=${since}`]) {
    const { rooms } = await syncLoosely(bob, query)
    assert.deepEqual(Object.keys(rooms.join), [good], query)
  }
  await bob.refused('403 M_FORBIDDEN', 'GET', inRoom(old, 'state'))
})

test('a damaged event leaves a gap in its room alone, and the log says so (adv-36)', async () => {
  const bob = await server.user('bob')
  const good = await roomOf([alice, bob])
  const odd = await roomOf([alice, bob])
  const { next_batch: since } = await syncLoosely(bob)
  await say(alice, good, 'y')
  const damaged = await say(alice, odd, 'x')
  await server.restart((ask) => ask('UPDATE events SET json = substr(json, 2) WHERE event_id = ?1', damaged))
  for (const query of ['', `?since=${since}`]) {
    const { rooms } = await syncLoosely(bob, query)
    assert.equal(rooms.join[good].timeline.events.at(-1).content.body, 'y', query)
    assert.deepEqual(rooms.join[odd].timeline.events, [], query)
    assert.equal(rooms.join[odd].timeline.limited, true, query)
  }
  assert.ok(server.log.some(({ level, message }) => level === 'error' && message.includes('is damaged')))
  const { next_batch: later } = await syncLoosely(bob)
  await say(alice, odd, 'z')
  const { rooms } = await syncLoosely(bob, `?since=${later}`)
  assert.equal(rooms.join[odd].timeline.events.at(-1).content.body, 'z')
})
