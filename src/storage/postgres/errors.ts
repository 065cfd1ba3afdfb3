/** What PostgreSQL's errors mean for a plan, a batch or the connection. */
import { StoreError } from '#/base/store-error.ts'
import { reasonOf } from '#/base/system-error.ts'
import type { GroupOutcome } from '../outcome.ts'

/** Raised for a statement on a connection that is gone. */
export class ConnectionLost extends StoreError {
  constructor(cause: unknown, what = 'the connection to PostgreSQL was lost') {
    super('unavailable', `${what}: ${reasonOf(cause)}`, { cause })
    this.name = 'ConnectionLost'
  }
}

/** Raised when a connection broke during COMMIT: the transaction may or may not be on disk. */
export class CommitInDoubt extends StoreError {
  readonly xid: string
  /** What is true if it is on disk. */
  readonly outcome: GroupOutcome
  constructor(xid: string, outcome: GroupOutcome, cause: unknown) {
    super('unavailable', 'the connection to PostgreSQL was lost during a commit', { cause })
    this.name = 'CommitInDoubt'
    this.xid = xid
    this.outcome = outcome
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The five-letter SQLSTATE, or an empty text. https://www.postgresql.org/docs/current/errcodes-appendix.html */
export function sqlState(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

/** Serialisation failure or deadlock: the same batch may succeed when it is run again. */
export function isRetryable(error: unknown): boolean {
  const state = sqlState(error)
  return state === '40001' || state === '40P01'
}

/** Whether the server is ending the connection (it stops, or an administrator ended it). */
export function isShutdown(error: unknown): boolean {
  return sqlState(error).startsWith('57P')
}

/** Classes of errors that a plan itself can cause: data, integrity, syntax, limits of a statement. */
const PLAN_CLASSES = ['22', '23', '42', '44', '54']

/** Whether the plan is at fault, as against the server or its disk. */
export function isPlanError(error: unknown): boolean {
  if (error instanceof ConnectionLost) return false
  if (error instanceof StoreError) return error.kind === 'invalid' || error.kind === 'text'
  const state = sqlState(error)
  return state === '' || PLAN_CLASSES.includes(state.slice(0, 2))
}

/** What a caller of the store sees of an error that was not the plan's. */
export function unavailable(error: unknown): StoreError {
  if (error instanceof StoreError) return error
  if (sqlState(error) === '53100')
    return new StoreError('unavailable', 'the disk of PostgreSQL is full', { cause: error })
  return new StoreError('unavailable', `PostgreSQL: ${messageOf(error)}`, { cause: error })
}
