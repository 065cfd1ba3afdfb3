/**
 * What the protocol core costs for each event: `node bench/protocol/events.ts [events=10000] [workers=1,2]`.
 * Messages of a room of version 12, 100 characters each. The last lines spread all steps of receiving over threads.
 */
import { once } from 'node:events'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import { MadeRoom } from './made-room.ts'

const ROUNDS = 5

if (isMainThread) await main()
else serve()

async function main(): Promise<void> {
  const count = Number(process.argv[2] ?? 10_000)
  const workers = (process.argv[3] ?? '1,2').split(',').map(Number)
  const room = new MadeRoom()
  const fields = Array.from({ length: count }, (_, n) => room.message(n))
  const pdus = fields.map((each) => room.build(each))
  const texts = pdus.map(({ text }) => text)
  console.log(`${count} events of ${texts[0]!.length} bytes, best of ${ROUNDS} rounds`)
  measure('build, hash and sign', fields, (each) => room.build(each))
  measure('parse: JSON, form, id', texts, (text) => room.parse(text))
  measure('verify the signature', pdus, (pdu) => room.verify(pdu))
  measure('content hash', pdus, (pdu) => room.hash(pdu))
  measure('auth events and rules', pdus, (pdu) => room.authorise(pdu))
  measure('receive: all four', texts, (text) => room.receive(text))
  for (const threads of workers) await inThreads(threads, texts)
}

function measure<T>(what: string, items: readonly T[], step: (item: T) => void): void {
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < ROUNDS; round++) {
    const begun = performance.now()
    for (const item of items) step(item)
    best = Math.min(best, performance.now() - begun)
  }
  report(what, best, items.length)
}

async function inThreads(threads: number, texts: readonly string[]): Promise<void> {
  const pool = Array.from({ length: threads }, () => new Worker(new URL(import.meta.url)))
  const part = Math.ceil(texts.length / threads)
  const batches = pool.map((_, index) => texts.slice(index * part, (index + 1) * part))
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < ROUNDS; round++) {
    const begun = performance.now()
    await Promise.all(
      pool.map(async (worker, index) => {
        worker.postMessage(batches[index])
        await once(worker, 'message')
      }),
    )
    best = Math.min(best, performance.now() - begun)
  }
  report(`receive, ${threads} thread${threads === 1 ? '' : 's'}`, best, texts.length)
  await Promise.all(pool.map((worker) => worker.terminate()))
}

function serve(): void {
  const room = new MadeRoom()
  parentPort!.on('message', (texts: readonly string[]) => {
    for (const text of texts) room.receive(text)
    parentPort!.postMessage(texts.length)
  })
}

function report(what: string, ms: number, count: number): void {
  const ns = Math.round((ms * 1e6) / count)
  console.log(
    `${what.padEnd(24)} ${String(ns).padStart(8)} ns  ${String(Math.round(1e9 / ns)).padStart(8)}/s`,
  )
}
