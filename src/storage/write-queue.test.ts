/** How the queue of plans answers a group. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Plan } from '#/ports/store/plan.ts'
import { handTurns } from '../../tests/support/hand-turns.ts'
import { Announcer } from './announcer.ts'
import { ANSWERS_PER_TURN } from './limits.ts'
import { WriteQueue } from './write-queue.ts'

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('a large group is answered over several turns, in order, after everybody was told of it', async () => {
  const { clock, turn } = handTurns()
  const announcer = new Announcer(0)
  const writer = {
    depth: 1,
    apply: async (plans: readonly Plan[]) => ({
      outcomes: plans.map(() => ({ ok: true as const, results: [], position: 7 })),
      changes: [{ stream: 'account_data' as const, position: 7, user: '@a:x' }],
      position: 7,
    }),
  }
  const queue = new WriteQueue(writer, clock, announcer, assert.fail)
  const seen: (number | 'told')[] = []
  announcer.onChange(() => seen.push('told'))
  const count = 2 * ANSWERS_PER_TURN + 1
  for (let n = 0; n < count; n++) void queue.commit({ lane: 'l', ops: [] }).then(() => seen.push(n))
  turn()
  await settled()
  assert.equal(seen.length, 1 + ANSWERS_PER_TURN)
  turn()
  await settled()
  turn()
  await settled()
  assert.deepEqual(seen, ['told', ...Array(count).keys()])
})

test('a small group is answered at once, and asks for no further turn', async () => {
  const { clock, turn } = handTurns()
  const writer = {
    depth: 1,
    apply: async (plans: readonly Plan[]) => ({
      outcomes: plans.map(() => ({ ok: true as const, results: [], position: 1 })),
      changes: [],
      position: 1,
    }),
  }
  const queue = new WriteQueue(writer, clock, new Announcer(0), assert.fail)
  let answered = 0
  for (let n = 0; n < ANSWERS_PER_TURN; n++) void queue.commit({ lane: 'l', ops: [] }).then(() => answered++)
  turn()
  await settled()
  assert.deepEqual([answered, turn()], [ANSWERS_PER_TURN, 0])
})
