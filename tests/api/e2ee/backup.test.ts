import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { BACKUP_AUTH_BYTES_MAX, BACKUP_KEY_BYTES_MAX } from '#/services/e2ee/limits.ts'
import type { ApiClient, Json, Method } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import { V3 } from '../../support/room-calls.ts'
import { TestServer } from '../../support/test-server.ts'

covers(
  'POST /_matrix/client/v3/room_keys/version',
  'GET /_matrix/client/v3/room_keys/version',
  'GET /_matrix/client/v3/room_keys/version/{version}',
  'PUT /_matrix/client/v3/room_keys/version/{version}',
  'DELETE /_matrix/client/v3/room_keys/version/{version}',
  'PUT /_matrix/client/v3/room_keys/keys',
  'GET /_matrix/client/v3/room_keys/keys',
  'DELETE /_matrix/client/v3/room_keys/keys',
  'PUT /_matrix/client/v3/room_keys/keys/{roomId}',
  'GET /_matrix/client/v3/room_keys/keys/{roomId}',
  'DELETE /_matrix/client/v3/room_keys/keys/{roomId}',
  'PUT /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}',
  'GET /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}',
  'DELETE /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}',
)

const VERSION = `${V3}/room_keys/version`
const ALGORITHM = 'm.megolm_backup.v1.curve25519-aes-sha2'
const AUTH_DATA = { public_key: 'abc', signatures: { '@a:x': { 'ed25519:D': 'sig' } } }
const BODY = { algorithm: ALGORITHM, auth_data: AUTH_DATA }
const ROOM = '!room:test.example'

let server: TestServer
before(async () => {
  server = await TestServer.start()
})
after(async () => {
  assert.deepEqual(
    server.log.filter((line) => line.level === 'error'),
    [],
  )
  await server.close()
})

const key = (more: Json = {}): Json => ({
  first_message_index: 1,
  forwarded_count: 0,
  is_verified: false,
  session_data: { ephemeral: 'e', ciphertext: 'c', mac: 'é' },
  ...more,
})

function keysUrl(version: string | undefined, ...path: string[]): string {
  const rest = path.map((part) => `/${encodeURIComponent(part)}`).join('')
  return `${V3}/room_keys/keys${rest}${version === undefined ? '' : `?version=${version}`}`
}

async function withBackup(): Promise<{ who: ApiClient; version: string }> {
  const who = await server.user('owner')
  return { who, version: (await who.post(VERSION, BODY)).version }
}

test('a backup is made, read, changed and deleted; the newest is the current one', async () => {
  const who = await server.user('owner')
  await who.refused('404 M_NOT_FOUND', 'GET', VERSION)
  const { version: one } = await who.post(VERSION, BODY)
  const { version: two } = await who.post(VERSION, BODY)
  assert.deepEqual([one, two], ['1', '2'])
  assert.deepEqual(await who.get(VERSION), { ...BODY, version: two, count: 0, etag: '0' })
  assert.equal((await who.get(`${VERSION}/${one}`)).version, one)
  const changed = { public_key: 'def', signatures: {} }
  assert.deepEqual(await who.put(`${VERSION}/${one}`, { ...BODY, auth_data: changed, version: one }), {})
  assert.deepEqual((await who.get(`${VERSION}/${one}`)).auth_data, changed)
  assert.deepEqual(await who.ok('DELETE', `${VERSION}/${two}`), {})
  assert.deepEqual(await who.ok('DELETE', `${VERSION}/${two}`), {}, 'one that was deleted before')
  assert.equal((await who.get(VERSION)).version, one)
  await who.refused('404 M_NOT_FOUND', 'GET', `${VERSION}/${two}`)
  assert.equal((await who.post(VERSION, BODY)).version, '3', 'a number never comes back')
})

test('what is no backup is refused', async () => {
  const { who, version } = await withBackup()
  const other = await server.user('other')
  for (const bad of ['0', '2', '01', '1.0', 'x', '-1', '99999999999999999999']) {
    await who.refused('404 M_NOT_FOUND', 'GET', `${VERSION}/${bad}`)
    await who.refused('404 M_NOT_FOUND', 'PUT', `${VERSION}/${bad}`, BODY)
    await who.refused('404 M_NOT_FOUND', 'DELETE', `${VERSION}/${bad}`)
  }
  await other.refused('404 M_NOT_FOUND', 'GET', `${VERSION}/${version}`)
  await who.refused('400 M_MISSING_PARAM', 'POST', VERSION, { algorithm: ALGORITHM })
  await who.refused('400 M_BAD_JSON', 'POST', VERSION, { ...BODY, auth_data: 'text' })
  await who.refused('400 M_INVALID_PARAM', 'POST', VERSION, { ...BODY, algorithm: 'a\0' })
  const large = { ...BODY, auth_data: { a: 'x'.repeat(BACKUP_AUTH_BYTES_MAX) } }
  await who.refused('413 M_TOO_LARGE', 'POST', VERSION, large)
  const url = `${VERSION}/${version}`
  await who.refused('400 M_INVALID_PARAM', 'PUT', url, { ...BODY, version: '7' })
  await who.refused('400 M_INVALID_PARAM', 'PUT', url, { ...BODY, algorithm: 'another' })
})

test('every operation wants a session of a full account', async () => {
  const nobody = server.anonymous()
  const guest = server.anonymous()
  guest.become(await guest.post(`${V3}/register?kind=guest`, {}))
  const calls: [Method, string, Json?][] = [
    ['POST', VERSION, BODY],
    ['GET', VERSION],
    ['GET', `${VERSION}/1`],
    ['PUT', `${VERSION}/1`, BODY],
    ['DELETE', `${VERSION}/1`],
  ]
  for (const path of [[], [ROOM], [ROOM, 's']]) {
    calls.push(
      ['PUT', keysUrl('1', ...path), {}],
      ['GET', keysUrl('1', ...path)],
      ['DELETE', keysUrl('1', ...path)],
    )
  }
  for (const [method, url, body] of calls) {
    await nobody.refused('401 M_MISSING_TOKEN', method, url, body)
    await guest.refused('403 M_GUEST_ACCESS_FORBIDDEN', method, url, body)
  }
})

test('keys are stored and read: one, of a room, of all rooms', async () => {
  const { who, version } = await withBackup()
  assert.deepEqual(await who.get(keysUrl(version)), { rooms: {} })
  assert.deepEqual(await who.get(keysUrl(version, ROOM)), { sessions: {} })
  await who.refused('404 M_NOT_FOUND', 'GET', keysUrl(version, ROOM, 's1'))
  assert.deepEqual(await who.put(keysUrl(version, ROOM, 's1'), key()), { count: 1, etag: '1' })
  assert.deepEqual(await who.get(keysUrl(version, ROOM, 's1')), key())
  const sessions = { s2: key({ is_verified: true }), 's/3': key({ session_data: {} }) }
  assert.deepEqual(await who.put(keysUrl(version, ROOM), { sessions }), { count: 3, etag: '2' })
  const rooms = {
    '!other:x': { sessions: { s1: key() } },
    [ROOM]: { sessions: {} },
    '!é"\\': { sessions: { '': key() } },
  }
  assert.deepEqual(await who.put(keysUrl(version), { rooms }), { count: 5, etag: '3' })
  assert.deepEqual(await who.get(keysUrl(version, ROOM)), { sessions: { s1: key(), ...sessions } })
  assert.deepEqual(await who.get(keysUrl(version)), {
    rooms: { ...rooms, [ROOM]: { sessions: { s1: key(), ...sessions } } },
  })
  assert.deepEqual(await who.get(VERSION), { ...BODY, version, count: 5, etag: '3' })
  await server.restart()
  assert.deepEqual(await who.get(keysUrl(version, ROOM, 's/3')), sessions['s/3'])
  const stranger = await server.user('stranger')
  await stranger.refused('404 M_NOT_FOUND', 'GET', keysUrl(version))
})

test('§5.12 a key is overwritten by a better one only; the etag changes with every change and else not', async () => {
  const { who, version } = await withBackup()
  const url = keysUrl(version, ROOM, 's')
  const put = async (first: number, forwarded: number, verified: boolean) =>
    (
      await who.put(
        url,
        key({ first_message_index: first, forwarded_count: forwarded, is_verified: verified }),
      )
    ).etag
  assert.equal(await put(5, 5, false), '1')
  assert.equal(await put(5, 5, false), '1')
  assert.equal(await put(6, 0, false), '1')
  assert.equal(await put(5, 4, false), '2')
  assert.equal(await put(4, 9, false), '3')
  assert.equal(await put(9, 9, true), '4')
  assert.equal(await put(0, 0, false), '4')
  assert.equal((await who.get(url)).first_message_index, 9)
})

test('§5.12 keys for another than the current version are refused with the current one', async () => {
  const { who, version } = await withBackup()
  await who.put(keysUrl(version, ROOM, 's'), key())
  const { version: current } = await who.post(VERSION, BODY)
  const bodies: [string[], Json][] = [
    [[], { rooms: { [ROOM]: { sessions: { s: key() } } } }],
    [[ROOM], { sessions: { s: key() } }],
    [[ROOM, 's'], key()],
  ]
  for (const [path, body] of bodies) {
    const refusal = await who.refused('403 M_WRONG_ROOM_KEYS_VERSION', 'PUT', keysUrl(version, ...path), body)
    assert.equal(refusal.current_version, current)
    await who.refused('404 M_NOT_FOUND', 'PUT', keysUrl('99', ...path), body)
    await who.refused('404 M_NOT_FOUND', 'PUT', keysUrl('x', ...path), body)
    await who.refused('400 M_MISSING_PARAM', 'PUT', keysUrl(undefined, ...path), body)
  }
  assert.deepEqual(await who.get(keysUrl(version, ROOM, 's')), key(), 'an older backup can still be read')
  await who.ok('DELETE', `${VERSION}/${current}`)
  const again = await who.refused('403 M_WRONG_ROOM_KEYS_VERSION', 'PUT', keysUrl(current, ROOM, 's'), key())
  assert.equal(again.current_version, version)
})

test('keys are deleted: one, of a room, all; and with their version', async () => {
  const { who, version } = await withBackup()
  const sessions = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`s${i}`, key()]))
  await who.put(keysUrl(version), {
    rooms: { [ROOM]: { sessions }, '!b:x': { sessions }, '!c:x': { sessions } },
  })
  assert.deepEqual(await who.ok('DELETE', keysUrl(version, ROOM, 's1')), { count: 29, etag: '2' })
  assert.deepEqual(await who.ok('DELETE', keysUrl(version, ROOM, 's1')), { count: 29, etag: '2' })
  assert.deepEqual(await who.ok('DELETE', keysUrl(version, ROOM)), { count: 20, etag: '3' })
  assert.deepEqual(await who.get(keysUrl(version, ROOM)), { sessions: {} })
  assert.deepEqual(await who.ok('DELETE', keysUrl(version)), { count: 0, etag: '4' })
  assert.deepEqual(await who.get(keysUrl(version)), { rooms: {} })
  for (const path of [[], [ROOM], [ROOM, 's']]) {
    await who.refused('404 M_NOT_FOUND', 'DELETE', keysUrl('9', ...path))
    await who.refused('404 M_NOT_FOUND', 'GET', keysUrl('9', ...path))
    await who.refused('400 M_MISSING_PARAM', 'GET', keysUrl(undefined, ...path))
    await who.refused('400 M_MISSING_PARAM', 'DELETE', keysUrl(undefined, ...path))
  }
  await who.put(keysUrl(version, ROOM, 's'), key())
  await who.ok('DELETE', `${VERSION}/${version}`)
  await who.refused('404 M_NOT_FOUND', 'GET', keysUrl(version))
})

test('what is no key is refused, and nothing of the request is stored', async () => {
  const { who, version } = await withBackup()
  const bad: [string, Json][] = [
    ['400 M_MISSING_PARAM', { ...key(), is_verified: undefined }],
    ['400 M_MISSING_PARAM', {}],
    ['400 M_BAD_JSON', key({ first_message_index: '1' })],
    ['400 M_BAD_JSON', key({ first_message_index: 1.5 })],
    ['400 M_BAD_JSON', key({ forwarded_count: -1 })],
    ['400 M_BAD_JSON', key({ is_verified: 1 })],
    ['400 M_BAD_JSON', key({ session_data: [] })],
    ['413 M_TOO_LARGE', key({ session_data: { a: 'x'.repeat(BACKUP_KEY_BYTES_MAX) } })],
  ]
  for (const [code, value] of bad) {
    await who.refused(code, 'PUT', keysUrl(version, ROOM, 's'), value)
    await who.refused(code, 'PUT', keysUrl(version, ROOM), { sessions: { good: key(), s: value } })
    await who.refused(code, 'PUT', keysUrl(version), {
      rooms: { [ROOM]: { sessions: { good: key(), s: value } } },
    })
  }
  await who.refused('400 M_MISSING_PARAM', 'PUT', keysUrl(version), {})
  await who.refused('400 M_MISSING_PARAM', 'PUT', keysUrl(version, ROOM), { rooms: {} })
  await who.refused('400 M_MISSING_PARAM', 'PUT', keysUrl(version), {
    rooms: { [ROOM]: {}, '!b': { sessions: {} } },
  })
  await who.refused('400 M_BAD_JSON', 'PUT', keysUrl(version), { rooms: [] })
  await who.refused('400 M_BAD_JSON', 'PUT', keysUrl(version), {
    rooms: { [ROOM]: { sessions: { s: 'text' } } },
  })
  await who.refused('400 M_NOT_JSON', 'PUT', keysUrl(version), '{"rooms":{')
  await who.refused('400 M_NOT_JSON', 'PUT', keysUrl(version), '')
  const long = 'x'.repeat(300)
  await who.refused('400 M_INVALID_PARAM', 'PUT', keysUrl(version), {
    rooms: { [long]: { sessions: { s: key() } } },
  })
  await who.refused('400 M_INVALID_PARAM', 'PUT', keysUrl(version, ROOM, 'a\0b'), key())
  await who.refused('400 M_INVALID_PARAM', 'PUT', keysUrl(version, ROOM), { sessions: { 'a\0b': key() } })
  assert.equal((await who.get(VERSION)).count, 0)
})

test('many keys are taken in one request, and given in one answer', async () => {
  const { who, version } = await withBackup()
  const rooms: Json = {}
  for (let room = 0; room < 7; room++) {
    const sessions = Object.fromEntries(
      Array.from({ length: 200 }, (_, i) => [
        `s${i}`,
        key({ first_message_index: i, session_data: { r: room } }),
      ]),
    )
    rooms[`!r${room}:x`] = { sessions }
  }
  assert.equal((await who.put(keysUrl(version), { rooms })).count, 1400)
  assert.deepEqual(await who.get(keysUrl(version)), { rooms })
  assert.deepEqual(await who.get(keysUrl(version, '!r3:x')), rooms['!r3:x'])
  assert.equal((await who.ok('DELETE', keysUrl(version))).count, 0)
})

test('the older names work', async () => {
  const who = await server.user('owner')
  const { version } = await who.post('/_matrix/client/unstable/room_keys/version', BODY)
  await who.put(`/_matrix/client/unstable/room_keys/keys/${ROOM}/s?version=${version}`, key())
  assert.deepEqual(await who.get(`/_matrix/client/r0/room_keys/keys/${ROOM}/s?version=${version}`), key())
})

test('deactivation takes backups away, and account data of secret storage', async () => {
  const { who, version } = await withBackup()
  await who.put(keysUrl(version, ROOM, 's'), key())
  const data = (type: string) => `${V3}/user/${who.userId}/account_data/${type}`
  const contents: Json = {
    'm.secret_storage.default_key': { key: 'k' },
    'm.secret_storage.key.k': { algorithm: 'm.secret_storage.v1.aes-hmac-sha2', iv: 'i', mac: 'm' },
    'm.megolm_backup.v1': { encrypted: { k: { iv: 'i', ciphertext: 'c', mac: 'm' } } },
    'm.cross_signing.master': { encrypted: {} },
    'm.key_backup': { enabled: true },
  }
  for (const [type, content] of Object.entries(contents)) {
    await who.put(data(type), content)
    assert.deepEqual(await who.get(data(type)), content)
  }
  const identifier = { type: 'm.id.user', user: who.userId }
  await who.post(`${V3}/account/deactivate`, {
    auth: { type: 'm.login.password', identifier, password: 'a password' },
  })
  await server.store.commit({ lane: '', ops: [{ op: 'job.sweep', now: 0, limit: 1000 }] })
  for (const table of ['backup_users', 'backup_versions', 'account_data']) {
    const left = await server.count(`SELECT COUNT(*) AS n FROM ${table} WHERE user_id = ?1`, who.userId)
    assert.equal(left, 0, table)
  }
})
