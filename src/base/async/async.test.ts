import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KeyedLock } from './keyed-lock.ts'
import { inLanes } from './lanes.ts'
import { SingleFlight } from './single-flight.ts'

function gate(): { open: () => void; opened: Promise<void> } {
  let open: () => void = () => {}
  const opened = new Promise<void>((resolve) => (open = resolve))
  return { open, opened }
}

test('tasks of one key run one after another, in order, also behind a failed one', async () => {
  const lock = new KeyedLock()
  const seen: string[] = []
  const first = gate()
  const a = lock.run('k', async () => {
    await first.opened
    seen.push('a')
  })
  const b = lock.run('k', () => {
    seen.push('b')
    throw new Error('b fails')
  })
  const c = lock.run('k', () => seen.push('c'))
  assert.equal(lock.waiting('k'), 3)
  first.open()
  await a
  await assert.rejects(b, /b fails/)
  await c
  assert.deepEqual(seen, ['a', 'b', 'c'])
  assert.equal(lock.waiting('k'), 0)
})

test('tasks of different keys run side by side', async () => {
  const lock = new KeyedLock()
  const first = gate()
  const slow = lock.run('a', () => first.opened)
  await lock.run('b', () => {})
  first.open()
  await slow
})

test('callers that ask for the same thing share one answer, later ones ask again', async () => {
  const flights = new SingleFlight<string, number>()
  const first = gate()
  let loads = 0
  const load = async (): Promise<number> => {
    await first.opened
    return ++loads
  }
  const both = Promise.all([flights.run('k', load), flights.run('k', load)])
  first.open()
  assert.deepEqual(await both, [1, 1])
  assert.equal(await flights.run('k', load), 2)
})

test('a failed load is not kept', async () => {
  const flights = new SingleFlight<string, number>()
  await assert.rejects(
    flights.run('k', () => Promise.reject(new Error('no'))),
    /no/,
  )
  assert.equal(await flights.run('k', async () => 3), 3)
})

test('batches are worked on in order, so many at a time, and none is begun after an error', async () => {
  const begun: number[][] = []
  let atOnce = 0
  let most = 0
  await inLanes([1, 2, 3, 4, 5, 6, 7], { lanes: 2, size: 2 }, async (batch) => {
    begun.push([...batch])
    most = Math.max(most, ++atOnce)
    await Promise.resolve()
    atOnce--
  })
  assert.deepEqual(begun, [[1, 2], [3, 4], [5, 6], [7]])
  assert.equal(most, 2)
  const tried: number[] = []
  const failing = inLanes([1, 2, 3, 4], { lanes: 2, size: 1 }, async ([item]) => {
    tried.push(item!)
    await Promise.resolve()
    if (item === 1) throw new Error('the first fails')
  })
  await assert.rejects(failing, /the first fails/)
  assert.deepEqual(tried, [1, 2])
})
