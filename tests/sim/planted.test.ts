/** The oracles find bugs that are put into the store on purpose. See README.md. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { PLANTED } from './planted.ts'
import { simulate } from './simulation.ts'

/** Seeds in which a planted bug must be found. */
const PLANTED_SEEDS_MAX = 60

describe('the oracles find planted bugs', () => {
  for (const [name, { plant, found }] of Object.entries(PLANTED)) {
    it(name, async (t) => {
      for (let seed = 1; seed <= PLANTED_SEEDS_MAX; seed++) {
        const result = await simulate(`planted ${seed}`, { plant: plant() })
        if (!('error' in result)) continue
        assert.match(result.error.message, found)
        t.diagnostic(`found by seed ${seed}: ${result.error.message.slice(0, 160)}`)
        return
      }
      assert.fail(`not found in ${PLANTED_SEEDS_MAX} seeds`)
    })
  }
})
