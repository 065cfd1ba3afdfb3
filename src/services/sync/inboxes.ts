/**
 * Messages to devices as syncs give them. What is known of an inbox is kept with the user who syncs, so that a sync of
 * a device without messages asks the store nothing. docs/decisions/0017-to-device-and-backup.md
 */
import type { Log } from '#/base/log.ts'
import type { Clock, Timer } from '#/base/world.ts'
import type { Store } from '#/ports/store/store.ts'
import { messageJson } from '../e2ee/message-json.ts'
import type { ActiveUser } from './active-user.ts'
import type { Given } from './given.ts'
import { Inbox } from './inbox.ts'
import {
  DELIVERED_AT_ONCE,
  DELIVERED_MS,
  DELIVERED_ROWS,
  TO_DEVICE_CHARS_MAX,
  TO_DEVICE_GIVEN_MAX,
} from './limits.ts'

export interface InboxesDeps {
  readonly store: Store
  readonly clock: Clock
  readonly log: Log
  readonly given: Given
}

/** Messages of one answer. */
export interface Messages {
  /** JSON texts in order of arrival. */
  readonly texts: readonly string[]
  /** The position up to which the client has all messages with them. */
  readonly reached: number
}

export class Inboxes {
  readonly #deps: InboxesDeps
  /** Up to where messages were delivered that are to be deleted. */
  #delivered = new Map<Inbox, number>()
  #timer: Timer | undefined
  #closed = false

  constructor(deps: InboxesDeps) {
    this.#deps = deps
  }

  /** The inbox of a device of a user who syncs; one without a device gets nothing. No promise where it is known. */
  of(user: ActiveUser, device: string): Inbox | Promise<Inbox> {
    if (device === '') return new Inbox(user.userId, device)
    const known = user.inboxes.get(device)
    if (known) return known.loading?.then(() => known) ?? known
    const inbox = new Inbox(user.userId, device)
    user.inboxes.set(device, inbox)
    const loading = this.#load(user, inbox)
    inbox.loading = loading
    return loading.then(() => inbox)
  }

  async #load(user: ActiveUser, inbox: Inbox): Promise<void> {
    try {
      const bounds = await this.#deps.store.toDevice.bounds(inbox.user, inbox.device)
      if (bounds) inbox.found(bounds.first, bounds.last)
      inbox.loading = undefined
    } catch (error) {
      user.inboxes.delete(inbox.device)
      throw error
    }
  }

  /** The client has come back with a position, which proves that it has the messages up to it: they are deleted soon. */
  confirm(inbox: Inbox, upto: number): void {
    if (inbox.first > upto || this.#closed) return
    inbox.confirmed(upto)
    this.#delivered.set(inbox, upto)
    if (this.#delivered.size >= DELIVERED_AT_ONCE) this.#flush()
    else this.#timer ??= this.#deps.clock.after(DELIVERED_MS, () => this.#flush())
  }

  /** Messages in (after, upto], as many as one answer may hold. */
  async page(inbox: Inbox, after: number, upto: number, limit = TO_DEVICE_GIVEN_MAX): Promise<Messages> {
    if (!inbox.hasNewsSince(after)) return { texts: [], reached: upto }
    const most = Math.min(limit, TO_DEVICE_GIVEN_MAX)
    const { user, device } = inbox
    const { given } = this.#deps
    await given.free(user)
    /* Before they are read: what is taken back from now on counts as given. */
    given.note(user, device, upto)
    const { toDevice } = this.#deps.store
    const { rows, more } = await toDevice.page(user, device, after, upto, most, TO_DEVICE_CHARS_MAX)
    const [first, last] = [rows[0], rows.at(-1)]
    inbox.read(first?.position, upto)
    return { texts: rows.map(messageJson), reached: more && last ? last.position : upto }
  }

  #flush(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    const delivered = this.#delivered
    this.#delivered = new Map()
    void this.#delete(delivered)
  }

  /* What fails here is proved again by the device's next request but one, or after a restart. */
  async #delete(delivered: ReadonlyMap<Inbox, number>): Promise<void> {
    const devices = [...delivered].map(([{ user, device }, upto]) => ({ user, device, upto }))
    try {
      const op = { op: 'to_device.delivered', devices, limit: DELIVERED_ROWS } as const
      const result = await this.#deps.store.commit({ lane: 'to_device', ops: [op] })
      const more = result.ok ? (result.results[0] as boolean[]) : []
      let index = 0
      for (const [inbox, upto] of delivered) if (more[index++]) inbox.found(0, upto)
    } catch (error) {
      this.#deps.log.warn('delivered messages could not be deleted yet', { error })
      for (const [inbox, upto] of delivered) inbox.found(0, upto)
    }
  }

  /** What was proved and not yet deleted is proved again after the next start. */
  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }
}
