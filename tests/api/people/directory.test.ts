import assert from 'node:assert/strict'
import { test } from 'node:test'
import { realWorld } from '#/base/world.ts'
import { LIMITS } from '#/http/limit-names.ts'
import { RateLimiter } from '#/http/rate-limiter.ts'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import { PLAIN_PEOPLE } from '../../support/people-options.ts'
import { createRoom, invite, join, leave, roomOf, setState, V3 } from '../../support/room-calls.ts'
import { administrator, people, withServer } from './people.ts'

covers('POST /_matrix/client/v3/user_directory/search', 'GET /_matrix/client/v1/mutual_rooms')

const SEARCH = `${V3}/user_directory/search`
const MUTUAL = '/_matrix/client/v1/mutual_rooms'

const find = async (who: ApiClient, term: string, more: object = {}): Promise<Json> =>
  who.post(SEARCH, { search_term: term, ...more })

const found = async (who: ApiClient, term: string): Promise<string[]> =>
  (await find(who, term)).results.map((one: Json) => one.user_id)

const name = (who: ApiClient, displayname: string): Promise<Json> =>
  who.put(`${V3}/profile/${who.userId}/displayname`, { displayname })

test('who shares a room or is in a public room is found, and nobody else (users.md 22)', () =>
  withServer({}, async (server) => {
    const [me, friend, famous, stranger] = [
      await server.user('me'),
      await server.user('friend'),
      await server.user('famous'),
      await server.user('stranger'),
    ]
    for (const who of [friend, famous, stranger]) await name(who, 'Zoë Müller')
    const room = await createRoom(me, { preset: 'private_chat' })
    await invite(me, room, friend)
    assert.deepEqual(await found(me, 'zoe'), [], 'an invite is no shared room')
    await join(friend, room)
    assert.deepEqual(await found(me, 'zoe'), [friend.userId])
    const open = await createRoom(famous, { preset: 'public_chat' })
    assert.deepEqual((await found(me, 'ZOE mül')).sort(), [friend.userId, famous.userId].sort())
    await setState(famous, open, 'm.room.join_rules', { join_rule: 'invite' })
    assert.deepEqual(await found(me, 'zoe'), [friend.userId])
    await setState(famous, open, 'm.room.history_visibility', { history_visibility: 'world_readable' })
    assert.equal((await found(me, 'zoe')).length, 2)
    await leave(famous, open)
    await leave(friend, room)
    assert.deepEqual(await found(me, 'zoe'), [])
    assert.deepEqual(await found(me, stranger.userId), [])
    await createRoom(stranger, { preset: 'public_chat' })
    assert.deepEqual(await found(me, stranger.userId), [stranger.userId], 'a whole user id')
  }))

test('names of every script, and slips of the keyboard (users.md 22)', () =>
  withServer({}, async (server) => {
    const me = await server.user('me')
    const names = ['王小明', 'さくら', '김철수', 'Дмитрий', 'محمد', 'Øystein Ærlig', 'สมชาย']
    const asked = ['小明', 'くら', '철수', 'дмит', 'محم', 'oystein aer', 'ชาย']
    const who: ApiClient[] = []
    for (const each of names) {
      const user = await server.user('u')
      await name(user, each)
      who.push(user)
    }
    await roomOf([me, ...who])
    for (const [n, term] of asked.entries()) assert.deepEqual(await found(me, term), [who[n]!.userId], term)
    assert.deepEqual(await found(me, 'ovzteim arlik'), [], 'too far')
    assert.deepEqual(await found(me, 'oysteinn'), [who[5]!.userId])
    assert.deepEqual(await found(me, ''), [])
    assert.deepEqual(await found(me, '%_*?\\"'), [])
  }))

test('the answer holds names and faces, the best first, and says when there are more', () =>
  withServer({}, async (server) => {
    const me = await server.user('me')
    const others: ApiClient[] = []
    for (const displayname of ['Karla Anna', 'Anna', 'Annabel']) {
      const user = await server.user('u')
      await name(user, displayname)
      others.push(user)
    }
    await others[1]!.put(`${V3}/profile/${others[1]!.userId}/avatar_url`, { avatar_url: 'mxc://a/b' })
    await others[2]!.put(`${V3}/profile/${others[2]!.userId}/avatar_url`, { avatar_url: 'http://bad' })
    await roomOf([me, ...others])
    const { results, limited } = await find(me, 'anna')
    assert.equal(limited, false)
    assert.deepEqual(results[0], {
      user_id: others[1]!.userId,
      display_name: 'Anna',
      avatar_url: 'mxc://a/b',
    })
    assert.deepEqual(
      results.map((one: Json) => one.display_name),
      ['Anna', 'Annabel', 'Karla Anna'],
    )
    assert.equal(results[1].avatar_url, undefined)
    const few = await find(me, 'anna', { limit: 2 })
    assert.equal(few.results.length, 2)
    assert.equal(few.limited, true)
  }))

test('one finds oneself where strangers would: in a room that everybody may join', () =>
  withServer({}, async (server) => {
    const me = await server.user('pat')
    await createRoom(me, { preset: 'private_chat' })
    assert.deepEqual(await found(me, 'pat'), [])
    await createRoom(me, { preset: 'public_chat' })
    assert.deepEqual(await found(me, 'pat'), [me.userId])
  }))

test('deactivated and locked accounts are left out', () =>
  withServer({}, async (server) => {
    const [me, gone, locked] = [await server.user('pat'), await server.user('pat'), await server.user('pat')]
    await roomOf([me, gone, locked])
    assert.equal((await found(me, 'pat')).length, 3)
    const admin = await administrator(server)
    await admin.put(`/_matrix/client/v1/admin/lock/${locked.userId}`, { locked: true })
    assert.deepEqual((await found(me, 'pat')).sort(), [me.userId, gone.userId].sort())
    const auth = { type: 'm.login.password', identifier: { type: 'm.id.user', user: gone.userId } }
    await gone.post(`${V3}/account/deactivate`, { auth: { ...auth, password: 'a password' } })
    assert.deepEqual(await found(me, 'pat'), [me.userId])
  }))

test('options of the directory', async () => {
  const { directory } = PLAIN_PEOPLE
  await withServer(people({ directory: { ...directory, searchAllUsers: true } }), async (server) => {
    const [me, other] = [await server.user('me'), await server.user('other')]
    assert.deepEqual(await found(me, 'other'), [other.userId])
  })
  await withServer(people({ directory: { ...directory, enabled: false } }), async (server) => {
    const [me, other] = [await server.user('me'), await server.user('other')]
    await roomOf([me, other])
    assert.deepEqual(await find(me, 'other'), { results: [], limited: false })
  })
  await withServer(people({ directory: { ...directory, showLockedUsers: true } }), async (server) => {
    const [me, other] = [await server.user('me'), await server.user('other')]
    await roomOf([me, other])
    const op = { op: 'account.flags', user: other.userId, locked: true } as const
    await server.store.commit({ lane: 'x', ops: [op] })
    assert.deepEqual(await found(me, 'other'), [other.userId])
  })
})

test('searches that are refused', () =>
  withServer(
    {
      limits: new RateLimiter(realWorld.clock, {
        ...LIMITS,
        rc_registration: { perSecond: 100, burst: 100 },
      }),
    },
    async (server) => {
      const me = await server.user('me')
      await me.refused('400 M_MISSING_PARAM', 'POST', SEARCH, {})
      await me.refused('400 M_BAD_JSON', 'POST', SEARCH, { search_term: 1 })
      await me.refused('400 M_BAD_JSON', 'POST', SEARCH, { search_term: 'x', limit: 0 })
      await me.refused('400 M_BAD_JSON', 'POST', SEARCH, { search_term: 'x'.repeat(1001) })
      await server.anonymous().refused('401 M_MISSING_TOKEN', 'POST', SEARCH, { search_term: 'x' })
      let last = 200
      for (let n = 0; n < LIMITS.rc_user_directory.burst + 1 && last === 200; n++) {
        last = (await me.call('POST', SEARCH, { search_term: 'x' })).status
      }
      assert.equal(last, 429)
    },
  ))

test('the index is built for accounts from before it', () =>
  withServer({}, async (server) => {
    const [me, other] = [await server.user('me'), await server.user('other')]
    await roomOf([me, other])
    await server.restart(async (ask) => {
      for (const table of ['directory_users', 'directory_terms', 'directory_rooms'])
        await ask(`DELETE FROM ${table}`)
      await ask(`DELETE FROM myelin_meta WHERE name = 'directory'`)
    })
    let tries = 0
    while ((await server.store.people.directoryVersion()) === undefined && tries++ < 500) {
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    assert.deepEqual(await found(me, 'other'), [other.userId])
  }))

test('rooms shared with somebody', () =>
  withServer({}, async (server) => {
    const [me, other, third] = [
      await server.user('me'),
      await server.user('other'),
      await server.user('third'),
    ]
    const mutual = (user: string, more = {}) => me.get(MUTUAL, { user_id: user, ...more })
    assert.deepEqual(await mutual(other.userId), { joined: [], count: 0 })
    assert.deepEqual(await mutual('@nobody:test.example'), { joined: [], count: 0 })
    const both = await roomOf([me, other])
    await roomOf([me, third])
    await roomOf([other, third])
    const invited = await createRoom(me)
    await invite(me, invited, other)
    assert.deepEqual(await mutual(other.userId), { joined: [both], count: 1 })
    const old = '/_matrix/client/unstable/uk.half-shot.msc2666/user/mutual_rooms'
    assert.deepEqual((await me.get(old, { user_id: other.userId })).joined, [both])
    await leave(other, both)
    assert.deepEqual(await mutual(other.userId), { joined: [], count: 0 })
  }))

test('shared rooms in pages', () =>
  withServer({}, async (server) => {
    const [me, other] = [await server.user('me'), await server.user('other')]
    const rooms: string[] = []
    for (let n = 0; n < 103; n++) rooms.push(await roomOf([me, other]))
    rooms.sort()
    const first = await me.get(MUTUAL, { user_id: other.userId })
    assert.equal(first.count, 103)
    assert.deepEqual(first.joined, rooms.slice(0, 100))
    const second = await me.get(MUTUAL, { user_id: other.userId, from: first.next_batch })
    assert.deepEqual(second, { joined: rooms.slice(100), count: 103 })
  }))

test('shared rooms that are refused', () =>
  withServer({}, async (server) => {
    const me = await server.user('me')
    const refused = (query: string) => me.refused('400 M_INVALID_PARAM', 'GET', `${MUTUAL}?${query}`)
    await refused(`user_id=${me.userId}`)
    await refused('user_id=nobody')
    await refused('user_id=@a:b&from=nonsense')
    await me.refused('400 M_MISSING_PARAM', 'GET', MUTUAL)
    await server.anonymous().refused('401 M_MISSING_TOKEN', 'GET', `${MUTUAL}?user_id=@a:b`)
  }))
