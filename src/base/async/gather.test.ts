import assert from 'node:assert/strict'
import { test } from 'node:test'
import { realWorld } from '../world.ts'
import { Gather, type GatherOptions } from './gather.ts'

type Options = Omit<GatherOptions<number, number>, 'clock'>
const gather = (options: Options) => new Gather<number, number>({ clock: realWorld.clock, ...options })

test('what is asked in one turn is answered at once, also after other promises have settled', async () => {
  const calls: number[][] = []
  const doubled = gather({
    most: 10,
    answer: async (asks) => {
      calls.push([...asks])
      return asks.map((ask) => 2 * ask)
    },
  })
  const later = Promise.resolve().then(() => doubled.ask(3))
  assert.deepEqual(await Promise.all([doubled.ask(1), doubled.ask(2), later]), [2, 4, 6])
  assert.equal(await doubled.ask(4), 8)
  assert.deepEqual(calls, [[1, 2, 3], [4]])
})

test('at most so many together, and only those of one group', async () => {
  const calls: number[][] = []
  const same = gather({
    most: 2,
    groupOf: (ask) => `${ask % 2}`,
    answer: async (asks) => {
      calls.push([...asks])
      return asks
    },
  })
  assert.deepEqual(await Promise.all([1, 2, 3, 4, 5].map((ask) => same.ask(ask))), [1, 2, 3, 4, 5])
  assert.deepEqual(calls, [[1, 3], [5], [2, 4]])
})

test('what was left without an answer is asked again', async () => {
  const calls: number[][] = []
  const first = gather({
    most: 10,
    answer: async (asks) => {
      calls.push([...asks])
      return asks.slice(0, 2)
    },
  })
  assert.deepEqual(await Promise.all([1, 2, 3].map((ask) => first.ask(ask))), [1, 2, 3])
  assert.deepEqual(calls, [[1, 2, 3], [3]])
})

test('a failure is that of all who were not answered, and no answer at all is one', async () => {
  const failing = gather({
    most: 10,
    answer: async (asks) => {
      if (asks.length < 3) throw new Error('lost')
      return asks.slice(0, 1)
    },
  })
  const settled = await Promise.allSettled([1, 2, 3].map((ask) => failing.ask(ask)))
  assert.deepEqual(
    settled.map(({ status }) => status),
    ['fulfilled', 'rejected', 'rejected'],
  )
  await assert.rejects(gather({ most: 1, answer: async () => [] }).ask(1), /without an answer/)
})
