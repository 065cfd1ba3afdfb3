/** Stalls of a server's event loop while something was measured, from the histograms that it serves as metrics. */
import { loopbackTarget } from './connection.ts'
import { table } from './report.ts'

const LAG = 'myelin_event_loop_lag_seconds'
const PARTS = 'myelin_event_loop_stall_seconds'

/** Counts by upper bound in milliseconds, ascending, each without those of the smaller bounds. */
export type Buckets = ReadonlyMap<number, number>

/** All histograms of one reading by name and `part`. */
export type Reading = ReadonlyMap<string, Buckets>

/** Upper bounds of the buckets in which the figures lie, milliseconds; 0 where nothing was counted. */
export interface StallFigures {
  readonly p99: number
  readonly longest: number
  /** Longest part of a stall that was work, garbage collection, or waiting for a core. */
  readonly work: number
  readonly gc: number
  readonly wait: number
  /** Longest work for each of the inputs that a stall took. */
  readonly perEvent: number
  /** How many stalls had more than `STALL_MS_MAX` of work in them. */
  readonly tooLong: number
}

/** The bound that the event loop must keep, milliseconds. */
export const STALL_MS_MAX = 10

/** The event loop's histograms in an exposition text. */
export function parseReading(text: string): Reading {
  const totals = new Map<string, [number, number][]>()
  for (const [, name, labels, value] of text.matchAll(/^(\w+)_bucket\{([^}]*)\} (\d+)$/gm)) {
    if (name !== LAG && name !== PARTS) continue
    const part = /part="(\w+)"/.exec(labels!)?.[1] ?? 'all'
    const bound = /le="([^"]+)"/.exec(labels!)![1]!
    const ms = bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound) * 1000
    const list = totals.get(part) ?? []
    totals.set(part, list)
    list.push([ms, Number(value)])
  }
  return new Map([...totals].map(([part, list]) => [part, separate(list)]))
}

/** Counts of each bucket alone, from counts that include all smaller buckets. */
function separate(totals: [number, number][]): Buckets {
  totals.sort(([a], [b]) => a - b)
  return new Map(totals.map(([bound, total], i) => [bound, total - (totals[i - 1]?.[1] ?? 0)]))
}

/** What was counted between two readings. */
export function figuresBetween(before: Reading, after: Reading): StallFigures {
  const news = (part: string): [number, number][] =>
    [...(after.get(part) ?? [])].map(([bound, n]) => [bound, n - (before.get(part)?.get(bound) ?? 0)])
  const at = (part: string, share: number): number => {
    const list = news(part)
    const wanted = list.reduce((sum, [, n]) => sum + n, 0) * share
    let sum = 0
    for (const [bound, n] of list) {
      sum += n
      if (n > 0 && sum >= wanted) return bound
    }
    return 0
  }
  const tooLong = news('work').reduce((sum, [bound, n]) => sum + (bound > STALL_MS_MAX ? n : 0), 0)
  const [work, gc, wait] = [at('work', 1), at('gc', 1), at('wait', 1)]
  const perEvent = at('work_per_event', 1)
  return { p99: at('all', 0.99), longest: at('all', 1), work, gc, wait, perEvent, tooLong }
}

/** Reads a server's metrics between the parts of a run and keeps what each part did; without an address it is idle. */
export class StallLog {
  readonly #url: string | undefined
  readonly #rows: { readonly name: string; readonly figures: StallFigures }[] = []
  #last: Reading = new Map()

  constructor(url: string | undefined) {
    if (url !== undefined) loopbackTarget(new URL(url).origin)
    this.#url = url
  }

  /** Forgets what happened since the last reading. */
  async skip(): Promise<void> {
    if (this.#url !== undefined) this.#last = await read(this.#url)
  }

  /** What happened since the last reading, also kept for the table under this name; null without an address. */
  async tell(name: string): Promise<StallFigures | null> {
    if (this.#url === undefined) return null
    const now = await read(this.#url)
    const figures = figuresBetween(this.#last, now)
    this.#last = now
    this.#rows.push({ name, figures })
    return figures
  }

  /** All that was told, as a Markdown table; empty without an address. */
  table(): string {
    if (this.#rows.length === 0) return ''
    const header = [
      'stalls of the event loop, ms up to',
      '',
      'p99',
      'longest',
      'work',
      'gc',
      'wait',
      'work per input',
      `work > ${STALL_MS_MAX}`,
    ]
    const body = this.#rows.map(({ name, figures: { p99, longest, work, gc, wait, perEvent, tooLong } }) => [
      name,
      '',
      ...[p99, longest, work, gc, wait, perEvent, tooLong].map(String),
    ])
    return `\n${table(header, body)}\n`
  }
}

async function read(url: string): Promise<Reading> {
  const answer = await fetch(url)
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`)
  const reading = parseReading(await answer.text())
  if (reading.size === 0) throw new Error(`${url} has no ${LAG}`)
  return reading
}
