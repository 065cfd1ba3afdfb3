/**
 * Delayed events: sent after a time unless their sender prevents it, for clients that may vanish (MSC4140). A row
 * holds the event until the plan that sends it takes the row away, so each is sent once whatever happens.
 * https://github.com/matrix-org/matrix-spec-proposals/pull/4140
 */
import { Lru } from '#/base/lru.ts'
import type { World } from '#/base/world.ts'
import type { DelayedRow } from '#/ports/store/delayed.ts'
import type { Op } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import { canonicalJson } from '#/protocol/json/canonical.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import type { JobHandler } from '../jobs/scheduler.ts'
import { DELAYED_CONTENT_CHARS_MAX, RECENT_TXNS_MAX } from './limits.ts'
import { isLeaving, refuseUnmeant } from './own-content.ts'
import { WriteRefused } from './room-writer.ts'
import type { Sender, SendService, Transaction } from './send.ts'

export const DELAYED_KIND = 'delayed_event'

/** Random bytes of a delay id: who knows it may act on it. */
const ID_BYTES = 18

export interface DelayedOptions {
  /** `max_event_delay_duration` in milliseconds; undefined turns delayed events off. */
  readonly maxDelayMs: number | undefined
  /** Delayed events that one user may hold. */
  readonly perUserMax: number
}

/** An event to be sent later. */
export interface Later {
  readonly roomId: string
  readonly type: string
  /** Absent for message events. */
  readonly stateKey?: string | undefined
  readonly content: JsonObject
  readonly delayMs: number
}

export class DelayedEventService {
  readonly #store: Store
  readonly #world: World
  readonly #send: SendService
  readonly #options: DelayedOptions
  readonly #onJob: () => void
  /** What transactions gave whose events are sent or cancelled already. */
  readonly #recent = new Lru<string, string>(RECENT_TXNS_MAX)

  constructor(deps: {
    store: Store
    world: World
    send: SendService
    options: DelayedOptions
    /** A durable job was added. */
    onJob: () => void
  }) {
    this.#store = deps.store
    this.#world = deps.world
    this.#send = deps.send
    this.#options = deps.options
    this.#onJob = deps.onJob
  }

  /**
   * Schedules an event; gives its delay id when it is on disk, the same one for the same transaction.
   * Throws M_FORBIDDEN where delayed events are off, the delay is too long or the user is not in the room;
   * M_LIMIT_EXCEEDED when they hold too many; M_TOO_LARGE.
   */
  async schedule(from: Sender, later: Later, transaction: Transaction): Promise<string> {
    const { maxDelayMs, perUserMax } = this.#options
    if (maxDelayMs === undefined) throw new MatrixError('M_FORBIDDEN', 'Delayed events are off here.')
    if (later.delayMs > maxDelayMs) {
      throw new MatrixError('M_FORBIDDEN', `An event may be delayed by at most ${maxDelayMs} ms here.`)
    }
    refuseUnmeant({ ...later, sender: from.userId })
    const content = canonicalJson(later.content)
    if (content.length > DELAYED_CONTENT_CHARS_MAX) {
      throw new MatrixError('M_TOO_LARGE', 'The event is too large.')
    }
    const txn = `${transaction.scope}\0${transaction.txnId}`
    const name = `${from.userId}\0${from.deviceId}\0${txn}`
    const known = this.#recent.get(name)
    if (known !== undefined) return known
    const room = await this.#roomOf(from.userId, later.roomId)
    const delayId = this.#world.rng.bytes(ID_BYTES).toString('base64url')
    const now = this.#world.clock.now()
    const put: Op = {
      op: 'delayed.put',
      delayId,
      user: from.userId,
      device: from.deviceId,
      txn: Buffer.from(txn).toString('base64url'),
      room,
      type: later.type,
      stateKey: later.stateKey ?? null,
      content,
      delayMs: later.delayMs,
      sinceTs: now,
      max: perUserMax,
    }
    const result = await this.#store.commit({
      lane: from.userId,
      ops: [put, jobOp(delayId, now + later.delayMs)],
    })
    if (!result.ok && result.conflict !== 'txn') throw tooMany(Number(result.value ?? 0) - now)
    const made = result.ok ? delayId : (result.value ?? '')
    this.#recent.set(name, made)
    this.#onJob()
    return made
  }

  /** What a user has scheduled, the next to be sent first. */
  ofUser(userId: string): Promise<DelayedRow[]> {
    return this.#store.delayed.ofUser(userId)
  }

  /** Throws M_NOT_FOUND when it was sent or cancelled already. */
  async cancel(delayId: string): Promise<void> {
    await this.#change(delayId, [{ op: 'delayed.take', delayId }, doneOp(delayId)])
  }

  /** Begins its time anew. Throws M_NOT_FOUND when it was sent or cancelled already. */
  async restart(delayId: string): Promise<void> {
    const row = await this.#existing(delayId)
    const now = this.#world.clock.now()
    const restart: Op = { op: 'delayed.restart', delayId, sinceTs: now }
    await this.#change(delayId, [restart, jobOp(delayId, now + row.delayMs)])
  }

  /** Sends it now. Throws M_NOT_FOUND when it was sent or cancelled already, M_FORBIDDEN when the room refuses it. */
  async sendNow(delayId: string): Promise<void> {
    if (!(await this.#deliver(await this.#existing(delayId)))) throw notFound()
  }

  /** Sends what is due. An event that the room refuses is dropped, as when its sender had sent it. */
  handler(): JobHandler {
    return async (job) => {
      const row = await this.#store.delayed.byId(job.key)
      if (!row) return undefined
      /* Begun anew since the job was read; that has its own job. */
      const due = row.sinceTs + row.delayMs
      if (due > this.#world.clock.now()) return due
      await this.#deliver(row).catch((error: unknown) => {
        if (!(error instanceof MatrixError) || error.errcode === 'M_LIMIT_EXCEEDED') throw error
      })
      return undefined
    }
  }

  /** Sends an event and takes its row away in one plan; false when somebody else did before. */
  async #deliver(row: DelayedRow): Promise<boolean> {
    const { delayId, roomId, type, stateKey, sinceTs } = row
    const content = JSON.parse(row.content) as JsonObject
    const take: Op = { op: 'delayed.take', delayId, sinceTs }
    const active: Op = { op: 'account.active', user: row.user }
    const ops = [take, active]
    try {
      const from = await this.#senderOf(row, content)
      if (stateKey !== null) await this.#send.state(from, roomId, type, stateKey, content, ops)
      else {
        const transaction: Transaction = { scope: 'delayed', txnId: delayId }
        await this.#send.message(from, roomId, type, content, transaction, ops)
      }
    } catch (error) {
      if (error instanceof WriteRefused && error.conflict === 'gone') return false
      if (error instanceof MatrixError && error.errcode !== 'M_LIMIT_EXCEEDED') await this.#drop(row)
      throw error
    }
    /* State that said the same already was not written again, and its row is still there. */
    await this.#drop(row)
    return true
  }

  /**
   * Who sends it. Throws M_FORBIDDEN and M_USER_SUSPENDED for an account that may not send it now, though it could when
   * the event was scheduled.
   */
  async #senderOf({ user, device, type, stateKey }: DelayedRow, content: JsonObject): Promise<Sender> {
    const account = await this.#store.accounts.byUser(user)
    if (account?.locked) throw new MatrixError('M_FORBIDDEN', 'The account of the sender is locked.')
    const ownOnly = account?.suspended ?? false
    const tidies =
      stateKey === null ? type === 'm.room.redaction' : isLeaving(user, type, stateKey, content['membership'])
    if (ownOnly && !tidies)
      throw new MatrixError('M_USER_SUSPENDED', 'The account of the sender is suspended.')
    return { userId: user as UserId, deviceId: device, ownOnly }
  }

  /** Takes a row away that may be gone already, or begun anew. */
  async #drop({ delayId, sinceTs }: DelayedRow): Promise<void> {
    const ops: Op[] = [{ op: 'delayed.take', delayId, sinceTs }, doneOp(delayId)]
    await this.#store.commit({ lane: delayId, ops })
  }

  async #change(delayId: string, ops: readonly Op[]): Promise<void> {
    const result = await this.#store.commit({ lane: delayId, ops })
    if (!result.ok) throw notFound()
    this.#onJob()
  }

  async #existing(delayId: string): Promise<DelayedRow> {
    const row = await this.#store.delayed.byId(delayId)
    if (!row) throw notFound()
    return row
  }

  /** Row id of a room that the user is in. */
  async #roomOf(userId: string, roomId: string): Promise<number> {
    const room = await this.#store.rooms.byId(roomId)
    const membership = room && (await this.#store.rooms.membership(room.nid, userId))
    if (!room || membership?.membership !== 'join') {
      throw new MatrixError('M_FORBIDDEN', 'You are not in this room.')
    }
    return room.nid
  }
}

function jobOp(delayId: string, dueTs: number): Op {
  return { op: 'job.put', kind: DELAYED_KIND, key: delayId, dueTs, data: '{}' }
}

function doneOp(delayId: string): Op {
  return { op: 'job.done', kind: DELAYED_KIND, key: delayId }
}

function tooMany(ms: number): MatrixError {
  return new MatrixError('M_LIMIT_EXCEEDED', 'You have scheduled too many events.', {
    retry_after_ms: Math.max(1, ms),
  })
}

function notFound(): MatrixError {
  return new MatrixError('M_NOT_FOUND', 'There is no such delayed event; it may be sent or cancelled.')
}
