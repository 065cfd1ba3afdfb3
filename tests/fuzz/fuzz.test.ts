/**
 * Seeds of the fuzzer by a time budget. FUZZ_SEED replays one seed; FUZZ_SECONDS sets the budget, FUZZ_FROM the first
 * seed. Ids and times differ from run to run, so a replay is the same in kind, not in every byte.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fuzz } from './fuzz.ts'

const FULL = process.env['MYELIN_TEST_FULL'] !== undefined
const SECONDS_DEFAULT = FULL ? 180 : 10
const SECONDS = Number(process.env['FUZZ_SECONDS'] ?? SECONDS_DEFAULT)
const SEED = process.env['FUZZ_SEED']

test('whatever is sent, no answer is a 5xx or late, and every refusal is as specified (adv-34, adv-41)', async (t) => {
  const begun = performance.now()
  const first = Number(SEED ?? process.env['FUZZ_FROM'] ?? Math.floor(Date.now() / 1000) * 1000)
  const statuses: Record<string, number> = {}
  let seeds = 0
  do {
    const result = await fuzz(String(first + seeds++))
    for (const [digit, count] of Object.entries(result.statuses)) {
      statuses[digit] = (statuses[digit] ?? 0) + count
    }
  } while (SEED === undefined && performance.now() - begun < SECONDS * 1000)
  t.diagnostic(`${seeds} seeds from ${first}: ${JSON.stringify(statuses)}`)
  assert.ok(statuses['2']! > 0 && statuses['4']! > 0, 'the requests were all of one kind')
})
