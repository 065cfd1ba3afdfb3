/** A thread for reads of any length. */
import { parentPort, workerData } from 'node:worker_threads'
import { collectWhenAsked } from '#/base/collection.ts'
import { StoreError } from '#/base/store-error.ts'
import { READ_PAGE_ROWS } from '../limits.ts'
import '../queries/all.ts'
import { queryNamed } from '../queries/query.ts'
import { Connection } from './connection.ts'
import type { FromReader, ReaderData, ToReader } from './messages.ts'
import { readOn } from './read-on.ts'

const port = parentPort
if (!port) throw new Error('a reader runs as a thread of the server')

const connection = new Connection({ path: (workerData as ReaderData).path, readOnly: true, cacheKib: 8192 })
const send = (message: FromReader): void => port.postMessage(message)

collectWhenAsked()

port.on('message', (message: ToReader | 'close') => {
  if (message === 'close') {
    connection.close()
    port.close()
    return
  }
  const { id } = message
  try {
    const value = readOn(connection, queryNamed(message.name), message.args)
    if (!Array.isArray(value)) return send({ id, value })
    let at = 0
    do {
      const page = value.slice(at, at + READ_PAGE_ROWS)
      at += READ_PAGE_ROWS
      send({ id, page, last: at >= value.length })
    } while (at < value.length)
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    send({ id, error: { message, kind: error instanceof StoreError ? error.kind : 'unavailable' } })
  }
})
