import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import pg from 'pg'
import { memoryLog } from '#/base/log.ts'
import { StoreError } from '#/base/store-error.ts'
import { realWorld } from '#/base/world.ts'
import { fill } from '../../../tests/support/filled-database.ts'
import { SCRIPT_SERVER } from '../../../tests/support/room-script.ts'
import { postgresSkip, testDatabase } from '../../../tests/support/test-postgres.ts'
import { openPostgres } from '../postgres/store.ts'
import { runVerify } from './run-verify.ts'

describe('verify on PostgreSQL', { skip: postgresSkip }, () => {
  it('finds nothing in a clean database, and what was changed in another', async () => {
    await using database = await testDatabase()
    const target = { connectionString: database.url }
    const onFatal = (error: Error): never => assert.fail(error)
    {
      await using store = await openPostgres({ target, serverName: SCRIPT_SERVER, world: realWorld, onFatal })
      await fill(store)
    }
    const verify = () => runVerify({ database: { engine: 'postgres', target }, log: memoryLog([]) })
    const clean = await verify()
    assert.deepEqual(clean.findings, [])
    assert.ok((clean.checked['events'] ?? 0) > 600 && (clean.checked['state_delta_chunks'] ?? 0) > 0)

    const client = new pg.Client({ connectionString: database.url })
    await client.connect()
    await client.query(`UPDATE events SET json = replace(json, 'message 7', 'message 8')`)
    await client.query('UPDATE room_heads SET invited = invited + 1')
    await client.query(`UPDATE state_delta_chunks SET data = '\\x80'`)
    await client.query(
      'UPDATE state_branches SET nid = 9007199254740991 WHERE nid = (SELECT MAX(nid) FROM state_branches)',
    )
    await client.end()
    const { counts } = await verify()
    for (const kind of [
      'event.checksum',
      'event.content_hash',
      'room.invited',
      'state.packed',
      'meta.position',
    ]) {
      assert.ok((counts[kind] ?? 0) > 0, `${kind}: ${JSON.stringify(counts)}`)
    }
  })

  it('refuses an empty database', async () => {
    await using database = await testDatabase()
    const location = { engine: 'postgres', target: { connectionString: database.url } } as const
    const run = runVerify({ database: location, log: memoryLog([]) })
    await assert.rejects(run, (error) => error instanceof StoreError && error.kind === 'refused')
  })
})
