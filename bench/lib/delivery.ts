import { Connection, type Target } from './connection.ts'
import { DRAIN_MS_MAX, FAILURES_MAX, INITIAL_SYNC_MS_MAX, LONG_POLL_MS, OPERATIONS_MAX } from './limits.ts'
import { requestText, type User } from './matrix.ts'
import { type Cpu, type CpuPerOperation, type Meter, perOperation } from './meter.ts'
import { Samples, type Summary } from './samples.ts'
import { FailureLog, type Failures, isAcknowledged, type Sender, type Window } from './sends.ts'

/** What readers, all long-polling /sync, saw of messages sent to their rooms at a fixed rate. */
export interface DeliveryFigures {
  /** CPU time divided by deliveries, so with the share of the sends in it. */
  readonly cpuPerDelivery: CpuPerOperation
  readonly cpu: Cpu
  readonly readers: number
  /** Sends per second as planned, and as the server acknowledged them. */
  readonly plannedPerSecond: number
  readonly sentPerSecond: number
  /** Messages sent in the window, and how often one of them reached a reader. */
  readonly sends: number
  readonly deliveries: number
  readonly syncResponses: number
  /** From the moment the message was due to the other user's sync response, and to the sender's own answer. */
  readonly latencyMs: Summary
  readonly sendLatencyMs: Summary
  /** Deliveries that never came (also where the server cut a timeline short), and those that came twice. */
  readonly missing: number
  readonly doubled: number
  readonly failures: Failures
}

/** A user who waits for the messages of a room. */
export interface Waiting {
  readonly user: User
  readonly roomId: string
}

interface SyncBody {
  readonly next_batch: string
  readonly rooms?: {
    readonly join?: Record<string, { readonly timeline?: { readonly events?: readonly Event[] } }>
  }
}

interface Event {
  readonly content: { readonly body?: unknown }
}

/** Presence is left out by default, since it would add work that has nothing to do with the messages. */
export interface SyncOptions {
  readonly presence: 'offline' | 'unavailable' | 'online'
  readonly timelineLimit: number
}

/** One user who has a /sync open at all times. */
class Reader {
  readonly connection: Connection
  readonly roomId: string
  readonly seen = new Set<string>()
  readonly #target: Target
  readonly #user: User
  readonly #query: string
  #since: string | null = null

  constructor(target: Target, { user, roomId }: Waiting, options: SyncOptions) {
    this.connection = new Connection(target, INITIAL_SYNC_MS_MAX)
    this.roomId = roomId
    this.#target = target
    this.#user = user
    const filter = JSON.stringify({ room: { timeline: { limit: options.timelineLimit } } })
    this.#query = `filter=${encodeURIComponent(filter)}&set_presence=${options.presence}`
  }

  /** The next /sync: at once the first time, then waiting for news. */
  request(): string {
    const position =
      this.#since === null ? 'timeout=0' : `timeout=${LONG_POLL_MS}&since=${encodeURIComponent(this.#since)}`
    const path = `/_matrix/client/v3/sync?${position}&${this.#query}`
    return requestText(this.#target, 'GET', path, this.#user.accessToken)
  }

  /** Takes an answer; gives the texts of the room's new events. */
  take(json: string): string[] {
    const sync = JSON.parse(json) as SyncBody
    this.#since = sync.next_batch
    const events = sync.rooms?.join?.[this.roomId]?.timeline?.events ?? []
    return events.map((event) => String(event.content.body ?? ''))
  }

  get synced(): boolean {
    return this.#since !== null
  }
}

/** One run of the scenario; `run` may be called once. */
class DeliveryRun {
  readonly #senders: readonly Sender[]
  readonly #readers: readonly Reader[]
  /** Readers of each room. */
  readonly #audience: ReadonlyMap<string, number>
  readonly #idle: () => Promise<void>
  readonly #meter: Meter
  readonly #latencies = new Samples(OPERATIONS_MAX)
  readonly #sendLatencies = new Samples(OPERATIONS_MAX)
  readonly #failures = new FailureLog()
  /** When each message of the window was due, by its mark. */
  readonly #due = new Map<string, number>()
  /** Deliveries that are still to come when every message of the window was acknowledged. */
  #expected = 0
  #doubled = 0
  #deliveries = 0
  /** Messages in sync responses and acknowledged sends, of whatever time, that came within the window. */
  #arrived = 0
  #acknowledged = 0
  #syncResponses = 0
  #measuring = false
  #over = false

  constructor(
    senders: readonly Sender[],
    readers: readonly Reader[],
    meter: Meter,
    idle: () => Promise<void>,
  ) {
    this.#senders = senders
    this.#readers = readers
    const audience = new Map<string, number>()
    for (const { roomId } of readers) audience.set(roomId, (audience.get(roomId) ?? 0) + 1)
    this.#audience = audience
    this.#meter = meter
    this.#idle = idle
  }

  async run(window: Window, perSecond: number): Promise<DeliveryFigures> {
    for (const reader of this.#readers) this.#poll(reader)
    const allSynced = (): boolean => this.#readers.every((reader) => reader.synced)
    await this.#until(() => allSynced() || this.#failures.count > 0, INITIAL_SYNC_MS_MAX)
    if (!allSynced()) throw new Error('not every reader got its first sync')
    await this.#idle()
    const stopSending = this.#sendAt(perSecond)
    await pause(window.warmUpMs)
    this.#meter.start()
    this.#measuring = true
    await this.#until(() => this.#failures.count >= FAILURES_MAX, window.measureMs)
    const cpu = this.#meter.stop()
    this.#measuring = false
    stopSending()
    await this.#until(() => this.#deliveries >= this.#expected, DRAIN_MS_MAX)
    this.#over = true
    const connections = [...this.#readers, ...this.#senders].map(({ connection }) => connection)
    const failures = this.#failures.report(connections)
    for (const connection of connections) connection.close()
    return {
      cpuPerDelivery: perOperation(cpu, this.#arrived),
      cpu,
      readers: this.#readers.length,
      plannedPerSecond: perSecond,
      sentPerSecond: this.#acknowledged / cpu.seconds,
      sends: this.#due.size,
      deliveries: this.#deliveries,
      syncResponses: this.#syncResponses,
      latencyMs: this.#latencies.summary(),
      sendLatencyMs: this.#sendLatencies.summary(),
      missing: Math.max(0, this.#expected - this.#deliveries),
      doubled: this.#doubled,
      failures,
    }
  }

  #poll(reader: Reader): void {
    if (this.#over) return
    reader.connection.send(reader.request(), (status, bytes, start, end) => {
      if (this.#over) return
      if (status !== 200) {
        this.#failures.add(status, bytes, start, end)
        setTimeout(() => this.#poll(reader), 100)
        return
      }
      const now = performance.now()
      if (this.#measuring) this.#syncResponses++
      for (const text of reader.take(bytes.toString('utf8', start, end))) {
        if (this.#measuring && text !== '') this.#arrived++
        this.#deliver(reader, text, now)
      }
      this.#poll(reader)
    })
  }

  #deliver(reader: Reader, text: string, now: number): void {
    const space = text.indexOf(' ')
    const mark = space < 0 ? text : text.slice(0, space)
    const due = this.#due.get(mark)
    if (due === undefined) return
    if (reader.seen.has(mark)) {
      this.#doubled++
      return
    }
    reader.seen.add(mark)
    this.#deliveries++
    this.#latencies.add(now - due)
  }

  /**
   * Sends `perSecond` messages a second, whatever the server does: a message that is due while every sender still
   * waits for an answer goes out as soon as one is free, and its time runs from when it was due.
   */
  #sendAt(perSecond: number): () => void {
    const idle = [...this.#senders]
    const waiting: number[] = []
    const start = performance.now()
    let made = 0
    const sendNext = () => {
      while (idle.length > 0 && waiting.length > 0)
        this.#sendOne(idle.shift()!, waiting.shift()!, idle, sendNext)
    }
    let timer: NodeJS.Timeout | undefined
    const tick = () => {
      const now = performance.now()
      // The timer's own lateness is not the server's: a message is due when the timer has fired.
      for (; start + (made * 1000) / perSecond <= now; made++) waiting.push(now)
      sendNext()
      timer = setTimeout(tick, Math.max(1, start + (made * 1000) / perSecond - performance.now()))
    }
    tick()
    return () => {
      clearTimeout(timer)
      waiting.length = 0
    }
  }

  #sendOne(sender: Sender, due: number, idle: Sender[], sendNext: () => void): void {
    const mark = sender.mark(sender.sent)
    const counted = this.#measuring
    const audience = counted ? (this.#audience.get(sender.roomId) ?? 0) : 0
    if (counted) this.#due.set(mark, due)
    this.#expected += audience
    sender.connection.send(sender.next(), (status, bytes, start, end) => {
      if (isAcknowledged(status, bytes, start, end)) {
        if (counted) this.#sendLatencies.add(performance.now() - due)
        if (this.#measuring) this.#acknowledged++
      } else if (!this.#over) {
        this.#failures.add(status, bytes, start, end)
        this.#expected -= audience
      }
      idle.push(sender)
      sendNext()
    })
  }

  async #until(done: () => boolean, msMax: number): Promise<void> {
    const end = performance.now() + msMax
    while (!done() && performance.now() < end) await pause(Math.min(50, msMax))
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}

/**
 * Lets `readers` long-poll while `senders` send `perSecond` messages together, and follows each message into the sync
 * response of each reader of its room. `idle` runs when all readers wait and nothing has been sent yet.
 */
export function runDelivery(
  target: Target,
  senders: readonly Sender[],
  readers: readonly Waiting[],
  options: SyncOptions,
  window: Window,
  perSecond: number,
  meter: Meter,
  idle: () => Promise<void> = async () => {},
): Promise<DeliveryFigures> {
  const reading = readers.map((waiting) => new Reader(target, waiting, options))
  return new DeliveryRun(senders, reading, meter, idle).run(window, perSecond)
}
