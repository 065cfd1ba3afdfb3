import { Session, type Target } from '../postgres/session.ts'
import { runAsync } from '../sql/sql.ts'
import { recognise } from './recognise.ts'
import type { FindingListener, VerifyReport } from './report.ts'
import { verifyStore } from './verify-store.ts'

/** Verifies a PostgreSQL database in one snapshot. Throws a StoreError `refused` when it is not ours. */
export async function verifyPostgres(target: Target, listener: FindingListener): Promise<VerifyReport> {
  const session = await Session.connect(target, () => {})
  try {
    await runAsync(recognise('postgres'), session.ask)
    await session.command('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    return await runAsync(verifyStore('postgres', listener), session.ask)
  } finally {
    await session.end()
  }
}
