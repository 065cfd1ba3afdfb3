/**
 * What `/versions` says of proposals is true: each flag has a probe here that uses what it promises. Further proposals
 * that clients use without a flag follow.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type ApiClient, type Json, withQuery } from '../support/api-client.ts'
import { reply, threads } from '../support/relation-calls.ts'
import {
  createRoom,
  getEvent,
  inRoom,
  invite,
  roomOf,
  say,
  setState,
  sync,
  syncWith,
  V3,
} from '../support/room-calls.ts'
import { all, sliding } from '../support/sliding-calls.ts'
import { TestServer } from '../support/test-server.ts'

const UNSTABLE = '/_matrix/client/unstable'
const V1 = '/_matrix/client/v1'

let server: TestServer
let alice: ApiClient
let bob: ApiClient
let roomId: string
before(async () => {
  server = await TestServer.start()
  alice = await server.user('alice')
  bob = await server.user('bob')
  roomId = await roomOf([alice, bob], { preset: 'public_chat' })
})
after(() => server.close())

const q = encodeURIComponent
const profile = (who: ApiClient, field = '') => `${V3}/profile/${q(who.userId)}${field && `/${field}`}`
const relationsOf = (event: string) => `${V1}/rooms/${q(roomId)}/relations/${q(event)}`

async function mutual(path: string): Promise<void> {
  const { joined } = await bob.get(withQuery(path, { user_id: alice.userId }))
  assert.deepEqual(joined, [roomId])
}

async function profileField(): Promise<void> {
  await bob.put(profile(bob, 'org.example.pronouns'), { 'org.example.pronouns': 'they' })
  assert.equal((await alice.get(profile(bob)))['org.example.pronouns'], 'they')
}

async function stateAfter(ask: string, name: string): Promise<void> {
  const { next_batch: since } = await sync(bob)
  await setState(alice, roomId, 'm.room.topic', { topic: ask })
  const { rooms } = await bob.get(withQuery(`${V3}/sync`, { since, [ask]: true }))
  assert.equal(rooms.join[roomId][name].events[0].content.topic, ask)
}

/** By flag. */
const PROBES: Readonly<Record<string, () => Promise<unknown>>> = {
  async 'computer.gingershaped.msc4466'() {
    const { next_batch: since } = await sync(alice)
    await bob.put(`${profile(bob, 'displayname')}?computer.gingershaped.msc4466.propagate_to=none`, {
      displayname: 'Quiet',
    })
    assert.equal((await alice.get(profile(bob))).displayname, 'Quiet')
    assert.equal((await sync(alice, { since })).rooms, undefined)
  },
  'uk.tcpip.msc4133': profileField,
  'uk.tcpip.msc4133.stable': profileField,
  'uk.half-shot.msc2666.query_mutual_rooms': () =>
    mutual(`${UNSTABLE}/uk.half-shot.msc2666/user/mutual_rooms`),
  'uk.half-shot.msc2666.query_mutual_rooms.stable': () => mutual(`${V1}/mutual_rooms`),
  async 'org.matrix.msc3391'() {
    const path = `user/${q(bob.userId)}/account_data/org.example.gone`
    await bob.put(`${V3}/${path}`, { a: 1 })
    await bob.ok('DELETE', `${UNSTABLE}/org.matrix.msc3391/${path}`)
    await bob.refused('404 M_NOT_FOUND', 'GET', `${V3}/${path}`)
  },
  async 'org.matrix.msc4380.stable'() {
    const carol = await server.user('carol')
    const path = `${V3}/user/${q(carol.userId)}/account_data/m.invite_permission_config`
    await carol.put(path, { default_action: 'block' })
    await alice.refused('403 M_INVITE_BLOCKED', 'POST', inRoom(roomId, 'invite'), { user_id: carol.userId })
  },
  'org.matrix.msc4143': async () =>
    assert.deepEqual((await bob.get(`${UNSTABLE}/org.matrix.msc4143/rtc/transports`)).rtc_transports, []),
  'org.matrix.msc4222': () =>
    stateAfter('org.matrix.msc4222.use_state_after', 'org.matrix.msc4222.state_after'),
  'org.matrix.e2e_cross_signing': () => bob.post(`${V3}/keys/query`, { device_keys: { [bob.userId]: [] } }),
  async 'org.matrix.simplified_msc3575'() {
    assert.ok((await sliding(bob, { lists: { l: all() } })).rooms[roomId])
  },
  async 'org.matrix.msc3440.stable'() {
    const root = await say(alice, roomId, 'root')
    const answer = await reply(bob, roomId, root, 'in a thread')
    const thread = (await getEvent(alice, roomId, root)).unsigned['m.relations']['m.thread']
    assert.deepEqual([thread.count, thread.latest_event.event_id], [1, answer])
    assert.equal((await threads(alice, roomId)).chunk[0].event_id, root)
  },
  async 'org.matrix.msc3981'() {
    const root = await say(alice, roomId, 'root')
    const answer = await reply(bob, roomId, root, 'in a thread')
    const content = { 'm.relates_to': { rel_type: 'm.annotation', event_id: answer, key: 'x' } }
    await alice.put(inRoom(roomId, 'send', 'm.reaction', alice.txn()), content)
    assert.equal((await bob.get(`${relationsOf(root)}?recurse=true`)).chunk.length, 2)
    assert.equal((await bob.get(`${relationsOf(root)}?org.matrix.msc3981.recurse=true`)).chunk.length, 2)
    assert.equal((await bob.get(relationsOf(root))).chunk.length, 1)
  },
  async 'org.matrix.msc2285.stable'() {
    const said = await say(alice, roomId, 'read in private')
    const { next_batch: since } = await sync(alice)
    await bob.post(inRoom(roomId, 'receipt', 'm.read.private', said), {})
    const own = await sync(bob)
    assert.equal(own.rooms.join[roomId].unread_notifications.notification_count, 0)
    assert.equal((await sync(alice, { since })).rooms, undefined)
  },
  async 'org.matrix.msc3771'() {
    const root = await say(alice, roomId, 'root')
    const answer = await reply(alice, roomId, root, 'in a thread')
    await bob.post(inRoom(roomId, 'receipt', 'm.read', answer), { thread_id: root })
    const { ephemeral } = (await sync(bob)).rooms.join[roomId]
    assert.equal(ephemeral.events[0].content[answer]['m.read'][bob.userId].thread_id, root)
  },
  async 'org.matrix.msc3773'() {
    const root = await say(alice, roomId, 'root')
    await reply(alice, roomId, root, 'in a thread')
    const filter = { room: { timeline: { unread_thread_notifications: true } } }
    const section = (await syncWith(bob, filter)).rooms.join[roomId]
    assert.equal(section.unread_thread_notifications[root].notification_count, 1)
  },
  async 'org.matrix.msc2432'() {
    const alias = `#proposals:test.example`
    await alice.put(`${V3}/directory/room/${q(alias)}`, { room_id: roomId })
    for (const base of [V3, `${UNSTABLE}/org.matrix.msc2432`]) {
      assert.deepEqual((await bob.get(`${base}/rooms/${q(roomId)}/aliases`)).aliases, [alias])
    }
  },
  async 'com.beeper.msc4169'() {
    for (const version of ['10', '11']) {
      const room = await createRoom(alice, { room_version: version })
      const said = await say(alice, room, 'regretted')
      await alice.put(inRoom(room, 'send', 'm.room.redaction', alice.txn()), { redacts: said, reason: 'r' })
      const event = await getEvent(alice, room, said)
      assert.deepEqual([event.content, event.unsigned.redacted_because.content.reason], [{}, 'r'])
    }
  },
  async 'org.matrix.msc3827.stable'() {
    const space = { preset: 'public_chat', visibility: 'public', creation_content: { type: 'm.space' } }
    const spaceId = await createRoom(alice, space)
    const { chunk } = await bob.post(`${V3}/publicRooms`, { filter: { room_types: ['m.space'] } })
    assert.deepEqual(
      chunk.map((room: Json) => [room.room_id, room.room_type]),
      [[spaceId, 'm.space']],
    )
  },
}

test('each proposal that /versions names has a probe', async () => {
  const { unstable_features: flags } = await bob.get('/_matrix/client/versions')
  const told = Object.keys(flags).filter((flag) => flags[flag])
  assert.deepEqual(
    told.filter((flag) => !OPTIONAL.has(flag) && !PROBES[flag]),
    [],
  )
  assert.deepEqual(
    Object.keys(PROBES).filter((flag) => !flags[flag]),
    [],
  )
})

/** Those that an option turns on are tested with it. */
const OPTIONAL: ReadonlySet<string> = new Set([
  'org.matrix.msc3814',
  'org.matrix.msc3882',
  'org.matrix.msc3912',
  'org.matrix.msc4069',
  'org.matrix.msc4140',
  'org.matrix.msc4306',
])

for (const [flag, probe] of Object.entries(PROBES))
  test(`${flag} is served`, async () => void (await probe()))

/** Proposals that are part of the specification or are used without a flag. */
const MORE: Readonly<Record<string, () => Promise<unknown>>> = {
  async 'MSC3266 summaries of rooms, by both paths'() {
    for (const path of [
      `${V1}/room_summary/${q(roomId)}`,
      `${UNSTABLE}/im.nheko.summary/rooms/${q(roomId)}/summary`,
      `${UNSTABLE}/im.nheko.summary/summary/${q(roomId)}`,
    ]) {
      const summary = await bob.get(path)
      assert.deepEqual([summary.room_id, summary.num_joined_members], [roomId, 2], path)
    }
  },
  'MSC4151 reporting of rooms': () => bob.post(`${V3}/rooms/${q(roomId)}/report`, { reason: 'x' }),
  'MSC4260 reporting of people': () => bob.post(`${V3}/users/${q(alice.userId)}/report`, { reason: 'x' }),
  'MSC4222 state_after under its final name': () => stateAfter('use_state_after', 'state_after'),
  async 'MSC3967 first keys for cross-signing without a further proof'() {
    const dave = await server.user('dave')
    const key = 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
    const master_key = { user_id: dave.userId, usage: ['master'], keys: { [`ed25519:${key}`]: key } }
    const { status, json } = await dave.call('POST', `${V3}/keys/device_signing/upload`, { master_key })
    assert.notEqual(status, 401, JSON.stringify(json))
  },
  async 'MSC3030 the event at a time'() {
    const said = await say(alice, roomId, 'now')
    const { origin_server_ts: ts } = await getEvent(alice, roomId, said)
    const found = await bob.get(`${V1}/rooms/${q(roomId)}/timestamp_to_event?ts=${ts}&dir=f`)
    assert.ok(found.event_id)
  },
  async 'MSC3952 mentions by name of user highlight'() {
    const content = { msgtype: 'm.text', body: 'you', 'm.mentions': { user_ids: [bob.userId] } }
    await alice.put(inRoom(roomId, 'send', 'm.room.message', alice.txn()), content)
    assert.ok((await sync(bob)).rooms.join[roomId].unread_notifications.highlight_count >= 1)
  },
  async 'MSC2946 the hierarchy of a space'() {
    const space = await createRoom(alice, { preset: 'public_chat', creation_content: { type: 'm.space' } })
    await setState(alice, space, 'm.space.child', { via: ['test.example'] }, roomId)
    const { rooms } = await bob.get(`${V1}/rooms/${q(space)}/hierarchy`)
    assert.deepEqual(
      rooms.map((room: Json) => room.room_id),
      [space, roomId],
    )
  },
  async 'MSC2403 knocking and MSC3083 restricted rooms'() {
    const { capabilities } = await bob.get(`${V3}/capabilities`)
    const { available } = capabilities['m.room_versions']
    assert.deepEqual(
      ['7', '8', '11', '12'].filter((version) => available[version] !== 'stable'),
      [],
    )
    const closed = await createRoom(alice)
    const allow = [{ type: 'm.room_membership', room_id: roomId }]
    await setState(alice, closed, 'm.room.join_rules', { join_rule: 'restricted', allow })
    await bob.post(inRoom(closed, 'join'), {})
  },
  async 'MSC2918 refresh tokens'() {
    const identifier = { type: 'm.id.user', user: bob.userId }
    const login = { type: 'm.login.password', identifier, password: 'a password', refresh_token: true }
    const { refresh_token } = await server.anonymous().post(`${V3}/login`, login)
    assert.ok((await server.anonymous().post(`${V3}/refresh`, { refresh_token })).access_token)
  },
  async 'what is not served is not promised'() {
    const { unstable_features: flags } = await bob.get('/_matrix/client/versions')
    for (const flag of ['org.matrix.msc3881', 'org.matrix.msc4155', 'org.matrix.msc4354']) {
      assert.notEqual(flags[flag], true, flag)
    }
  },
  async 'MSC2285 the fully-read marker and both receipts in one request'() {
    const said = await say(alice, roomId, 'marked')
    await bob.post(inRoom(roomId, 'read_markers'), {
      'm.fully_read': said,
      'm.read': said,
      'm.read.private': said,
    })
    const { events } = (await sync(bob)).rooms.join[roomId].account_data
    assert.equal(events.find((event: Json) => event.type === 'm.fully_read').content.event_id, said)
  },
  async 'MSC1960 OpenID tokens, and MSC1849 edits bundled'() {
    const said = await say(alice, roomId, 'first')
    const text = { msgtype: 'm.text', body: 'better' }
    const content = {
      ...text,
      'm.new_content': text,
      'm.relates_to': { rel_type: 'm.replace', event_id: said },
    }
    await alice.put(inRoom(roomId, 'send', 'm.room.message', alice.txn()), content)
    const { unsigned } = await getEvent(bob, roomId, said)
    assert.equal(unsigned['m.relations']['m.replace'].content['m.new_content'].body, 'better')
    assert.ok((await bob.post(`${V3}/user/${q(bob.userId)}/openid/request_token`, {})).access_token)
  },
  async 'MSC2457 devices kept at a new password, and none after deactivation'() {
    const erin = await server.user('erin')
    const other = await server.device(erin)
    const identifier = { type: 'm.id.user', user: erin.userId }
    const auth = { type: 'm.login.password', identifier, password: 'a password' }
    await erin.post(`${V3}/account/password`, { new_password: 'another one', logout_devices: false, auth })
    await other.get(`${V3}/account/whoami`)
    await erin.post(`${V3}/account/deactivate`, { auth: { ...auth, password: 'another one' }, erase: true })
    await other.refused('401 M_UNKNOWN_TOKEN', 'GET', `${V3}/account/whoami`)
  },
  async 'MSC2965 is refused plainly where there is no OAuth'() {
    await bob.refused('404 M_UNRECOGNIZED', 'GET', `${V1}/auth_metadata`)
  },
  async 'MSC4289 rooms of the default version have creators, and MSC4291 no server in their ids'() {
    const room = await createRoom(alice, { creation_content: { additional_creators: [bob.userId] } })
    assert.ok(!room.includes(':'))
    await invite(alice, room, bob)
    const create = (await alice.get(inRoom(room, 'state'))).find(
      (event: Json) => event.type === 'm.room.create',
    )
    assert.deepEqual(create.content.additional_creators, [bob.userId])
  },
}

for (const [what, probe] of Object.entries(MORE)) test(what, async () => void (await probe()))
