/** Sending messages to devices. https://spec.matrix.org/v1.19/client-server-api/#send-to-device-messaging */
import { createHash } from 'node:crypto'
import type { Clock } from '#/base/world.ts'
import type { Op } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import type { ToDeviceMessage } from '#/ports/store/to-device.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import { INBOX_CHARS_MAX, INBOX_MESSAGES_MAX, TO_DEVICE_DEVICES_MAX, TO_DEVICE_USERS_MAX } from './limits.ts'

/** A message to one device, or with `*` to all devices of a user. */
export interface Addressed {
  readonly user: string
  readonly device: string
  /** JSON. */
  readonly content: string
}

/** Takes along messages to users of other servers, in the plan that stores those of users here. */
export type OutsideMessages = (sender: string, type: string, messages: readonly Addressed[]) => readonly Op[]

export interface ToDeviceDeps {
  readonly store: Store
  readonly clock: Clock
  readonly serverName: ServerName
  /** Absent where there are no other servers: messages to their users are left out. */
  readonly outside?: OutsideMessages
}

const BOUNDS = { messages: INBOX_MESSAGES_MAX, chars: INBOX_CHARS_MAX }

export class ToDeviceService {
  readonly #deps: ToDeviceDeps

  constructor(deps: ToDeviceDeps) {
    this.#deps = deps
  }

  /**
   * Sends messages; a transaction of a device is carried out once. Devices that are not there are left out.
   * @throws MatrixError M_TOO_LARGE for more devices than one request may name
   */
  async send(
    sender: { readonly userId: string; readonly deviceId: string },
    type: string,
    txnId: string,
    messages: readonly Addressed[],
  ): Promise<void> {
    const { store, clock, serverName, outside } = this.#deps
    const here = messages.filter(({ user }) => serverOf(user) === serverName)
    const op: Op = {
      op: 'to_device.put',
      sender: sender.userId,
      type,
      txn: digestOf('client', sender.userId, sender.deviceId, type, txnId),
      ts: clock.now(),
      messages: grouped(here),
      bounds: BOUNDS,
    }
    const away = here.length === messages.length ? [] : messages.filter((message) => !here.includes(message))
    const ops = [op, ...(outside?.(sender.userId, type, away) ?? [])]
    const result = await store.commit({ lane: sender.userId, ops })
    if (!result.ok && result.conflict !== 'txn')
      throw new Error(`messages met the conflict ${result.conflict}`)
  }

  /**
   * Takes messages of another server, each id of it once. Whoever calls has checked that the sender is of `origin`.
   * https://spec.matrix.org/v1.19/server-server-api/#send-to-device-messaging
   */
  async receive(
    origin: ServerName,
    messageId: string,
    sender: string,
    type: string,
    messages: readonly Addressed[],
  ): Promise<void> {
    const { store, clock, serverName } = this.#deps
    const here = messages.filter(({ user }) => serverOf(user) === serverName)
    const txn = digestOf('server', origin, messageId)
    const op = { op: 'to_device.put', sender, type, txn, ts: clock.now(), bounds: BOUNDS } as const
    const result = await store.commit({ lane: sender, ops: [{ ...op, messages: grouped(here) }] })
    if (!result.ok && result.conflict !== 'txn')
      throw new Error(`messages met the conflict ${result.conflict}`)
  }
}

function serverOf(user: string): string {
  return user.slice(user.indexOf(':') + 1)
}

/** 128 bits over texts, each led by its length. */
function digestOf(...texts: readonly string[]): string {
  const hash = createHash('sha256')
  for (const text of texts) hash.update(`${text.length}:${text}`)
  return hash.digest('hex').slice(0, 32)
}

/** Equal contents as one message. `*` stands for all devices of its user, whatever else is said of them. */
function grouped(messages: readonly Addressed[]): ToDeviceMessage[] {
  const all = new Set<string>()
  for (const { user, device } of messages) if (device === '*') all.add(user)
  const byContent = new Map<string, { devices: { user: string; device: string }[]; users: string[] }>()
  for (const { user, device, content } of messages) {
    if (device !== '*' && all.has(user)) continue
    const group = byContent.get(content) ?? { devices: [], users: [] }
    byContent.set(content, group)
    if (device === '*') group.users.push(user)
    else group.devices.push({ user, device })
  }
  const devices = [...byContent.values()].reduce((sum, group) => sum + group.devices.length, 0)
  if (devices > TO_DEVICE_DEVICES_MAX || all.size > TO_DEVICE_USERS_MAX) {
    throw new MatrixError('M_TOO_LARGE', 'The request names too many devices.')
  }
  return [...byContent].map(([content, group]) => ({ content, ...group }))
}
