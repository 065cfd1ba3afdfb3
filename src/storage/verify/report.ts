/** What verification found. */
import { VERIFY_FINDINGS_MAX } from './limits.ts'

/** One broken invariant. */
export interface Finding {
  /** Names the invariant, as in `event.checksum`; docs/operating/verify.md explains each. */
  readonly kind: string
  /** The row: its table's key as text. */
  readonly row: string
  readonly what: string
}

export interface VerifyReport {
  /** Whether nothing was found. */
  readonly ok: boolean
  /** The first findings, at most VERIFY_FINDINGS_MAX. */
  readonly findings: readonly Finding[]
  /** All findings by kind, those left out of the list included. */
  readonly counts: Readonly<Record<string, number>>
  /** Rows looked at, by table. */
  readonly checked: Readonly<Record<string, number>>
  readonly serverName: string
  readonly schema: number
  readonly epoch: number
  readonly position: number
}

export type FindingListener = (finding: Finding) => void

/** Collects findings within a bound and tells the listener of each that is kept. */
export class Findings {
  readonly list: Finding[] = []
  readonly counts: Record<string, number> = {}
  readonly checked: Record<string, number> = {}
  readonly #listener: FindingListener

  constructor(listener: FindingListener) {
    this.#listener = listener
  }

  add(kind: string, row: string | number, what: string): void {
    this.counts[kind] = (this.counts[kind] ?? 0) + 1
    if (this.list.length >= VERIFY_FINDINGS_MAX) return
    const finding = { kind, row: String(row), what }
    this.list.push(finding)
    this.#listener(finding)
  }

  /** Counts rows that were looked at. */
  saw(table: string, rows: number): void {
    this.checked[table] = (this.checked[table] ?? 0) + rows
  }
}

/** The report on a database that cannot even be opened. */
export function unreadable(listener: FindingListener, error: unknown): VerifyReport {
  const findings = new Findings(listener)
  findings.add('database.unreadable', 'database', error instanceof Error ? error.message : String(error))
  const { list, counts, checked } = findings
  return { ok: false, findings: list, counts, checked, serverName: '', schema: 0, epoch: 0, position: 0 }
}
