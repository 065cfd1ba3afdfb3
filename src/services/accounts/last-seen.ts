/**
 * When, from where and with what program a device was used last. Kept in memory, since every request moves it, and
 * written once a minute for the devices that were used; a crash loses a minute.
 */
import type { Log } from '#/base/log.ts'
import type { Clock, Timer } from '#/base/world.ts'
import type { DeviceSeen } from '#/ports/store/accounts.ts'
import type { Store } from '#/ports/store/store.ts'
import { LAST_SEEN_ROWS, LAST_SEEN_WRITE_MS, USER_AGENT_CHARS_MAX } from './limits.ts'

/** The last use of one session, shared between the cache of sessions and what is to be written. */
export interface Seen {
  /** Milliseconds; 0 before the first use. */
  ts: number
  ip: string
  agent: string | undefined
  /** Whether it waits to be written. */
  waits: boolean
}

export class LastSeen {
  readonly #store: Store
  readonly #clock: Clock
  readonly #log: Log
  readonly #waiting = new Map<string, Map<string, Seen>>()
  #timer: Timer | undefined
  #writing: Promise<void> = Promise.resolve()
  #closed = false

  constructor(deps: { store: Store; clock: Clock; log: Log }) {
    this.#store = deps.store
    this.#clock = deps.clock
    this.#log = deps.log
  }

  /** Notes a use. Called with every request, so it does almost nothing. */
  note(userId: string, deviceId: string, seen: Seen): void {
    if (seen.waits || this.#closed) return
    seen.waits = true
    const devices = this.#waiting.get(userId)
    if (devices) devices.set(deviceId, seen)
    else this.#waiting.set(userId, new Map([[deviceId, seen]]))
    this.#timer ??= this.#clock.after(LAST_SEEN_WRITE_MS, () => {
      this.#timer = undefined
      void this.write()
    })
  }

  /** Uses that are not written yet, by device. */
  of(userId: string): ReadonlyMap<string, Seen> {
    return this.#waiting.get(userId) ?? new Map()
  }

  /** Writes what waits. What cannot be written is forgotten, since the next use says it better. */
  write(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write())
    return this.#writing
  }

  /** Writes the rest. */
  async close(): Promise<void> {
    this.#timer?.cancel()
    await this.write()
    this.#closed = true
  }

  async #write(): Promise<void> {
    const rows: DeviceSeen[] = []
    for (const [user, devices] of this.#waiting) {
      for (const [device, seen] of devices) {
        seen.waits = false
        const agent = seen.agent?.slice(0, USER_AGENT_CHARS_MAX).toWellFormed().replaceAll('\0', '') ?? null
        rows.push({ user, device, ts: seen.ts, ip: seen.ip, agent })
      }
    }
    this.#waiting.clear()
    for (let at = 0; at < rows.length; at += LAST_SEEN_ROWS) {
      const devices = rows.slice(at, at + LAST_SEEN_ROWS)
      try {
        await this.#store.commit({ lane: 'last seen', ops: [{ op: 'device.seen', devices }] })
      } catch (error) {
        this.#log.warn('last uses of devices could not be written', { devices: devices.length, error })
      }
    }
  }
}
