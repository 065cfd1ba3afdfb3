import { existsSync } from 'node:fs'
import { StoreError } from '#/base/store-error.ts'
import { Connection } from '../sqlite/connection.ts'
import { recognise } from './recognise.ts'
import { type FindingListener, unreadable, type VerifyReport } from './report.ts'
import { verifyStore } from './verify-store.ts'

/** Verifies a database file on the calling thread. Throws a StoreError `refused` when it is not ours. */
export function verifySqlite(path: string, listener: FindingListener): VerifyReport {
  if (!existsSync(path)) throw new StoreError('refused', `there is no database ${path}`)
  let connection: Connection | undefined
  try {
    connection = new Connection({ path, readOnly: true, cacheKib: 65_536 })
    connection.db.exec('BEGIN')
    connection.run(recognise('sqlite'))
    return connection.run(verifyStore('sqlite', listener))
  } catch (error) {
    if (error instanceof StoreError) throw error
    return unreadable(listener, error)
  } finally {
    connection?.close()
  }
}
