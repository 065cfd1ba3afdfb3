/** The thread that verifies. */
import { parentPort, workerData } from 'node:worker_threads'
import { StoreError } from '#/base/store-error.ts'
import type { DatabaseLocation } from './location.ts'
import type { FromVerifier } from './run-verify.ts'
import { verifySqlite } from './verify-sqlite.ts'

const port = parentPort
if (!port) throw new Error('verification runs as a thread')

const location = workerData as DatabaseLocation
const send = (message: FromVerifier): void => port.postMessage(message)

try {
  if (location.engine !== 'sqlite') throw new StoreError('refused', 'PostgreSQL is not there yet')
  send({ report: verifySqlite(location.path, (finding) => send({ finding })) })
} catch (error) {
  if (!(error instanceof StoreError)) throw error
  send({ refused: { kind: error.kind, message: error.message } })
}
