import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Worker } from 'node:worker_threads'
import { collectEverywhere } from './collection.ts'

/** Waits to be asked, and counts its collections meanwhile. */
const THREAD = `
import { parentPort } from 'node:worker_threads'
import { PerformanceObserver } from 'node:perf_hooks'
const { collectWhenAsked } = await import(${JSON.stringify(new URL('./collection.ts', import.meta.url).href)})
new PerformanceObserver(() => parentPort.postMessage('collected')).observe({ entryTypes: ['gc'] })
collectWhenAsked()
parentPort.on('message', () => process.exit(0))
parentPort.postMessage('ready')
`

test('threads collect when asked, and it does not keep them alive', async () => {
  setFlagsFromString('--expose-gc')
  globalThis.gc = runInNewContext('gc') as NonNullable<typeof globalThis.gc>
  const thread = new Worker(new URL(`data:text/javascript,${encodeURIComponent(THREAD)}`))
  const said = (what: string): Promise<void> =>
    new Promise((resolve) => thread.on('message', (message) => message === what && resolve()))
  await said('ready')
  const collected = said('collected')
  collectEverywhere()
  await collected
  const ended = new Promise((resolve) => thread.once('exit', resolve))
  thread.postMessage('end')
  assert.equal(await ended, 0)
  const alone = new Worker(
    new URL(
      `data:text/javascript,${encodeURIComponent(
        `const { collectWhenAsked } = await import(${JSON.stringify(new URL('./collection.ts', import.meta.url).href)}); collectWhenAsked()`,
      )}`,
    ),
  )
  assert.equal(await new Promise((resolve) => alone.once('exit', resolve)), 0)
})
