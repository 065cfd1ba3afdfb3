/**
 * Messages to devices exactly once, by seeds. SIM_SEED replays one; SIM_SEEDS sets how many, SIM_FROM the first:
 * `SIM_SEEDS=1000 SIM_FROM=1 node --test tests/sim/to-device.test.ts`
 */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { simulateToDevice } from './to-device.ts'

const SEED = process.env['SIM_SEED']
const SEEDS = Number(process.env['SIM_SEEDS'] ?? (process.env['MYELIN_TEST_FULL'] === undefined ? 12 : 1000))
const FROM = Number(process.env['SIM_FROM'] ?? 1)
const HISTORY_LINES = 60

it('every message reaches each of its devices once and in order, whatever falls over', async (t) => {
  const seeds = SEED === undefined ? Array.from({ length: SEEDS }, (_, i) => String(FROM + i)) : [SEED]
  const totals = { sent: 0, received: 0, crashes: 0, requests: 0 }
  for (const seed of seeds) {
    const result = await simulateToDevice(seed)
    if ('error' in result) {
      const lines = result.history.slice(-HISTORY_LINES).join('\n')
      assert.fail(
        `${lines}\nseed ${seed}: ${result.error.stack}\nreplay: SIM_SEED=${seed} node --test tests/sim/to-device.test.ts`,
      )
    }
    for (const key of ['sent', 'received', 'crashes', 'requests'] as const) totals[key] += result[key]
  }
  t.diagnostic(`seeds from ${seeds[0]}: ${JSON.stringify({ seeds: seeds.length, ...totals })}`)
  assert.ok(totals.received > seeds.length && totals.crashes > seeds.length / 5, 'the seeds did nothing')
})
