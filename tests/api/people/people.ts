/** What tests of people share. */
import assert from 'node:assert/strict'
import type { ServerOptions } from '#/app/server-options.ts'
import { type Clock, realWorld, type World } from '#/base/world.ts'
import type { ApiClient } from '../../support/api-client.ts'
import { TestServer, type TestServerOptions } from '../../support/test-server.ts'

/** A server for one test. */
export async function withServer(
  options: TestServerOptions,
  run: (server: TestServer) => Promise<void>,
): Promise<void> {
  const server = await TestServer.start(options)
  try {
    await run(server)
    assert.deepEqual(
      server.log.filter((line) => line.level === 'error'),
      [],
    )
  } finally {
    await server.close()
  }
}

/** Options of people changed. */
export function people(change: Partial<ServerOptions['people']>): TestServerOptions {
  return { configure: (plain) => ({ ...plain, people: { ...plain.people, ...change } }) }
}

/** A new account that is an administrator. */
export async function administrator(server: TestServer): Promise<ApiClient> {
  const admin = await server.user('admin')
  await server.store.commit({
    lane: admin.userId,
    ops: [{ op: 'account.flags', user: admin.userId, admin: true }],
  })
  const again = await server.device(admin)
  return again
}

/** The real world, but for a wall clock that a test moves ahead. */
export class LaterWorld implements World {
  readonly rng = realWorld.rng
  /** Milliseconds since the epoch; stands still. */
  time = realWorld.clock.now()
  readonly clock: Clock = { ...realWorld.clock, now: () => this.time }
}
