import { Connection, type Target } from './connection.ts'
import { FAILURES_MAX, OPERATIONS_MAX } from './limits.ts'
import type { User } from './matrix.ts'
import { type Cpu, type CpuPerOperation, type Meter, perOperation } from './meter.ts'
import { Samples, type Summary } from './samples.ts'

/** How long a scenario warms up and is measured. */
export interface Window {
  readonly warmUpMs: number
  readonly measureMs: number
  /** The measured part also ends after this many operations. */
  readonly operationsMax: number
}

/** What a number of senders, each waiting for its answer before the next send, got out of the server. */
export interface SendFigures {
  readonly cpuPerOperation: CpuPerOperation
  readonly cpu: Cpu
  readonly operations: number
  readonly ratePerSecond: number
  readonly latencyMs: Summary
  readonly failures: Failures
}

/** Requests that were not answered with 200. */
export interface Failures {
  readonly count: number
  /** The first of each status, with its body cut short. */
  readonly examples: readonly string[]
  /** Requests sent again because the server had closed an idle connection. */
  readonly retries: number
}

/** Counts failures and keeps an example of each status. */
export class FailureLog {
  count = 0
  readonly #examples = new Map<number, string>()

  add(status: number, bytes: Buffer, start: number, end: number): void {
    this.count++
    if (!this.#examples.has(status)) {
      this.#examples.set(status, `${status}: ${bytes.toString('utf8', start, Math.min(end, start + 200))}`)
    }
  }

  report(connections: readonly Connection[]): Failures {
    const retries = connections.reduce((sum, connection) => sum + connection.retries, 0)
    return { count: this.count, examples: [...this.#examples.values()], retries }
  }
}

const SEQUENCE_DIGITS = 8
const TEXT = 'The quick brown fox jumps over the lazy dog, and Matrix clients wait for their events. '

/**
 * One user who sends text messages to one room on a connection of its own. Everything in the request that does not
 * change is built once. Each text starts with `name` and a number of fixed width, followed by filling.
 */
export class Sender {
  readonly connection: Connection
  readonly user: User
  readonly roomId: string
  readonly #name: string
  readonly #beforeId: string
  readonly #afterId: string
  readonly #afterText: string
  #sent = 0

  constructor(target: Target, user: User, roomId: string, name: string, textBytes: number) {
    this.connection = new Connection(target)
    this.user = user
    this.roomId = roomId
    this.#name = name
    const mark = name.length + 1 + SEQUENCE_DIGITS
    const filling = ` ${TEXT.repeat(Math.ceil(textBytes / TEXT.length))}`.slice(
      0,
      Math.max(0, textBytes - mark),
    )
    const beforeText = '{"msgtype":"m.text","body":"'
    const end = `${filling}"}`
    const path = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/send/m.room.message/`
    this.#beforeId = `PUT ${path}`
    this.#afterId =
      ` HTTP/1.1\r\nHost: ${target.host}:${target.port}\r\nAuthorization: Bearer ${user.accessToken}\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${beforeText.length + mark + end.length}\r\n\r\n` +
      beforeText
    this.#afterText = end
  }

  /** The text's first part for message `number` of this sender. */
  mark(number: number): string {
    return `${this.#name}:${String(number).padStart(SEQUENCE_DIGITS, '0')}`
  }

  /** How many messages were handed to the connection. */
  get sent(): number {
    return this.#sent
  }

  /** The next message as a request; its mark is also its transaction id. */
  next(): string {
    const mark = this.mark(this.#sent++)
    return this.#beforeId + mark + this.#afterId + mark + this.#afterText
  }
}

/** Whether an answer acknowledges a send: 200 with an event id. */
export function isAcknowledged(status: number, bytes: Buffer, start: number, end: number): boolean {
  return status === 200 && bytes.toString('latin1', start, end).includes('"event_id"')
}

/**
 * Lets all senders send, each one message after the other, and measures the window after the warm-up. Only answers
 * that arrive within the window count.
 */
export function runSends(senders: readonly Sender[], window: Window, meter: Meter): Promise<SendFigures> {
  const samples = new Samples(OPERATIONS_MAX)
  const failures = new FailureLog()
  const operationsMax = Math.min(window.operationsMax, OPERATIONS_MAX)
  let phase: 'warm-up' | 'measure' | 'over' = 'warm-up'
  let running = senders.length
  return new Promise((resolve) => {
    let cpu: Cpu | null = null
    const over = () => {
      if (phase === 'over') return
      phase = 'over'
      cpu = meter.stop()
    }
    const finish = () => {
      over()
      clearTimeout(warm)
      clearTimeout(end)
      resolve(figures(cpu!, samples, failures.report(senders.map((sender) => sender.connection))))
    }
    const step = (sender: Sender) => {
      if (phase === 'over') {
        if (--running === 0) finish()
        return
      }
      const start = performance.now()
      sender.connection.send(sender.next(), (status, bytes, from, to) => {
        if (!isAcknowledged(status, bytes, from, to)) {
          failures.add(status, bytes, from, to)
          if (failures.count >= FAILURES_MAX) over()
          // A refused connection must not become a busy loop.
          setTimeout(step, 10, sender)
          return
        }
        if (phase === 'measure') {
          samples.add(performance.now() - start)
          if (samples.count === operationsMax) over()
        }
        step(sender)
      })
    }
    let end: NodeJS.Timeout | undefined
    const warm = setTimeout(() => {
      if (phase === 'over') return
      phase = 'measure'
      meter.start()
      end = setTimeout(over, window.measureMs)
    }, window.warmUpMs)
    for (const sender of senders) step(sender)
  })
}

function figures(cpu: Cpu, samples: Samples, failures: Failures): SendFigures {
  return {
    cpuPerOperation: perOperation(cpu, samples.count),
    cpu,
    operations: samples.count,
    ratePerSecond: samples.count / cpu.seconds,
    latencyMs: samples.summary(),
    failures,
  }
}
