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
  /** Of a message about a request for keys. */
  readonly request?: KeyRequest | undefined
}

/** Which request for keys a message is, or takes back. https://spec.matrix.org/v1.19/client-server-api/#mroom_key_request */
export interface KeyRequest {
  readonly device: string
  readonly id: string
  readonly cancels: boolean
}

/** What is known of what devices were given, so that a request for keys can be taken back before it is given. */
export interface GivenMarks {
  /** Positions up to which devices of a user may have been given messages; `floor` for all that are not named. */
  of(user: string): { readonly floor: number; readonly devices: ReadonlyMap<string, number> }
  /** Gives users nothing until a plan that takes requests back is done. */
  hold(users: ReadonlySet<string>, done: Promise<unknown>): void
}

/** Takes along messages to users of other servers, in the plan that stores those of users here. */
export type OutsideMessages = (sender: string, type: string, messages: readonly Addressed[]) => readonly Op[]

export interface ToDeviceDeps {
  readonly store: Store
  readonly clock: Clock
  readonly serverName: ServerName
  readonly given: GivenMarks
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
    const { clock, serverName, outside } = this.#deps
    const here = messages.filter(({ user }) => serverOf(user) === serverName)
    const op: Op = {
      op: 'to_device.put',
      sender: sender.userId,
      type,
      txn: digestOf('client', sender.userId, sender.deviceId, type, txnId),
      ts: clock.now(),
      messages: this.#grouped(sender.userId, here),
      bounds: BOUNDS,
    }
    const away = messages.filter(({ user }) => serverOf(user) !== serverName)
    const ops = [op, ...(outside?.(sender.userId, type, away) ?? [])]
    await this.#commit(sender.userId, ops, here)
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
    const { clock, serverName } = this.#deps
    const here = messages.filter(({ user }) => serverOf(user) === serverName)
    const txn = digestOf('server', origin, messageId)
    const op = { op: 'to_device.put', sender, type, txn, ts: clock.now(), bounds: BOUNDS } as const
    await this.#commit(sender, [{ ...op, messages: this.#grouped(sender, here) }], here)
  }

  async #commit(lane: string, ops: readonly Op[], messages: readonly Addressed[]): Promise<void> {
    const done = this.#deps.store.commit({ lane, ops })
    const cancelled = messages.filter(({ request }) => request?.cancels)
    if (cancelled.length > 0) this.#deps.given.hold(new Set(cancelled.map(({ user }) => user)), done)
    const result = await done
    if (!result.ok && result.conflict !== 'txn')
      throw new Error(`messages met the conflict ${result.conflict}`)
  }

  #grouped(sender: string, messages: readonly Addressed[]): ToDeviceMessage[] {
    return grouped(messages).map(({ request, ...message }) => {
      if (!request) return message
      const key = digestOf('request', sender, request.device, request.id)
      if (!request.cancels) return { ...message, request: key }
      const users = [...message.users, ...message.devices.map(({ user }) => user)]
      const marks = [...new Set(users)].map((user) => ({ user, ...this.#deps.given.of(user) }))
      const given = marks.flatMap(({ user, devices }) =>
        [...devices].map(([device, upto]) => ({ user, device, upto })),
      )
      const floor = marks.reduce((most, mark) => Math.max(most, mark.floor), 0)
      return { ...message, request: key, cancels: { floor, given } }
    })
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

interface Group {
  readonly content: string
  readonly request: KeyRequest | undefined
  readonly devices: { user: string; device: string }[]
  readonly users: string[]
}

/** Equal contents as one message. `*` stands for all devices of its user, whatever else is said of them. */
function grouped(messages: readonly Addressed[]): Group[] {
  const all = new Set<string>()
  for (const { user, device } of messages) if (device === '*') all.add(user)
  const byContent = new Map<string, Group>()
  for (const { user, device, content, request } of messages) {
    if (device !== '*' && all.has(user)) continue
    const group = byContent.get(content) ?? { content, request, devices: [], users: [] }
    byContent.set(content, group)
    if (device === '*') group.users.push(user)
    else group.devices.push({ user, device })
  }
  const devices = [...byContent.values()].reduce((sum, group) => sum + group.devices.length, 0)
  if (devices > TO_DEVICE_DEVICES_MAX || all.size > TO_DEVICE_USERS_MAX) {
    throw new MatrixError('M_TOO_LARGE', 'The request names too many devices.')
  }
  return [...byContent.values()]
}
