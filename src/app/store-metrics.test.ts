import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { metricsProm } from '#/adapters/metrics-prom.ts'
import { realWorld } from '#/base/world.ts'
import { openSqliteInline } from '#/storage/sqlite/store.ts'
import { measureStore } from './store-metrics.ts'

const ROOM = { op: 'room.create', roomId: '!a:x', version: '12' } as const

test('events that are written are counted, and the position is the newest', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-metrics-'))
  after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'a.db')
  await using store = openSqliteInline({ path, serverName: 'x', world: realWorld, pauseMsMax: 0 })
  const metrics = metricsProm({ process: false })
  const stop = measureStore(store, metrics)
  const read = async (): Promise<string[]> =>
    (await metrics.expose()).text.split('\n').filter((line) => line.startsWith('synapse_'))
  const { results } = (await store.commit({ lane: '!a:x', ops: [ROOM] })) as { results: readonly unknown[] }
  const event = {
    slot: 0,
    room: results[0] as number,
    type: 'm.room.message',
    stateKey: null,
    sender: '@a:x',
  }
  const rest = { ts: 1, depth: 1, json: '{}', flags: 0, rejectedRule: null, authEvents: [], live: true }
  for (const eventId of ['$1', '$2']) {
    const plan = { lane: '!a:x', ops: [{ op: 'event.insert', eventId, ...event, ...rest }] } as const
    assert.ok((await store.commit(plan)).ok)
  }
  assert.deepEqual(await read(), [
    'synapse_storage_events_persisted_events_total 2',
    `synapse_event_persisted_position{name="master"} ${store.position()}`,
  ])
  stop()
})
