/** Verification on a thread of its own, so that neither a long table nor a hash holds up anything else. */
import type { Log } from '#/base/log.ts'
import { StoreError, type StoreErrorKind } from '#/base/store-error.ts'
import { startThread } from '../start-thread.ts'
import type { DatabaseLocation } from './location.ts'
import type { Finding, VerifyReport } from './report.ts'

export interface VerifyOptions {
  readonly database: DatabaseLocation
  readonly log: Log
}

/** What the thread says. */
export type FromVerifier =
  | { readonly finding: Finding }
  | { readonly report: VerifyReport }
  | { readonly refused: { readonly kind: StoreErrorKind; readonly message: string } }

/**
 * Checks every invariant of a database, a running server's included: all of it is read in one snapshot. Damage is in
 * the report, and logged as it is found. Throws a StoreError `refused` for a database that is not ours.
 */
export function runVerify({ database, log }: VerifyOptions): Promise<VerifyReport> {
  return new Promise((resolve, reject) => {
    const worker = startThread(new URL('./verify-thread.ts', import.meta.url), {
      workerData: database,
      name: 'verify',
    })
    worker.on('message', (message: FromVerifier) => {
      if ('finding' in message) log.error('Verification found damage', { ...message.finding })
      else if ('report' in message) resolve(message.report)
      else reject(new StoreError(message.refused.kind, message.refused.message))
    })
    worker.on('error', reject)
    /* Nothing happens when an answer came before; a promise settles once. */
    worker.on('exit', () => reject(new Error('the verification ended without a report')))
  })
}
