/** Deactivation with `erase`: who still sees what the user has sent, and what else goes. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import { TestServer } from '../../support/test-server.ts'

covers('POST /_matrix/client/v3/account/deactivate')

const V3 = '/_matrix/client/v3'
/** A redacted copy has an empty content, and no redaction that says why. */
const BARE = { events: false } as const
const SECRET = 'quixotic'

async function deactivate(user: ApiClient, erase: boolean | undefined): Promise<Json> {
  const auth = {
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user: user.userId },
    password: 'a password',
  }
  return user.post(`${V3}/account/deactivate`, erase === undefined ? { auth } : { auth, erase })
}

/** Waits until somebody is out of a room: deactivation leaves by a job. */
async function gone(reader: ApiClient, room: string, user: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const { joined } = await reader.get(`${V3}/rooms/${room}/joined_members`)
    if (!(user in joined)) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  assert.fail('the deactivated user is still there')
}

const bodies = (events: Json[], sender: string): unknown[] =>
  events
    .filter((event) => event.sender === sender && event.type === 'm.room.message')
    .map((event) => event.content.body)

describe('erasure', () => {
  let server: TestServer
  let room: string
  let owner: ApiClient
  let there: ApiClient
  let author: ApiClient
  let newcomer: ApiClient
  let message: string
  let reply: string

  before(async () => {
    server = await TestServer.start()
    owner = await server.user('owner')
    there = await server.user('there')
    author = await server.user('author')
    newcomer = await server.user('newcomer')
    room = (await owner.post(`${V3}/createRoom`, { preset: 'public_chat' })).room_id
    await there.post(`${V3}/rooms/${room}/join`)
    await author.put(`${V3}/profile/${author.userId}/displayname`, { displayname: 'Secret Name' })
    await author.post(`${V3}/rooms/${room}/join`)
    const send = async (client: ApiClient, content: object): Promise<string> =>
      (await client.put(`${V3}/rooms/${room}/send/m.room.message/${client.txn()}`, content)).event_id
    message = await send(author, { msgtype: 'm.text', body: `${SECRET} one` })
    const thread = { 'm.relates_to': { rel_type: 'm.thread', event_id: message } }
    reply = await send(author, { msgtype: 'm.text', body: `${SECRET} two`, ...thread })
    await send(there, { msgtype: 'm.text', body: `${SECRET} of another` })
    await author.put(`${V3}/user/${author.userId}/account_data/x.y`, { a: 1 })
    await deactivate(author, true)
    await gone(owner, room, author.userId)
    await newcomer.post(`${V3}/rooms/${room}/join`)
  })

  after(() => server.close())

  it('who was in the room sees the messages', async () => {
    for (const reader of [owner, there]) {
      const { chunk } = await reader.get(`${V3}/rooms/${room}/messages`, { dir: 'b', limit: 100 })
      assert.deepEqual(bodies(chunk, author.userId).sort(), [`${SECRET} one`, `${SECRET} two`])
      const { content } = await reader.get(`${V3}/rooms/${room}/event/${message}`)
      assert.equal(content.body, `${SECRET} one`)
    }
  })

  it('who came later gets redacted copies, wherever they look', async () => {
    const { chunk } = await newcomer.get(`${V3}/rooms/${room}/messages`, { dir: 'b', limit: 100 }, BARE)
    assert.deepEqual(bodies(chunk, author.userId), [undefined, undefined])
    assert.ok(bodies(chunk, there.userId).includes(`${SECRET} of another`))
    const sync = await newcomer.get(`${V3}/sync`, { filter: '{"room":{"timeline":{"limit":50}}}' }, BARE)
    const { timeline } = sync.rooms.join[room]
    const texts: string[] = [JSON.stringify(chunk), JSON.stringify(timeline)]
    const look = async (path: string): Promise<void> => {
      texts.push(JSON.stringify(await newcomer.get(`${V3}/rooms/${room}/${path}`, {}, BARE)))
    }
    await look(`event/${message}`)
    await look(`context/${message}?limit=20`)
    texts.push(
      JSON.stringify(await newcomer.get(`/_matrix/client/v1/rooms/${room}/relations/${message}`, {}, BARE)),
    )
    texts.push(JSON.stringify(await newcomer.get(`/_matrix/client/v1/rooms/${room}/threads`, {}, BARE)))
    const body = { lists: {}, room_subscriptions: { [room]: { timeline_limit: 50, required_state: [] } } }
    texts.push(
      JSON.stringify(
        await newcomer.post('/_matrix/client/unstable/org.matrix.simplified_msc3575/sync', body, BARE),
      ),
    )
    const own = texts.map((text) => text.replaceAll(`${SECRET} of another`, ''))
    for (const [n, text] of own.entries()) {
      assert.ok(!text.includes(SECRET), `${n}: ${text.slice(0, 1500)}`)
      assert.ok(!text.includes('Secret Name'), `${n}: ${text.slice(0, 3000)}`)
    }
    assert.ok(texts[0]?.includes(reply), 'the events themselves are there')
  })

  it('who came later does not find them either', async () => {
    const body = { search_categories: { room_events: { search_term: SECRET } } }
    const senders = async (reader: ApiClient): Promise<string[]> => {
      const { search_categories: found } = await reader.post(`${V3}/search`, body)
      return found.room_events.results.map((each: Json) => each.result.sender)
    }
    assert.deepEqual(await senders(newcomer), [there.userId])
    assert.equal((await senders(owner)).length, 3)
  })

  it('the account has no profile, no data, no session, and the name stays taken', async () => {
    await newcomer.refused('404 M_NOT_FOUND', 'GET', `${V3}/profile/${author.userId}`)
    await author.refused('401 M_UNKNOWN_TOKEN', 'GET', `${V3}/account/whoami`)
    const found = await newcomer.post(`${V3}/user_directory/search`, { search_term: 'secret' })
    assert.deepEqual(found.results, [])
    assert.equal(await server.store.accountData.get(author.userId, 0, 'x.y'), undefined)
    assert.deepEqual(await server.store.accounts.devices(author.userId), [])
    const username = author.userId.slice(1).split(':')[0]
    const auth = { type: 'm.login.dummy' }
    const again = { username, password: 'a password', auth }
    await server.anonymous().refused('400 M_USER_IN_USE', 'POST', `${V3}/register`, again)
  })

  it('survives a restart', async () => {
    await server.restart()
    const { content } = await newcomer.get(`${V3}/rooms/${room}/event/${message}`, {}, BARE)
    assert.deepEqual(content, {})
  })
})

it('without `erase` newcomers see what was sent', async () => {
  const server = await TestServer.start()
  const owner = await server.user('owner')
  const author = await server.user('author')
  const newcomer = await server.user('newcomer')
  const room = (await owner.post(`${V3}/createRoom`, { preset: 'public_chat' })).room_id
  await author.post(`${V3}/rooms/${room}/join`)
  const content = { msgtype: 'm.text', body: 'stays' }
  await author.put(`${V3}/rooms/${room}/send/m.room.message/1`, content)
  await deactivate(author, undefined)
  await gone(owner, room, author.userId)
  await newcomer.post(`${V3}/rooms/${room}/join`)
  const { chunk } = await newcomer.get(`${V3}/rooms/${room}/messages`, { dir: 'b', limit: 100 })
  assert.deepEqual(bodies(chunk, author.userId), ['stays'])
  await author.refused('401 M_UNKNOWN_TOKEN', 'POST', `${V3}/account/deactivate`, { erase: true })
  await owner.refused('400 M_BAD_JSON', 'POST', `${V3}/account/deactivate`, { erase: 'yes' })
  await server.close()
})

it("state that an erased user has set is the room's: every timeline says what the state says", async () => {
  const server = await TestServer.start()
  const [author, owner, newcomer] = await Promise.all(['a', 'o', 'n'].map((name) => server.user(name)))
  assert.ok(author && owner && newcomer)
  const room = (await author.post(`${V3}/createRoom`, { preset: 'public_chat' })).room_id
  await owner.post(`${V3}/rooms/${room}/join`)
  await author.put(`${V3}/rooms/${room}/state/m.room.topic/`, { topic: 'of us all' })
  await deactivate(author, true)
  await gone(owner, room, author.userId)
  await newcomer.post(`${V3}/rooms/${room}/join`)
  const { chunk } = await newcomer.get(`${V3}/rooms/${room}/messages`, { dir: 'b', limit: 100 }, BARE)
  const { rooms } = await newcomer.get(`${V3}/sync`, {}, BARE)
  const sliding = await newcomer.post(
    '/_matrix/client/unstable/org.matrix.simplified_msc3575/sync',
    { lists: {}, room_subscriptions: { [room]: { timeline_limit: 50, required_state: [] } } },
    BARE,
  )
  for (const events of [chunk, rooms.join[room].timeline.events, sliding.rooms[room].timeline]) {
    const { content } = events.find((event: Json) => event.type === 'm.room.topic')
    assert.deepEqual(content, { topic: 'of us all' })
  }
  await server.close()
})
