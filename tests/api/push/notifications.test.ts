import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { PUSHERS_MAX } from '#/services/push/limits.ts'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import { ignore } from '../../support/relation-calls.ts'
import {
  createRoom,
  inRoom,
  invite,
  join,
  leave,
  redact,
  roomOf,
  say,
  sync,
  V3,
} from '../../support/room-calls.ts'
import { all, sliding } from '../../support/sliding-calls.ts'
import { TestServer } from '../../support/test-server.ts'

covers(
  'GET /_matrix/client/v3/notifications',
  'GET /_matrix/client/v3/pushers',
  'POST /_matrix/client/v3/pushers/set',
)

let server: TestServer
let alice: ApiClient
before(async () => {
  server = await TestServer.start()
  alice = await server.user('alice')
})
after(() => server.close())

const list = (who: ApiClient, query: Json = {}): Promise<Json> => who.get(`${V3}/notifications`, query)

async function mention(who: ApiClient, roomId: string, whom: ApiClient): Promise<string> {
  const content = { msgtype: 'm.text', body: 'you', 'm.mentions': { user_ids: [whom.userId] } }
  return (await who.put(inRoom(roomId, 'send', 'm.room.message', who.txn()), content)).event_id
}

const GATEWAY = 'https://push.example/_matrix/push/v1/notify'

const pusher = (more: Json = {}): Json => ({
  kind: 'http',
  app_id: 'com.example.app',
  pushkey: 'key',
  app_display_name: 'App',
  device_display_name: 'Phone',
  lang: 'en',
  data: { url: GATEWAY, format: 'event_id_only' },
  ...more,
})

const set = (who: ApiClient, more: Json = {}): Promise<Json> => who.post(`${V3}/pushers/set`, pusher(more))

async function keys(who: ApiClient): Promise<string[]> {
  const { pushers } = await who.get(`${V3}/pushers`)
  return pushers.map((one: Json) => one.pushkey)
}

test('notifications of all rooms, newest first, with actions and whether they were read', async () => {
  const bob = await server.user('bob')
  const [first, second] = [await roomOf([alice, bob]), await roomOf([alice, bob])]
  const one = await say(alice, first, 'one')
  await say(bob, second, 'mine')
  const two = await mention(alice, second, bob)
  const three = await say(alice, first, 'three')
  await bob.post(inRoom(first, 'receipt', 'm.read', one), {})
  const { notifications, next_token: next } = await list(bob)
  assert.equal(next, undefined)
  assert.deepEqual(
    notifications.map((item: Json) => [item.event.event_id, item.room_id, item.read]),
    [
      [three, first, false],
      [two, second, false],
      [one, first, true],
    ],
  )
  const [, loud, plain] = notifications
  assert.deepEqual(loud.actions, [
    'notify',
    { set_tweak: 'sound', value: 'default' },
    { set_tweak: 'highlight' },
  ])
  const quiet = { set_tweak: 'highlight', value: false }
  assert.deepEqual(plain.actions, ['notify', { set_tweak: 'sound', value: 'default' }, quiet])
  assert.deepEqual([plain.event.content.body, plain.event.room_id], ['one', undefined])
  const highlights = await list(bob, { only: 'highlight' })
  assert.deepEqual(
    highlights.notifications.map((item: Json) => item.event.event_id),
    [two],
  )
})

test('notifications come in pages that neither repeat nor leave out', async () => {
  const bob = await server.user('paging')
  const rooms = [await roomOf([alice, bob]), await roomOf([alice, bob]), await roomOf([alice, bob])]
  const sent: string[] = []
  for (let i = 0; i < 17; i++) sent.unshift(await say(alice, rooms[(i * 5) % 3]!, `${i}`))
  const found: string[] = []
  let from: string | undefined
  do {
    const page: Json = await list(bob, { limit: 4, from })
    assert.ok(page.notifications.length <= 4)
    found.push(...page.notifications.map((item: Json) => item.event.event_id))
    from = page.next_token
  } while (from !== undefined)
  assert.deepEqual(found, sent)
})

test('neither what was said before the join nor rooms that were left are listed; invitations are', async () => {
  const bob = await server.user('visitor')
  const roomId = await roomOf([alice])
  await say(alice, roomId, 'before')
  await join(bob, roomId)
  const id = await mention(alice, roomId, bob)
  const gone = await mention(alice, roomId, bob)
  await redact(alice, roomId, gone)
  const ids = async () => (await list(bob)).notifications.map((item: Json) => item.event.event_id)
  assert.deepEqual(await ids(), [id])
  await leave(bob, roomId)
  await mention(alice, roomId, bob)
  assert.deepEqual(await ids(), [])
  const invited = await createRoom(alice, { invite: [bob.userId] })
  const { notifications } = await list(bob)
  assert.deepEqual(
    notifications.map((item: Json) => [item.room_id, item.event.content.membership]),
    [[invited, 'invite']],
  )
  await leave(bob, invited)
  assert.deepEqual(await ids(), [])
})

test('a list asked for badly, or by nobody, is refused', async () => {
  await alice.refused('400 M_INVALID_PARAM', 'GET', `${V3}/notifications?from=nowhere`)
  await alice.refused('400 M_INVALID_PARAM', 'GET', `${V3}/notifications?limit=0`)
  await server.anonymous().refused('401 M_MISSING_TOKEN', 'GET', `${V3}/notifications`)
})

test('a pusher is set, shown, changed and deleted', async () => {
  const bob = await server.user('pushed')
  assert.deepEqual(await bob.get(`${V3}/pushers`), { pushers: [] })
  await set(bob, { profile_tag: 'tag', append: true })
  const { append: _, ...shown } = pusher({ profile_tag: 'tag', append: true })
  assert.deepEqual(await bob.get(`${V3}/pushers`), { pushers: [shown] })
  await set(bob, { lang: 'de' })
  assert.deepEqual(await bob.get(`${V3}/pushers`), { pushers: [pusher({ lang: 'de' })] })
  const gone = { kind: null, app_id: 'com.example.app', pushkey: 'key' }
  assert.deepEqual(await bob.post(`${V3}/pushers/set`, gone), {})
  assert.deepEqual(await keys(bob), [])
  assert.deepEqual(await bob.post(`${V3}/pushers/set`, gone), {})
})

test('a push key is taken over by another user, unless they say append', async () => {
  const [bob, carol] = [await server.user('bob'), await server.user('carol')]
  await set(bob, { pushkey: 'shared' })
  await set(carol, { pushkey: 'shared', append: true })
  assert.deepEqual([await keys(bob), await keys(carol)], [['shared'], ['shared']])
  await set(carol, { pushkey: 'shared' })
  assert.deepEqual([await keys(bob), await keys(carol)], [[], ['shared']])
})

test('pushers go with the session that set them', async () => {
  const bob = await server.user('devices')
  const phone = await server.device(bob)
  await set(bob, { pushkey: 'mine' })
  await set(phone, { pushkey: 'phone' })
  await phone.post(`${V3}/logout`)
  assert.deepEqual(await keys(bob), ['mine'])
})

test('bad pushers are refused with a reason', async () => {
  const bad = (errcode: string, more: Json) =>
    alice.refused(`400 ${errcode}`, 'POST', `${V3}/pushers/set`, pusher(more))
  await bad('M_MISSING_PARAM', { lang: undefined, data: undefined })
  await bad('M_MISSING_PARAM', { pushkey: undefined })
  await bad('M_MISSING_PARAM', { data: {} })
  await bad('M_INVALID_PARAM', { kind: 'email' })
  await bad('M_INVALID_PARAM', { app_id: 'a'.repeat(65) })
  await bad('M_INVALID_PARAM', { pushkey: 'é'.repeat(300) })
  await bad('M_INVALID_PARAM', { app_id: '' })
  for (const url of ['http://push.example/_matrix/push/v1/notify', 'https://push.example/', 'nothing', 7]) {
    await bad('M_INVALID_PARAM', { data: { url } })
  }
  await bad('M_INVALID_PARAM', { data: { url: GATEWAY, more: 'x'.repeat(20_000) } })
  const bob = await server.user('collector')
  for (let i = 0; i < PUSHERS_MAX; i++) await set(bob, { pushkey: `${i}` })
  await bob.refused('400 M_INVALID_PARAM', 'POST', `${V3}/pushers/set`, pusher({ pushkey: 'more' }))
  await server.anonymous().refused('401 M_MISSING_TOKEN', 'GET', `${V3}/pushers`)
  await server.anonymous().refused('401 M_MISSING_TOKEN', 'POST', `${V3}/pushers/set`, pusher())
})

test('a hidden invite of somebody ignored counts nowhere (users.md 17)', async () => {
  const bob = await server.user('bob')
  await ignore(bob, alice)
  await set(bob, { pushkey: 'quiet' })
  const { next_batch: since } = await sync(bob)
  const roomId = await createRoom(alice)
  await invite(alice, roomId, bob)
  assert.deepEqual((await list(bob)).notifications, [])
  assert.deepEqual(await server.store.push.queued(bob.userId, 'com.example.app', 'quiet', 0, 100), [])
  assert.equal((await sync(bob, { since })).rooms, undefined)
  const { lists, rooms } = await sliding(bob, { lists: { all: all() } })
  assert.deepEqual([lists.all.count, rooms], [0, {}])
})

test('what somebody said before they were ignored is not listed any more', async () => {
  const [reader, pest, friend] = [
    await server.user('reader'),
    await server.user('pest'),
    await server.user('fr'),
  ]
  const room = await roomOf([reader, pest, friend])
  await say(pest, room, 'buy this')
  await say(friend, room, 'hello')
  const bodies = async () =>
    (await reader.get(`${V3}/notifications`)).notifications.map((each: Json) => each.event.content.body)
  assert.deepEqual(await bodies(), ['hello', 'buy this'])
  const data = `${V3}/user/${reader.userId}/account_data/m.ignored_user_list`
  await reader.put(data, { ignored_users: { [pest.userId]: {} } })
  assert.deepEqual(await bodies(), ['hello'])
})

test('what is to be pushed is queued for those who have pushers, and for nobody else', async () => {
  const [bob, carol] = [await server.user('bob'), await server.user('carol')]
  const roomId = await roomOf([alice, bob, carol])
  await set(bob, { pushkey: 'queue' })
  const waiting = () => server.store.push.queued(bob.userId, 'com.example.app', 'queue', 0, 100)
  await say(alice, roomId, 'one')
  await say(bob, roomId, 'mine')
  await mention(alice, roomId, bob)
  const [plain, loud, ...rest] = await waiting()
  assert.deepEqual([plain?.seq, loud?.seq, rest.length], [1, 2, 0])
  assert.deepEqual(JSON.parse(plain!.actions), ['notify', { set_tweak: 'highlight', value: false }])
  assert.ok(loud!.actions.includes('highlight'))
  await bob.put(`${V3}/pushrules/global/room/${encodeURIComponent(roomId)}`, { actions: [] })
  await say(alice, roomId, 'muted')
  assert.equal((await waiting()).length, 2)
  assert.equal(await server.count('SELECT COUNT(*) AS n FROM push_queue'), 2)
})
