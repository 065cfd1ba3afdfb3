import assert from 'node:assert/strict'
import { test } from 'node:test'
import { operations } from '../spec/operations.ts'
import { coveredBy } from '../support/covers.ts'
import { endpointsDoc, uncovered, unknownCoverage, wrongLinks } from './endpoints.ts'

test('the list tells served from missing, and covered from not', () => {
  const routes = [
    { method: 'GET', path: '/_matrix/client/v3/sync', spec: 'client-server-api/#get_matrixclientv3sync' },
    { method: 'PUT', path: '/_matrix/client/v3/x/:a', also: ['/_matrix/client/v3/profile/:u/:k'], spec: 'x' },
    { method: 'POST', path: '/_synapse/admin/v1/register', spec: 'own' },
    { method: 'GET', path: '/_matrix/client/v3/joined_rooms', spec: 'client-server-api/#wrong' },
  ]
  const coverage = new Map([
    ['GET /_matrix/client/v3/sync', ['tests/api/sync.test.ts']],
    ['GET /_matrix/client/v3/nothing', ['tests/api/x.test.ts']],
  ])
  const lines = endpointsDoc(operations(), routes, coverage).split('\n')
  const line = (part: string) => lines.filter((each) => each.includes(part))
  assert.match(line('`/_matrix/client/v3/sync`')[0] ?? '', /\| served \| `sync.test.ts` \|$/)
  assert.match(line('PUT `/_matrix/client/v3/profile/{userId}/{keyName}`')[0] ?? '', /\| served \| {2}\|$/)
  assert.match(line('`/_matrix/client/v3/initialSync`')[0] ?? '', /\(deprecated\) \| not yet \| {2}\|$/)
  assert.deepEqual(line('_synapse'), ['| POST `/_synapse/admin/v1/register` | own |  |'])
  assert.equal(line('3 of 233 operations are served; 1 of them').length, 1)
  assert.equal(wrongLinks(operations(), routes).length, 1)
  assert.match(wrongLinks(operations(), routes)[0] ?? '', /joined_rooms: spec is/)
  assert.deepEqual(
    uncovered(operations(), routes, new Set(['GET /_matrix/client/v3/sync', 'POST /_matrix/nothing'])),
    [
      'GET /_matrix/client/v3/joined_rooms',
      'POST /_synapse/admin/v1/register',
      'PUT /_matrix/client/v3/profile/{userId}/{keyName}',
    ],
  )
  assert.deepEqual(unknownCoverage(operations(), routes, coverage), [
    `tests/api/x.test.ts: covers('GET /_matrix/client/v3/nothing') is no endpoint`,
  ])
})

test('covers() is read from the text of a test file', () => {
  const text = `covers('GET /a',\n  'PUT /b/{c}',\n)\n// covers('GET /no')\ncovers('POST /d')\n`
  assert.deepEqual(coveredBy(text), ['GET /a', 'PUT /b/{c}', 'POST /d'])
  assert.deepEqual(coveredBy(`${text}coversPart('GET /e')\n`, 'coversPart'), ['GET /e'])
})
