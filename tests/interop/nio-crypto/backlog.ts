import assert from 'node:assert/strict'
import type { LiveServer } from '../../support/live-server.ts'
import { until } from '../conversation.ts'
import { type NioDevice, type NioLogin, tellAll } from './devices.ts'
import { rawLogin, rawToDevice } from './raw.ts'
import type { Stage } from './talk.ts'

const MESSAGES = 10_000
/** They send at the same time, each one message after the other. */
const SENDERS = 8
/** To-device messages of one sync answer: what the server gives at most. */
const ANSWER_MAX = 100

/**
 * A device misses 10,000 to-device messages that mean nothing to it, with one room key among them. It gets all of them
 * in answers of bounded size, those of each sender in order, each once, and reads what the key was for.
 */
export async function backlog(stage: Stage): Promise<void> {
  const { server, devices, room } = stage
  const [alice1, bob2] = [devices[0]!, devices[3]!]
  const senders = await Promise.all(Array.from({ length: SENDERS }, () => rawLogin(server, 'carol')))
  await bob2.stop()
  await noise(server, senders, bob2, 0, MESSAGES / 2)
  await alice1.newSession(room)
  await tellAll(alice1, stage, 'in the middle of it all')
  await noise(server, senders, bob2, MESSAGES / 2, MESSAGES)
  const before = bob2.syncs.length
  await bob2.reopen()
  const since = () => bob2.syncs.slice(before)
  const heard = () => since().flatMap((sync) => sync.noise)
  for (let so = 0; so < MESSAGES; so = heard().length) {
    await until(
      () => heard().length > so,
      () => `bob2 has ${so} of ${MESSAGES} messages ${bob2.broken ?? ''}`,
    )
  }
  await bob2.reads('in the middle of it all')
  const numbers = heard()
  assert.equal(numbers.length, MESSAGES)
  assert.equal(new Set(numbers).size, MESSAGES)
  for (let lane = 0; lane < SENDERS; lane++) {
    const ofLane = numbers.filter((n) => n % SENDERS === lane)
    assert.ok(
      ofLane.every((n, i) => i === 0 || n > ofLane[i - 1]!),
      'in order',
    )
  }
  for (const { messages } of since()) assert.ok(messages <= ANSWER_MAX, `${messages} in one answer`)
  await tellAll(bob2, stage, 'caught up')
}

/** Messages `from` up to `to`; each sender sends those of its lane in order. */
async function noise(
  server: LiveServer,
  senders: readonly NioLogin[],
  to: NioDevice,
  from: number,
  end: number,
): Promise<void> {
  await Promise.all(
    senders.map(async (sender, lane) => {
      for (let n = from + lane; n < end; n += SENDERS) {
        await rawToDevice(server, sender, to, { type: 'org.example.noise', txn: `noise${n}`, content: { n } })
      }
    }),
  )
}
