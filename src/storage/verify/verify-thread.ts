/** The thread that verifies. */
import { parentPort, workerData } from 'node:worker_threads'
import { StoreError } from '#/base/store-error.ts'
import type { DatabaseLocation } from './location.ts'
import type { FromVerifier } from './run-verify.ts'
import { verifyPostgres } from './verify-postgres.ts'
import { verifySqlite } from './verify-sqlite.ts'

const port = parentPort
if (!port) throw new Error('verification runs as a thread')

const location = workerData as DatabaseLocation
const send = (message: FromVerifier): void => port.postMessage(message)

try {
  const report =
    location.engine === 'sqlite'
      ? verifySqlite(location.path, (finding) => send({ finding }))
      : await verifyPostgres(location.target, (finding) => send({ finding }))
  send({ report })
} catch (error) {
  if (!(error instanceof StoreError)) throw error
  send({ refused: { kind: error.kind, message: error.message } })
}
