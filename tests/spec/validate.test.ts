import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { findOperation } from './match.ts'
import { operations, operationsText, readOperations, specLink } from './operations.ts'
import { needsSpec, specDir } from './spec-dir.ts'
import { validateResponse } from './validate.ts'

const SYNC = '/_matrix/client/v3/sync?timeout=0'
const MEMBER = {
  type: 'm.room.member',
  event_id: '$e',
  sender: '@alice:example.org',
  state_key: '@alice:example.org',
  origin_server_ts: 1,
  content: { membership: 'join' },
}
const syncWith = (event: object) => ({
  next_batch: 's1',
  rooms: { join: { '!r:example.org': { timeline: { events: [event] } } } },
})

test('operations.json is what the specification says', needsSpec(), () => {
  const committed = readFileSync(new URL('operations.json', import.meta.url), 'utf8')
  assert.ok(
    committed === operationsText(readOperations(specDir() ?? '')),
    'operations.json differs from the specification; to update it run: node tests/spec/operations.ts',
  )
})

test('the table holds all 233 operations', () => {
  assert.equal(operations().length, 233)
  const sync = operations().find(({ id }) => id === 'sync')
  assert.equal(sync && specLink(sync), 'client-server-api/#get_matrixclientv3sync')
})

test('a request is matched to its operation', () => {
  const cases = {
    '/_matrix/client/v3/rooms/!r:x/state/m.room.name/': 'getRoomStateWithKey',
    '/_matrix/client/v3/rooms/!r:x/state/m.room.name': 'getRoomStateWithKey',
    '/_matrix/client/v3/rooms/!r:x/state': 'getRoomState',
    '/_matrix/client/r0/sync?since=a/b': 'sync',
    '/_matrix/client/v3/pushrules': 'getPushRules',
    '/_matrix/federation/v1/query/directory': 'queryRoomDirectory',
    '/_matrix/federation/v1/query/other': 'queryInfo',
    '/_matrix/client/v3/nothing': undefined,
  }
  for (const [path, id] of Object.entries(cases)) assert.equal(findOperation('GET', path)?.id, id, path)
  assert.equal(findOperation('PATCH', SYNC), undefined)
})

test('good responses pass', needsSpec(), () => {
  const good: [string, string, number, unknown][] = [
    ['GET', '/_matrix/client/versions', 200, { versions: ['v1.1'] }],
    ['GET', SYNC, 200, syncWith(MEMBER)],
    ['GET', SYNC, 200, syncWith({ ...MEMBER, content: {}, unsigned: { redacted_because: {} } })],
    ['GET', SYNC, 401, { errcode: 'M_UNKNOWN_TOKEN', error: 'no', soft_logout: true }],
    ['POST', '/_matrix/client/v3/register', 401, { session: 's', flows: [{ stages: ['m.login.dummy'] }] }],
    ['GET', '/_matrix/client/v3/nothing', 404, { errcode: 'M_UNRECOGNIZED', error: 'no' }],
    ['GET', '/_matrix/client/v1/media/download/x/y', 200, undefined],
    ['GET', '/_synapse/admin/v1/anything', 200, 7],
    ['POST', '/_matrix/client/v3/rooms/!r:x/invite', 200, {}],
  ]
  for (const [method, path, status, body] of good)
    assert.deepEqual(validateResponse(method, path, status, body), [], `${method} ${path} ${status}`)
})

test('planted faults are found', needsSpec(), () => {
  const avatar = { ...MEMBER, content: { membership: 'join', avatar_url: 'http://x/y' } }
  const bad: [RegExp, string, string, number, unknown][] = [
    [/\/next_batch: must be string/, 'GET', SYNC, 200, { next_batch: 7 }],
    [/required property 'next_batch'/, 'GET', SYNC, 200, {}],
    [/must be object/, 'GET', SYNC, 200, []],
    [/has no JSON body/, 'GET', SYNC, 200, undefined],
    [/does not know this status/, 'GET', SYNC, 201, { next_batch: 's' }],
    [/does not know this status/, 'GET', SYNC, 500, { errcode: 'M_UNKNOWN', error: 'x' }],
    [/is no error code/, 'GET', SYNC, 418, { next_batch: 's' }],
    [/is no error code/, 'GET', SYNC, 401, undefined],
    [/required property 'flows'/, 'POST', '/_matrix/client/v3/register', 401, { session: 's' }],
    [/required property 'sender'/, 'GET', SYNC, 200, syncWith({ ...MEMBER, sender: undefined })],
    [/sender: must match pattern/, 'GET', SYNC, 200, syncWith({ ...MEMBER, sender: 'alice' })],
    [/origin_server_ts: must/, 'GET', SYNC, 200, syncWith({ ...MEMBER, origin_server_ts: 2 ** 60 })],
    [/m.room.member.*membership/, 'GET', SYNC, 200, syncWith({ ...MEMBER, content: { membership: 'x' } })],
    [/m.room.member.*avatar_url/, 'GET', SYNC, 200, syncWith(avatar)],
    [/no such operation/, 'GET', '/_matrix/client/v3/nothing', 200, {}],
    [/no such operation/, 'GET', '/_matrix/client/v3/nothing', 404, { errcode: 'M_NOT_FOUND', error: '' }],
  ]
  for (const [expected, method, path, status, body] of bad)
    assert.match(validateResponse(method, path, status, clean(body)).join('\n'), expected)
})

test('the content of events is left alone on request', needsSpec(), () => {
  const body = syncWith({ ...MEMBER, content: { membership: 'x' } })
  assert.deepEqual(validateResponse('GET', SYNC, 200, body, { events: false }), [])
})

/** As it arrives: without what JSON cannot say. */
const clean = (body: unknown) => (body === undefined ? undefined : JSON.parse(JSON.stringify(body)))
