import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type LogLine, memoryLog } from '#/base/log.ts'
import type { Plan } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import { ManualWorld } from '../../../tests/support/manual-world.ts'
import { LastSeen, type Seen } from './last-seen.ts'
import { LAST_SEEN_ROWS, LAST_SEEN_WRITE_MS, USER_AGENT_CHARS_MAX } from './limits.ts'

function bench(commit: (plan: Plan) => Promise<unknown>) {
  const world = new ManualWorld()
  const log: LogLine[] = []
  const lastSeen = new LastSeen({ store: { commit } as Store, clock: world.clock, log: memoryLog(log) })
  return { world, log, lastSeen }
}

const seen = (ts: number, agent?: string): Seen => ({ ts, ip: '192.0.2.1', agent, waits: false })

test('many uses are one write a minute later, with the last of them', async () => {
  const plans: Plan[] = []
  const { world, lastSeen } = bench(async (plan) => void plans.push(plan))
  const one = seen(1, 'x'.repeat(1000))
  lastSeen.note('@u:x', 'A', one)
  one.ts = 5
  lastSeen.note('@u:x', 'A', one)
  lastSeen.note('@u:x', 'B', seen(2))
  assert.deepEqual([...lastSeen.of('@u:x').keys()], ['A', 'B'])
  await world.pass(LAST_SEEN_WRITE_MS - 1)
  assert.equal(plans.length, 0)
  await world.pass(1)
  const agent = 'x'.repeat(USER_AGENT_CHARS_MAX)
  const devices = [
    { user: '@u:x', device: 'A', ts: 5, ip: '192.0.2.1', agent },
    { user: '@u:x', device: 'B', ts: 2, ip: '192.0.2.1', agent: null },
  ]
  assert.deepEqual(plans, [{ lane: 'last seen', ops: [{ op: 'device.seen', devices }] }])
  await world.pass(10 * LAST_SEEN_WRITE_MS)
  assert.equal(plans.length, 1, 'nothing more without use')
  lastSeen.note('@u:x', 'A', one)
  await lastSeen.close()
  assert.equal(plans.length, 2, 'the end writes the rest')
})

test('one plan is bounded; what cannot be written is said in the log and harms nobody', async () => {
  let calls = 0
  const { world, log, lastSeen } = bench(async () => {
    if (++calls === 1) throw new Error('no')
  })
  for (let n = 0; n <= LAST_SEEN_ROWS; n++) lastSeen.note('@u:x', `D${n}`, seen(n + 1))
  await world.pass(LAST_SEEN_WRITE_MS)
  assert.equal(calls, 2)
  assert.equal(log.length, 1)
  assert.equal(log[0]?.level, 'warn')
})
