/** One server's figures: requests measured one scenario after the other, and the table of several servers. */

import { timed } from '../lib/bench.ts'
import { Connection, type Target } from '../lib/connection.ts'
import { forEachLimited } from '../lib/matrix.ts'
import { Meter, type Processes } from '../lib/meter.ts'
import { Samples } from '../lib/samples.ts'
import type { StallLog } from '../lib/stalls.ts'

/** What one scenario came to. */
export interface Figure {
  readonly name: string
  readonly requests: number
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  /** CPU time of server and database by request, milliseconds. */
  readonly cpuMs: number
  /** Slowest answer to somebody else meanwhile, who asks for little; null where nobody was there. */
  readonly othersMs: number | null
}

export interface Report {
  readonly label: string
  readonly durability: string
  readonly note: string
  readonly figures: readonly Figure[]
  /** Bytes on disk for each one-time key, with its part of the device's own keys; null where it is not known. */
  readonly bytesPerKey: number | null
}

/** One measured scenario; `request` is asked for before its turn and may depend on earlier answers. */
export interface Scenario {
  readonly name: string
  /** How many requests are measured, and how many before them are not; `request` counts both. */
  readonly times: number
  readonly warmUp?: number
  readonly atOnce: number
  readonly request: (n: number) => string
  /** Throws when an answer is not what it should be. */
  readonly check?: (text: string) => void
}

const OTHERS_EVERY_MS = 5

/** Runs scenarios against one server, one after the other, and keeps what each came to. */
export class Figures {
  readonly all: Figure[] = []
  readonly #target: Target
  readonly #processes: Processes
  readonly #stalls: StallLog
  readonly #others: string | undefined

  /** With `others`, a request that somebody else makes every few milliseconds while a scenario is measured. */
  constructor(target: Target, processes: Processes, stalls: StallLog, others?: string) {
    this.#target = target
    this.#processes = processes
    this.#stalls = stalls
    this.#others = others
  }

  /** Runs a scenario in a closed loop of `atOnce` connections; every answer must be 200. */
  async measure({ name, times, warmUp = 0, atOnce, request, check = () => {} }: Scenario): Promise<void> {
    const connections = Array.from({ length: atOnce }, () => new Connection(this.#target))
    const samples = new Samples(times)
    const others = this.#others === undefined ? undefined : askBeside(this.#target, this.#others)
    const run = (from: number, count: number, measured: boolean): Promise<void> =>
      forEachLimited([...Array(count).keys()], atOnce, async (n, slot) => {
        const answer = await timed(connections[slot]!, request(from + n))
        if (answer.status !== 200) throw new Error(`${name}: ${answer.status} ${answer.text.slice(0, 200)}`)
        check(answer.text)
        if (measured) samples.add(answer.ms)
      })
    await run(0, warmUp, false)
    await this.#stalls.skip()
    const meter = new Meter(this.#processes)
    await run(warmUp, times, true)
    const { seconds, serverMs, databaseMs } = meter.stop()
    await this.#stalls.tell(name)
    const { p50, p99 } = samples.summary()
    for (const connection of connections) connection.close()
    const cpuMs = (serverMs + databaseMs) / times
    const othersMs = (await others?.()) ?? null
    const figure = { name, requests: times, perSecond: times / seconds, p50, p99, cpuMs, othersMs }
    this.all.push(figure)
    console.error(
      `${name}: ${cells(figure).slice(1).join(' | ')}${othersMs ? ` | others ${othersMs.toFixed(1)}` : ''}`,
    )
  }
}

/** Asks again and again; the function that is returned ends it and gives the slowest answer, milliseconds. */
function askBeside(target: Target, request: string): () => Promise<number> {
  const connection = new Connection(target)
  let [going, slowest] = [true, 0]
  const done = (async () => {
    while (going) {
      slowest = Math.max(slowest, (await timed(connection, request)).ms)
      await new Promise((resolve) => setTimeout(resolve, OTHERS_EVERY_MS))
    }
    connection.close()
    return slowest
  })()
  return () => {
    going = false
    return done
  }
}

const rounded = (value: number): string => value.toPrecision(value >= 1000 ? 4 : 3).replace(/e\+\d+$/, '')

function cells({ name, perSecond, p50, p99, cpuMs }: Figure): string[] {
  return [name, ...[perSecond, p50, p99, cpuMs].map(shown)]
}

function shown(value: number): string {
  return value >= 1000 ? value.toFixed(0) : rounded(value)
}

const line = (texts: readonly string[]): string => `| ${texts.join(' | ')} |`

/** Reports side by side; every one but the last gets its ratios to the last: rate of the last, CPU of its own. */
export function compared(reports: readonly Report[]): string {
  const last = reports.at(-1)!
  const figures = ['per s', 'p50 ms', 'p99 ms', 'CPU ms']
  const ratios = reports
    .slice(0, -1)
    .flatMap(({ label }) => [`rate, times ${label}`, `CPU of ${label}, times`])
  const head = ['what', ...reports.flatMap(({ label }) => figures.map((f) => `${label}: ${f}`)), ...ratios]
  const lines = [line(head), line(head.map(() => '---'))]
  for (const own of last.figures) {
    const all = reports.map((report) => report.figures.find(({ name }) => name === own.name))
    const times = all.slice(0, -1).flatMap((other) => {
      return other ? [shown(own.perSecond / other.perSecond), shown(other.cpuMs / own.cpuMs)] : ['-', '-']
    })
    const values = all.flatMap((figure) => (figure ? cells(figure).slice(1) : figures.map(() => '-')))
    lines.push(line([own.name, ...values, ...times]))
  }
  const about = reports.map(({ label, durability, note, bytesPerKey }) => {
    const bytes =
      bytesPerKey === null ? '' : ` ${bytesPerKey.toFixed(0)} bytes on disk for each one-time key.`
    return `- ${label}: ${note}; an acknowledged write survives: ${durability}.${bytes}`
  })
  return `${lines.join('\n')}\n\n${about.join('\n')}\n`
}
