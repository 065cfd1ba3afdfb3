import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LiveServer, run } from '../support/live-server.ts'

const V3 = '/_matrix/client/v3'

test('search-rebuild has the index built anew when the server starts', async () => {
  await using server = await LiveServer.start({ engine: 'sqlite' })
  const { access_token: token } = await server.makeAccount('ann', 'a password')
  await server.call('POST', `${V3}/createRoom`, { name: 'A room of owls' }, token)
  const search = async (): Promise<number> => {
    const category = { room_events: { search_term: 'owls' } }
    const found = await server.call('POST', `${V3}/search`, { search_categories: category }, token)
    return (found as { search_categories: { room_events: { count: number } } }).search_categories.room_events
      .count
  }
  assert.equal(await search(), 1)
  const running = await run(['search-rebuild', '-c', server.configPath])
  assert.equal(running.code, 1, 'two processes do not share a database')
  assert.equal(await server.stop(), 0)
  const done = await run(['search-rebuild', '-c', server.configPath])
  assert.deepEqual([done.code, /built anew/.test(done.stdout)], [0, true], done.stderr)
  await server.resume()
  for (let tries = 0; ; tries++) {
    const category = { room_events: { search_term: 'owls' } }
    const body = JSON.stringify({ search_categories: category })
    const headers = { authorization: `Bearer ${token}` }
    const { status } = await fetch(`${server.url}${V3}/search`, { method: 'POST', body, headers })
    if (status === 200) break
    assert.equal(status, 429)
    assert.ok(tries < 100, 'the index is never whole')
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  assert.equal(await search(), 1)
})
