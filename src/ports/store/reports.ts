/** What users report to the administrators: events, rooms, users. */

export type ReportKind = 'event' | 'room' | 'user'

export interface ReportRow {
  readonly nid: number
  readonly kind: ReportKind
  /** When it came, in milliseconds. */
  readonly ts: number
  /** Who reports. */
  readonly reporter: string
  /** Row id of the room; 0 for reports of users. */
  readonly room: number
  readonly roomId: string | null
  /** Event id of a reported event. */
  readonly event: string | null
  /** User id of a reported user, or the sender of a reported event. */
  readonly target: string | null
  readonly reason: string | null
  /** From -100 (most offensive) to 0, as clients of old say it. */
  readonly score: number | null
}

export type ReportOp =
  | {
      /** Keeps a report, and of its reporter's kept ones no more than the newest `keep`. */
      readonly op: 'report.put'
      readonly kind: ReportKind
      readonly ts: number
      readonly reporter: string
      readonly room: number
      readonly event: string | null
      readonly target: string | null
      readonly reason: string | null
      readonly score: number | null
      readonly keep: number
    }
  /** Guard: the report is there (conflict `gone`); removes it. */
  | { readonly op: 'report.delete'; readonly nid: number }

export interface ReportPage {
  readonly kind: ReportKind
  /** Row id behind which the page begins; absent begins at the end given by `dir`. */
  readonly from?: number
  /** b: newest first. */
  readonly dir: 'f' | 'b'
  readonly limit: number
  readonly reporter?: string
  readonly room?: number
}

export interface ReportReader {
  byNid(nid: number): Promise<ReportRow | undefined>
  page(page: ReportPage): Promise<ReportRow[]>
}
