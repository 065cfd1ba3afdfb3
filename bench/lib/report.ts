import type { DeliveryFigures } from './delivery.ts'
import type { SyncTimes } from './disk.ts'
import type { Memory } from './proc.ts'
import type { SendFigures } from './sends.ts'

/** What was on disk before and after a number of messages. */
export interface DiskFigures {
  readonly messages: number
  readonly roomMembers: number
  readonly bytesBefore: number
  readonly bytesAfter: number
  readonly bytesPerMessage: number
  readonly failures: SendFigures['failures']
}

/** One scenario's outcome, with what tells it from others of its kind. */
export type Outcome =
  | ({ readonly kind: 'send'; readonly name: string; readonly senders: number; readonly rooms: number } & {
      readonly membersPerRoom: number
      readonly figures: SendFigures
      readonly setUpSeconds: number
    })
  | {
      readonly kind: 'delivery'
      readonly name: string
      readonly figures: DeliveryFigures
      readonly setUpSeconds: number
    }
  | {
      readonly kind: 'disk'
      readonly name: string
      readonly figures: DiskFigures
      readonly setUpSeconds: number
    }

/** Memory of the server's and its database's processes at one moment. */
export interface MemoryReading {
  readonly server: Memory
  readonly database: Memory
}

/** One server's run, as it is written to the JSON file. */
export interface Report {
  readonly label: string
  readonly url: string
  readonly at: string
  /** What the server says of itself at /_matrix/federation/v1/version, or null. */
  readonly serverVersion: string | null
  readonly durability: string
  readonly notes: readonly string[]
  readonly machine: Machine
  readonly options: Readonly<Record<string, string | number>>
  readonly syncMs: SyncTimes
  readonly memory: {
    readonly idle: MemoryReading
    readonly after: MemoryReading
    readonly settleSeconds: number
  }
  readonly outcomes: readonly Outcome[]
}

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryBytes: number
  readonly kernel: string
  readonly node: string
  readonly loadAverage: number
}

/** A row of figures: its name, unit, and one value per server; null where there is none. */
export interface Row {
  readonly scenario: string
  readonly figure: string
  readonly value: number | null
}

/** The figures of a report in the order of the tables: CPU first, then rates, then times, memory and bytes. */
export function rows(report: Report): Row[] {
  const cpu: Row[] = []
  const rate: Row[] = []
  const time: Row[] = []
  const rest: Row[] = []
  for (const outcome of report.outcomes) {
    const scenario = outcome.name
    const put = (to: Row[], figure: string, value: number | null) => to.push({ scenario, figure, value })
    if (outcome.kind === 'send') {
      const { cpuPerOperation, ratePerSecond, latencyMs, failures, cpu: spent } = outcome.figures
      put(cpu, 'server CPU per send, ms', cpuPerOperation.allMs)
      put(cpu, 'of it database, ms', cpuPerOperation.databaseMs)
      put(rate, 'sends per second', ratePerSecond)
      for (const p of ['p50', 'p95', 'p99'] as const) put(time, `send ${p}, ms`, latencyMs[p])
      put(rest, 'generator CPU per send, ms', cpuPerOperation.generatorMs)
      put(rest, 'generator busy, % of a core', percentOf(spent.generatorMs, spent.seconds))
      put(rest, 'rest of the machine, % of a core', percentOf(spent.otherMs, spent.seconds))
      put(rest, 'failed requests', failures.count)
    } else if (outcome.kind === 'delivery') {
      const { figures } = outcome
      put(cpu, 'server CPU per delivery, ms', figures.cpuPerDelivery.allMs)
      put(cpu, 'of it database, ms', figures.cpuPerDelivery.databaseMs)
      put(rate, 'sends per second', figures.sentPerSecond)
      for (const p of ['p50', 'p95', 'p99'] as const) put(time, `delivery ${p}, ms`, figures.latencyMs[p])
      put(time, 'send p50, ms', figures.sendLatencyMs.p50)
      put(rest, 'generator CPU per delivery, ms', figures.cpuPerDelivery.generatorMs)
      put(rest, 'generator busy, % of a core', percentOf(figures.cpu.generatorMs, figures.cpu.seconds))
      put(rest, 'rest of the machine, % of a core', percentOf(figures.cpu.otherMs, figures.cpu.seconds))
      put(rest, 'missing deliveries', figures.missing)
      put(rest, 'doubled deliveries', figures.doubled)
      put(rest, 'failed requests', figures.failures.count)
    } else {
      put(
        rest,
        `bytes on disk per message, room of ${outcome.figures.roomMembers}`,
        outcome.figures.bytesPerMessage,
      )
    }
  }
  return [...cpu, ...rate, ...time, ...memoryRows(report), ...rest]
}

function percentOf(ms: number, seconds: number): number {
  return ms / seconds / 10
}

const MEBIBYTE = 1024 * 1024

function memoryRows({ memory }: Report): Row[] {
  const at = [
    ['idle', memory.idle],
    ['after', memory.after],
  ] as const
  return at.flatMap(([scenario, { server, database }]) => {
    const once =
      server.once === null || database.once === null ? null : (server.once + database.once) / MEBIBYTE
    return [
      {
        scenario,
        figure: 'memory, RSS of all processes, MiB',
        value: (server.rss + database.rss) / MEBIBYTE,
      },
      { scenario, figure: 'memory, shared pages once, MiB', value: once },
      { scenario, figure: 'highest RSS, MiB', value: (server.peak + database.peak) / MEBIBYTE },
    ]
  })
}

/** A number with three significant digits or more, none of them useless. */
export function readable(value: number | null): string {
  if (value === null || Number.isNaN(value)) return '-'
  if (Number.isInteger(value)) return value.toLocaleString('en')
  const size = Math.abs(value)
  if (size >= 100) return Math.round(value).toLocaleString('en')
  return value.toFixed(size >= 10 ? 1 : size >= 1 ? 2 : 3)
}

/** How the run was made, as a list of Markdown. */
export function describe(report: Report): string {
  const { machine, syncMs: sync } = report
  const lines = [
    `server: ${report.label}${report.serverVersion ? ` (says ${report.serverVersion})` : ''}`,
    `durability: ${report.durability}`,
    ...report.notes,
    `machine: ${machine.cores} cores of ${machine.cpu}, ${Math.round(machine.memoryBytes / 2 ** 30)} GiB, Linux ` +
      `${machine.kernel}; load at the start ${machine.loadAverage.toFixed(2)}; generator on Node ${machine.node}, ` +
      'on the same cores',
    `fdatasync of 4 KiB: overwriting p50 ${sync.overwriteP50.toFixed(2)} ms, p99 ${sync.overwriteP99.toFixed(2)} ms; ` +
      `appending p50 ${sync.appendP50.toFixed(2)} ms, p99 ${sync.appendP99.toFixed(2)} ms`,
    `options: ${Object.entries(report.options)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ')}`,
  ]
  const noise = noisiest(report)
  if (noise > NOISE_PERCENT_MAX) {
    lines.push(
      `**disturbed**: other work took up to ${Math.round(noise)} % of a core meanwhile, so rates and times are worse ` +
        'than they need be, and CPU per operation is higher where cores share their parts',
    )
  }
  return lines.map((line) => `- ${line}`).join('\n')
}

/** Other work on the machine above this, percent of a core, makes a report say that it was disturbed. */
const NOISE_PERCENT_MAX = 10

function noisiest(report: Report): number {
  const shares = report.outcomes.map(({ kind, figures }) =>
    kind === 'disk' ? 0 : percentOf(figures.cpu.otherMs, figures.cpu.seconds),
  )
  return Math.max(0, ...shares)
}

/** Rows of equal width, as a Markdown table whose source reads well too. */
export function table(header: readonly string[], body: readonly (readonly string[])[]): string {
  const widths = header.map((_, column) =>
    Math.max(...[header, ...body].map((cells) => cells[column]!.length)),
  )
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => (column < 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join(' | ')} |`
  const rule = `|${widths.map((width, column) => (column < 2 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`
  return [line(header), rule, ...body.map(line)].join('\n')
}

/** One report as text. */
export function render(report: Report): string {
  const body = rows(report).map(({ scenario, figure, value }) => [scenario, figure, readable(value)])
  return `${describe(report)}\n\n${table(['scenario', 'figure', report.label], body)}\n`
}

/** Rows about the generator and the run itself, whose ratio between servers would say nothing. */
const WITHOUT_RATIO = /^(generator|rest of the machine|failed|missing|doubled)/

/**
 * Several reports side by side. Each but the last gets a column of ratios: how many times the last server's figure its
 * own is. Reports `apart` come first and get none.
 */
export function renderComparison(compared: readonly Report[], apart: readonly Report[] = []): string {
  const reports = [...apart, ...compared]
  const all = reports.map(
    (report) => new Map(rows(report).map((row) => [`${row.scenario}\n${row.figure}`, row])),
  )
  const keys = [...new Set(all.flatMap((figures) => [...figures.keys()]))]
  const last = reports.at(-1)!
  const others = compared.slice(0, -1)
  const header = [
    'scenario',
    'figure',
    ...reports.map(({ label }) => label),
    ...others.map(({ label }) => `${label} / ${last.label}`),
  ]
  const body = keys.map((key) => {
    const values = all.map((figures) => figures.get(key)?.value ?? null)
    const reference = values.at(-1) ?? null
    const noRatio = WITHOUT_RATIO.test(key.slice(key.indexOf('\n') + 1))
    const ratios = values.slice(apart.length, -1).map((value) => {
      if (value === null || reference === null || reference === 0 || noRatio) return '-'
      return `${readable(value / reference)}x`
    })
    return [...key.split('\n'), ...values.map(readable), ...ratios]
  })
  const parts = reports.map((report) => `## ${report.label}\n\n${describe(report)}\n`)
  return `${table(header, body)}\n\n${parts.join('\n')}`
}
