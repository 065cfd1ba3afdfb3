import assert from 'node:assert/strict'
import { until } from '../conversation.ts'
import type { NioDevice } from './devices.ts'

/**
 * Two devices verify each other by short authentication strings over to-device messages. matrix-nio has no cross-signing:
 * each device trusts the one it has verified, and no other of the same user.
 */
export async function compareSigns(one: NioDevice, other: NioDevice): Promise<void> {
  const txn = (await one.ask('verify', { user: other.userId, device: other.deviceId })) as string
  const newsOf = (device: NioDevice) => device.sas.filter((news) => news.txn === txn)
  const signsOf = (device: NioDevice) => newsOf(device).find(({ step }) => step === 'signs')?.signs
  await until(
    () => signsOf(one) !== undefined && signsOf(other) !== undefined,
    () => `${one.who} and ${other.who} see signs: ${JSON.stringify([newsOf(one), newsOf(other)])}`,
  )
  assert.deepEqual(signsOf(one), signsOf(other))
  await Promise.all([one.ask('confirm', { txn }), other.ask('confirm', { txn })])
  await until(
    async () => (await one.trusts(other)) && (await other.trusts(one)),
    () => `${one.who} and ${other.who} trust each other: ${JSON.stringify([newsOf(one), newsOf(other)])}`,
  )
}
