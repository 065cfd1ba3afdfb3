/** Durable timed work: what must happen at or after a time, also after a restart. */
import type { RoomRef } from './events.ts'

export interface JobRow {
  readonly kind: string
  /** Unique within the kind. */
  readonly key: string
  readonly dueTs: number
  /** JSON that the kind's handler understands; its progress goes here too. */
  readonly data: string
  readonly attempts: number
}

export type JobOp =
  /** Makes the job or moves it to another time. */
  | {
      readonly op: 'job.put'
      readonly kind: string
      /** A room stands for its row id, which the plan that creates it does not know. */
      readonly key: string | { readonly room: RoomRef }
      readonly dueTs: number
      readonly data: string
    }
  | {
      /** Removes a job, but not one that was moved to another time than `dueTs` while it ran. */
      readonly op: 'job.done'
      readonly kind: string
      readonly key: string
      readonly dueTs?: number
    }
  /** Counts a failed attempt and moves the job. */
  | { readonly op: 'job.retry'; readonly kind: string; readonly key: string; readonly dueTs: number }
  /** Deletes rows whose time is over, at most `limit` per table; the result is their number. */
  | { readonly op: 'job.sweep'; readonly now: number; readonly limit: number }

export interface JobReader {
  /** The earliest jobs whose time has come; with `kinds` only of these. */
  due(now: number, limit: number, kinds?: readonly string[]): Promise<JobRow[]>
  /** Time of the earliest job; with `kinds` only of these. */
  next(kinds?: readonly string[]): Promise<number | undefined>
}
