/** The thread that writes. It takes all plans that wait, applies them as one group, and answers after the fsync. */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { collectWhenAsked } from '#/base/collection.ts'
import type { Plan } from '#/ports/store/plan.ts'
import { GROUP_PLANS_MAX } from '../limits.ts'
import { Connection } from './connection.ts'
import { type FromWriter, type ToWriter, unpackPlans, type WriterData } from './messages.ts'
import { isFsyncFailure, WriterCore } from './writer-core.ts'

const port = parentPort
if (!port) throw new Error('the writer runs as a thread of the server')

const data = workerData as WriterData
const connection = new Connection({ path: data.path, cacheKib: 16_384 })
connection.prepareForWriting()
const core = new WriterCore(connection, data.position)

const send = (message: FromWriter): void => port.postMessage(message)

/** Applies the waiting batches as one group; each gets its own part of the outcome. */
function applyBatches(batches: { id: number; plans: Plan[] }[]): void {
  try {
    const groups = core.applyBatches(batches.map((batch) => batch.plans))
    for (const [index, { id }] of batches.entries()) send({ id, group: JSON.stringify(groups[index]) })
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    for (const batch of batches) send({ id: batch.id, error: { message, fatal: isFsyncFailure(error) } })
  }
}

collectWhenAsked()

port.on('message', (first: ToWriter) => {
  const batches: { id: number; plans: Plan[] }[] = []
  let plans = 0
  let next: ToWriter | undefined = first
  while (next !== undefined && next !== 'close') {
    batches.push({ id: next.id, plans: unpackPlans(next) })
    plans += next.count
    if (plans >= GROUP_PLANS_MAX) break
    next = receiveMessageOnPort(port)?.message as ToWriter | undefined
  }
  if (batches.length > 0) applyBatches(batches)
  if (next === 'close') {
    connection.close()
    send('closed')
    port.close()
  }
})
