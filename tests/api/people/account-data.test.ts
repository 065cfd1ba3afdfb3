import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ACCOUNT_DATA_BYTES_MAX,
  ACCOUNT_DATA_TOTAL_BYTES_MAX,
  TAGS_PER_ROOM_MAX,
} from '#/services/accounts/limits.ts'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import { createRoom, sync, V3 } from '../../support/room-calls.ts'
import { withServer } from './people.ts'

covers(
  'GET /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags',
  'PUT /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}',
  'DELETE /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}',
  'DELETE /_matrix/client/unstable/org.matrix.msc3391/user/{userId}/account_data/{type}',
  'DELETE /_matrix/client/unstable/org.matrix.msc3391/user/{userId}/rooms/{roomId}/account_data/{type}',
)

const GONE = '/_matrix/client/unstable/org.matrix.msc3391'
const data = (who: ApiClient, type: string, of = who): string =>
  `${V3}/user/${of.userId}/account_data/${type}`
const tags = (who: ApiClient, room: string, tag?: string): string =>
  `${V3}/user/${who.userId}/rooms/${encodeURIComponent(room)}/tags${tag === undefined ? '' : `/${encodeURIComponent(tag)}`}`

test('tags are set, changed, removed, and told to other devices', () =>
  withServer({}, async (server) => {
    const user = await server.user('user')
    const room = await createRoom(user)
    assert.deepEqual(await user.get(tags(user, room)), { tags: {} })
    const { next_batch: since } = await sync(user)
    await user.put(tags(user, room, 'm.favourite'), { order: 0.5 })
    await user.put(tags(user, room, 'u.Work /ä'), {})
    const wanted: Json = { 'm.favourite': { order: 0.5 }, 'u.Work /ä': {} }
    assert.deepEqual(await user.get(tags(user, room)), { tags: wanted })
    const news = (await sync(user, { since })).rooms.join[room].account_data.events
    assert.deepEqual(news, [{ type: 'm.tag', content: { tags: wanted } }])
    await user.put(tags(user, room, 'm.favourite'), { order: 0, 'x.more': 'kept' })
    await user.ok('DELETE', tags(user, room, 'u.Work /ä'))
    await user.ok('DELETE', tags(user, room, 'u.never'))
    assert.deepEqual(await user.get(tags(user, room)), {
      tags: { 'm.favourite': { order: 0, 'x.more': 'kept' } },
    })
  }))

test('tags that are written at once are all kept, and odd ones in the way do no harm', () =>
  withServer({}, async (server) => {
    const user = await server.user('user')
    const room = await createRoom(user)
    const raw = `${V3}/user/${user.userId}/rooms/${encodeURIComponent(room)}/account_data/m.tag`
    await user.put(raw, { tags: { bad: 1, good: {} }, more: true })
    await Promise.all(
      ['a', 'b', '__proto__', 'constructor'].map((tag) => user.put(tags(user, room, tag), {})),
    )
    const all = (await user.get(tags(user, room))).tags
    assert.deepEqual(Object.keys(all).sort(), ['__proto__', 'a', 'b', 'constructor', 'good'])
    assert.equal((await user.get(raw)).more, true)
    await user.put(raw, { tags: 'nonsense' })
    assert.deepEqual(await user.get(tags(user, room)), { tags: {} })
  }))

test('tags that are refused', () =>
  withServer({}, async (server) => {
    const [user, other] = [await server.user('user'), await server.user('other')]
    const room = await createRoom(user)
    for (const order of [-0.1, 1.1, '0.5', null]) {
      await user.refused('400 M_INVALID_PARAM', 'PUT', tags(user, room, 'a'), { order })
    }
    await user.refused('400 M_INVALID_PARAM', 'PUT', tags(user, room, 'é'.repeat(128)), {})
    await user.put(tags(user, room, `${'é'.repeat(127)}x`), {})
    await user.refused('400 M_BAD_JSON', 'PUT', tags(user, room, 'a'), [])
    await other.refused('403 M_FORBIDDEN', 'PUT', tags(user, room, 'a'), {})
    await other.refused('403 M_FORBIDDEN', 'GET', tags(user, room))
    await other.refused('403 M_FORBIDDEN', 'DELETE', tags(user, room, 'a'))
    await other.refused('404 M_NOT_FOUND', 'PUT', tags(other, room, 'a'), {})
    await other.refused('404 M_NOT_FOUND', 'GET', tags(other, room))
    await server.anonymous().refused('401 M_MISSING_TOKEN', 'GET', tags(user, room))
    for (let n = 1; n < TAGS_PER_ROOM_MAX; n++) await user.put(tags(user, room, `t${n}`), {})
    await user.refused('400 M_INVALID_PARAM', 'PUT', tags(user, room, 'one more'), {})
    await user.put(tags(user, room, 't1'), { order: 1 })
  }))

test('account data is deleted, and other devices hear of it once', () =>
  withServer({}, async (server) => {
    const user = await server.user('user')
    const room = await createRoom(user)
    const inRoomUrl = (base: string) =>
      `${base}/user/${user.userId}/rooms/${encodeURIComponent(room)}/account_data/org.example.a`
    await user.put(data(user, 'org.example.a'), { a: 1 })
    await user.put(inRoomUrl(V3), { b: 1 })
    const { next_batch: since } = await sync(user)
    await user.ok('DELETE', `${GONE}/user/${user.userId}/account_data/org.example.a`)
    await user.ok('DELETE', inRoomUrl(GONE))
    await user.refused('404 M_NOT_FOUND', 'GET', data(user, 'org.example.a'))
    await user.refused('404 M_NOT_FOUND', 'GET', inRoomUrl(V3))
    const news = await sync(user, { since })
    const told = { type: 'org.example.a', content: {} }
    assert.deepEqual(news.account_data.events, [told])
    assert.deepEqual(news.rooms.join[room].account_data.events, [told])
    await user.ok('DELETE', inRoomUrl(GONE))
    const later = await sync(user, { since: news.next_batch })
    assert.deepEqual(later.account_data?.events ?? [], [])
    const fresh = await sync(user)
    assert.ok(!JSON.stringify(fresh).includes('org.example.a'))
    await user.put(data(user, 'org.example.a'), { a: 2 })
    assert.deepEqual(await user.get(data(user, 'org.example.a')), { a: 2 })
  }))

test('account data that may not be deleted', () =>
  withServer({}, async (server) => {
    const [user, other] = [await server.user('user'), await server.user('other')]
    const room = await createRoom(user)
    const url = (type: string) => `${GONE}/user/${user.userId}/account_data/${type}`
    for (const type of ['m.push_rules', 'm.fully_read'])
      await user.refused('405 M_BAD_JSON', 'DELETE', url(type))
    await other.refused('403 M_FORBIDDEN', 'DELETE', url('a'))
    await server.anonymous().refused('401 M_MISSING_TOKEN', 'DELETE', url('a'))
    const foreign = `${GONE}/user/${other.userId}/rooms/${encodeURIComponent(room)}/account_data/a`
    await other.refused('404 M_NOT_FOUND', 'DELETE', foreign)
    await user.ok('DELETE', url('never.there'))
  }))

test('adv-34: account data of one user has an end, and what is deleted makes place', () =>
  withServer({}, async (server) => {
    const user = await server.user('user')
    const large = { a: 'x'.repeat(ACCOUNT_DATA_BYTES_MAX - 10) }
    const pieces = Math.floor(ACCOUNT_DATA_TOTAL_BYTES_MAX / ACCOUNT_DATA_BYTES_MAX)
    for (let n = 0; n < pieces; n++) await user.put(data(user, `large.${n}`), large)
    await user.refused('413 M_TOO_LARGE', 'PUT', data(user, 'large.more'), large)
    await user.put(data(user, 'large.0'), large)
    await user.put(data(user, 'large.0'), { a: 'small' })
    await user.put(data(user, 'large.more'), { a: 'x'.repeat(400_000) })
    await user.refused('413 M_TOO_LARGE', 'PUT', data(user, 'large.again'), large)
    await user.ok('DELETE', `${GONE}/user/${user.userId}/account_data/large.1`)
    await user.put(data(user, 'large.again'), large)
  }))
