/**
 * Seeds by a time budget. A failing one prints its history and the command that replays it. See README.md.
 *
 * SIM_SEED replays one seed; SIM_SECONDS sets the budget, SIM_FROM the first seed.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SeededRng } from './seeded-rng.ts'
import { type SimFailed, type SimResult, simulate } from './simulation.ts'

const FULL = process.env['MYELIN_TEST_FULL'] !== undefined
const SECONDS_DEFAULT = FULL ? 600 : 90
const SECONDS = Number(process.env['SIM_SECONDS'] ?? SECONDS_DEFAULT)
const SEED = process.env['SIM_SEED']
/** Fewer seeds than this in a second mean that something has become slow, or that the machine is overloaded. */
const SEEDS_PER_SECOND_MIN = 0.2
const HISTORY_LINES = 60

function explain(seed: string, { error, history }: SimFailed): string {
  return [
    ...history.slice(-HISTORY_LINES),
    `seed ${seed}: ${error.stack ?? error.message}`,
    `replay: SIM_SEED=${seed} node --test tests/sim/sim.test.ts`,
    `    or: node tests/sim/run.ts --seed ${seed} --lines 500`,
  ].join('\n')
}

async function pass(seed: string): Promise<SimResult> {
  const result = await simulate(seed)
  if ('error' in result) assert.fail(explain(seed, result))
  return result
}

describe('simulation', () => {
  if (SEED !== undefined) {
    it(`seed ${SEED}`, async (t) => {
      const { history, ...figures } = await pass(SEED)
      t.diagnostic(JSON.stringify({ ...figures, history: history.length }))
    })
    return
  }

  it('adv-52 every seed ends with the truth at every client, nothing missing, repeated or leaked', async (t) => {
    const begun = performance.now()
    /* Another stretch of seeds in each run; which one is in the message of a failure. */
    const first = Number(process.env['SIM_FROM'] ?? Math.floor(Date.now() / 1000) * 1000)
    const totals = { seeds: 0, operations: 0, requests: 0, events: 0, crashes: 0 }
    while (performance.now() - begun < SECONDS * 1000) {
      const result = await pass(String(first + totals.seeds))
      totals.seeds++
      for (const key of ['operations', 'requests', 'events', 'crashes'] as const) totals[key] += result[key]
    }
    t.diagnostic(`seeds from ${first}: ${JSON.stringify(totals)}`)
    assert.ok(totals.seeds >= SECONDS * SEEDS_PER_SECOND_MIN, `only ${totals.seeds} seeds in ${SECONDS} s`)
    assert.ok(totals.crashes > 0 && totals.events > totals.seeds, 'the seeds did nothing')
  })

  it('the same seed gives the same trace, another seed another one', async () => {
    for (const seed of ['same 1', 'same 2']) {
      const first = await pass(seed)
      const second = await pass(seed)
      assert.equal(second.hash, first.hash)
      assert.equal(second.steps, first.steps)
    }
    assert.notEqual((await pass('same 1')).hash, (await pass('same 3')).hash)
  })
})

it('the generator of a simulation is even enough, and its forks are independent', () => {
  const rng = new SeededRng('x')
  const counts = new Array<number>(10).fill(0)
  for (let i = 0; i < 10_000; i++) counts[rng.below(10)]!++
  for (const count of counts) assert.ok(count > 800 && count < 1200, `${counts}`)
  assert.equal(rng.fork('a').below(2 ** 30), new SeededRng('x').fork('a').below(2 ** 30))
  assert.notEqual(rng.fork('a').below(2 ** 30), rng.fork('b').below(2 ** 30))
})
