/** `ui_auth.session_timeout`: one password for several changes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ServerOptions } from '#/app/server-options.ts'
import { coversPart } from '../../support/covers.ts'
import { ShiftedWorld } from '../../support/shifted-world.ts'
import { TestServer } from '../../support/test-server.ts'

coversPart('DELETE /_matrix/client/v3/devices/{deviceId}', 'POST /_matrix/client/v3/delete_devices')

const V3 = '/_matrix/client/v3'
const lasting = (proofMs: number) => (options: ServerOptions) => ({
  ...options,
  accounts: { ...options.accounts, sessions: { ...options.accounts.sessions, proofMs } },
})

test('a proof counts for other devices to be deleted until its time is over', async () => {
  const world = new ShiftedWorld()
  const server = await TestServer.start({ world, configure: lasting(60_000) })
  try {
    const first = await server.user('alice')
    const others = [await server.device(first), await server.device(first), await server.device(first)]
    const alice = await server.device(first)
    const [a, b, c] = others.map((device) => device.deviceId)
    await alice.ok('DELETE', `${V3}/devices/${a}`, {})
    await alice.post(`${V3}/delete_devices`, { devices: [b] })
    const asked = await first.call('DELETE', `${V3}/devices/${c}`, {})
    assert.equal(asked.status, 401, 'what one device has proven does not count for another')
    world.pass(60_000)
    const late = await alice.call('DELETE', `${V3}/devices/${c}`, {})
    assert.equal(late.status, 401)
    const identifier = { type: 'm.id.user', user: alice.userId }
    const auth = { type: 'm.login.password', identifier, password: 'a password', session: late.json.session }
    await alice.ok('DELETE', `${V3}/devices/${c}`, { auth })
    await alice.ok('DELETE', `${V3}/devices/${first.deviceId}`, {})
  } finally {
    await server.close()
  }
})

test('what ends an account or changes its password always asks', async () => {
  const server = await TestServer.start({ configure: lasting(60_000) })
  try {
    const alice = await server.device(await server.user('alice'))
    const calls = [
      [`${V3}/account/deactivate`, {}],
      [`${V3}/account/password`, { new_password: 'another one' }],
    ] as const
    for (const [path, body] of calls) assert.equal((await alice.call('POST', path, body)).status, 401)
  } finally {
    await server.close()
  }
})

test('without the option each change asks', async () => {
  const server = await TestServer.start()
  try {
    const first = await server.user('alice')
    const alice = await server.device(first)
    assert.equal((await alice.call('DELETE', `${V3}/devices/${first.deviceId}`, {})).status, 401)
  } finally {
    await server.close()
  }
})
