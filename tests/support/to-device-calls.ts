/** Messages to devices, as one-liners over the test client. */
import type { ApiClient, CallOptions, Json } from './api-client.ts'
import { sync, V3 } from './room-calls.ts'

export function sendUrl(type: string, txnId: string): string {
  return `${V3}/sendToDevice/${encodeURIComponent(type)}/${encodeURIComponent(txnId)}`
}

/** Sends `{ n }` to each of some devices of a user. */
export function tell(
  who: ApiClient,
  to: ApiClient,
  n: number | string,
  devices: readonly string[] = [to.deviceId],
  txnId = who.txn(),
): Promise<Json> {
  const messages = { [to.userId]: Object.fromEntries(devices.map((device) => [device, { n }])) }
  return who.put(sendUrl('m.test', txnId), { messages })
}

export interface Received {
  readonly got: (number | string)[]
  readonly next: string
}

/** What a sync gives of messages sent by `tell`. */
export async function receive(
  who: ApiClient,
  since: string | undefined,
  timeout = 0,
  options?: CallOptions,
): Promise<Received> {
  const answer = await sync(who, { since, timeout }, options)
  const events: Json[] = answer.to_device?.events ?? []
  return { got: events.map((event) => event.content.n), next: answer.next_batch }
}

/** All that waits, by as many syncs as it takes. */
export async function receiveAll(who: ApiClient, since?: string): Promise<Received> {
  const got: (number | string)[] = []
  for (let next = since; ; ) {
    const answer = await receive(who, next)
    got.push(...answer.got)
    if (answer.got.length === 0) return { got, next: answer.next }
    next = answer.next
  }
}
