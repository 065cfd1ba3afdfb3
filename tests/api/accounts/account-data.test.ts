import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { UserId } from '#/protocol/ids/user-id.ts'
import { covers } from '../../support/covers.ts'
import { RoomScript } from '../../support/room-script.ts'
import { TestServer, V3 } from './test-server.ts'

covers(
  'GET /_matrix/client/v3/user/{userId}/account_data/{type}',
  'PUT /_matrix/client/v3/user/{userId}/account_data/{type}',
  'GET /_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}',
  'PUT /_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}',
  'POST /_matrix/client/v3/user/{userId}/filter',
  'GET /_matrix/client/v3/user/{userId}/filter/{filterId}',
)

const ME = `${V3}/user/@alice:home.test`
const OTHER = `${V3}/user/@bob:home.test`

/** A room that alice is in, made in the store alone, and one that she is not in. */
async function withRooms(server: TestServer): Promise<{ own: string; foreign: string }> {
  const own = new RoomScript('own', '11', '@alice:home.test' as UserId)
  const foreign = new RoomScript('foreign', '11', '@carol:home.test' as UserId)
  for (const room of [own, foreign]) await server.commit(...room.create().plan.ops)
  return { own: own.roomId, foreign: foreign.roomId }
}

test('global account data comes back as it was sent', async () => {
  await using server = await TestServer.start()
  const { access_token: token } = await server.register('alice')
  const path = `${ME}/account_data/org.example.list`
  await server.refused(404, 'M_NOT_FOUND', 'GET', path, { token })
  const content = { a: [1, 'two', null, 0.5], nul: 'x\0y', nested: { ü: true } }
  assert.deepEqual(await server.expect(200, 'PUT', path, { token, body: content }), {})
  assert.deepEqual(await server.expect(200, 'GET', path, { token }), content)
  await server.expect(200, 'PUT', path, { token, body: {} })
  assert.deepEqual(await server.expect(200, 'GET', path, { token }), {})
})

test('room account data is apart from global data and from other rooms', async () => {
  await using server = await TestServer.start()
  const { access_token: token } = await server.register('alice')
  const { own, foreign } = await withRooms(server)
  const path = `${ME}/rooms/${encodeURIComponent(own)}/account_data/m.tag`
  await server.refused(404, 'M_NOT_FOUND', 'GET', path, { token })
  const content = { tags: { 'u.work': { order: 0.25 } } }
  await server.expect(200, 'PUT', path, { token, body: content })
  assert.deepEqual(await server.expect(200, 'GET', path, { token }), content)
  await server.refused(404, 'M_NOT_FOUND', 'GET', `${ME}/account_data/m.tag`, { token })
  for (const room of [foreign, '!nowhere:home.test']) {
    const other = `${ME}/rooms/${encodeURIComponent(room)}/account_data/m.tag`
    await server.refused(404, 'M_NOT_FOUND', 'PUT', other, { token, body: content })
    await server.refused(404, 'M_NOT_FOUND', 'GET', other, { token })
  }
  const bad = `${ME}/rooms/alias/account_data/m.tag`
  await server.refused(400, 'M_INVALID_PARAM', 'PUT', bad, { token, body: content })
})

test('nobody reads or writes the account data and filters of another', async () => {
  await using server = await TestServer.start()
  const { access_token: token } = await server.register('alice')
  await server.register('bob')
  const { own } = await withRooms(server)
  for (const path of [
    `${OTHER}/account_data/m.direct`,
    `${OTHER}/rooms/${encodeURIComponent(own)}/account_data/m.tag`,
  ]) {
    await server.refused(403, 'M_FORBIDDEN', 'GET', path, { token })
    await server.refused(403, 'M_FORBIDDEN', 'PUT', path, { token, body: {} })
  }
  await server.refused(403, 'M_FORBIDDEN', 'POST', `${OTHER}/filter`, { token, body: {} })
  await server.refused(403, 'M_FORBIDDEN', 'GET', `${OTHER}/filter/0`, { token })
  await server.refused(401, 'M_MISSING_TOKEN', 'GET', `${ME}/account_data/m.direct`)
})

test('types that the server controls: 405 with M_BAD_JSON', async () => {
  await using server = await TestServer.start()
  const { access_token: token } = await server.register('alice')
  const { own } = await withRooms(server)
  for (const place of [ME, `${ME}/rooms/${encodeURIComponent(own)}`]) {
    for (const type of ['m.fully_read', 'm.push_rules']) {
      const path = `${place}/account_data/${type}`
      await server.refused(405, 'M_BAD_JSON', 'PUT', path, { token, body: {} })
    }
  }
  const rules = await server.expect(200, 'GET', `${ME}/account_data/m.push_rules`, { token })
  assert.equal(rules.global.override[0].rule_id, '.m.rule.master')
})

test('adv-34: account data has a greatest size and its type a greatest length', async () => {
  await using server = await TestServer.start()
  const { access_token: token } = await server.register('alice')
  const put = (type: string, body: unknown) =>
    server.call('PUT', `${ME}/account_data/${type}`, { token, body })
  const room = 512 * 1024 - '{"a":""}'.length
  assert.equal((await put('x', { a: 'x'.repeat(room + 1) })).body.errcode, 'M_TOO_LARGE')
  assert.equal((await put('x', { a: 'x'.repeat(room) })).status, 200)
  assert.equal((await put('x', { a: 'x'.repeat(2 * room + 100) })).body.errcode, 'M_TOO_LARGE')
  assert.equal((await put('x'.repeat(256), {})).body.errcode, 'M_INVALID_PARAM')
  assert.equal((await put('x'.repeat(255), {})).status, 200)
  assert.equal((await put('x', [])).body.errcode, 'M_BAD_JSON')
})

test('filters: stored once, read back, checked', async () => {
  await using server = await TestServer.start()
  const { access_token: token } = await server.register('alice')
  const filter = { room: { timeline: { limit: 5, types: ['m.room.message'] } }, event_fields: ['type'] }
  const post = (body: unknown) => server.expect(200, 'POST', `${ME}/filter`, { token, body })
  const { filter_id: id } = await post(filter)
  assert.equal(typeof id, 'string')
  assert.equal((await post(filter)).filter_id, id)
  assert.notEqual((await post({})).filter_id, id)
  assert.deepEqual(await server.expect(200, 'GET', `${ME}/filter/${id}`, { token }), filter)
  for (const unknown of ['99', 'x', '-1', '9'.repeat(30)]) {
    await server.refused(404, 'M_NOT_FOUND', 'GET', `${ME}/filter/${unknown}`, { token })
  }
  for (const body of [{ room: 1 }, { room: { timeline: { types: 'x' } } }, { event_format: 'x' }]) {
    const { status } = await server.call('POST', `${ME}/filter`, { token, body })
    assert.equal(status, 400)
  }
  const large = { not_used: 'x'.repeat(40_000) }
  await server.refused(413, 'M_TOO_LARGE', 'POST', `${ME}/filter`, { token, body: large })
})

test('filters belong to their user', async () => {
  await using server = await TestServer.start()
  const alice = await server.register('alice')
  const bob = await server.register('bob')
  const body = { room: { rooms: [] } }
  const { filter_id: id } = await server.expect(200, 'POST', `${ME}/filter`, {
    token: alice.access_token,
    body,
  })
  await server.refused(404, 'M_NOT_FOUND', 'GET', `${OTHER}/filter/${id}`, { token: bob.access_token })
})
