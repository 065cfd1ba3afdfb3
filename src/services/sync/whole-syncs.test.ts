import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WholeSyncs } from './whole-syncs.ts'

const here = new AbortController().signal

/** Tasks that end when told; `begun` names those that run or ran. */
function tasks() {
  const begun: string[] = []
  const ends = new Map<string, () => void>()
  const task = (name: string) => (): Promise<string> => {
    begun.push(name)
    return new Promise((resolve) => ends.set(name, () => resolve(name)))
  }
  const end = async (name: string): Promise<void> => {
    ends.get(name)!()
    await settled()
  }
  return { begun, task, end }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('some whole answers are made at once, the others wait in order', async () => {
  const line = new WholeSyncs(2)
  const { begun, task, end } = tasks()
  const all = ['a', 'b', 'c', 'd'].map((name) => line.run(name, here, task(name)))
  await settled()
  assert.deepEqual(begun, ['a', 'b'])
  await end('b')
  assert.deepEqual(begun, ['a', 'b', 'c'])
  await end('a')
  await end('c')
  await end('d')
  assert.deepEqual(await Promise.all(all), ['a', 'b', 'c', 'd'])
})

test('a user with many devices holds one place', async () => {
  const line = new WholeSyncs(2)
  const { begun, task, end } = tasks()
  const all = [
    line.run('a', here, task('a1')),
    line.run('a', here, task('a2')),
    line.run('b', here, task('b')),
  ]
  await settled()
  assert.deepEqual(begun, ['a1', 'b'])
  await end('a1')
  assert.deepEqual(begun, ['a1', 'b', 'a2'])
  await end('a2')
  await end('b')
  assert.equal((await Promise.all(all)).length, 3)
})

test('a failed answer and a client that has gone give their place on', async () => {
  const line = new WholeSyncs(1)
  const { begun, task, end } = tasks()
  const failing = line.run('a', here, () => Promise.reject(new Error('no')))
  const gone = new AbortController()
  const left = line.run('b', gone.signal, task('b'))
  const last = line.run('c', here, task('c'))
  gone.abort()
  await assert.rejects(failing, /no/)
  await assert.rejects(left, { name: 'AbortError' })
  await settled()
  assert.deepEqual(begun, ['c'])
  await end('c')
  assert.equal(await last, 'c')
})

test('beyond a number of waiting clients the next are told to come later, until some were served', async () => {
  const line = new WholeSyncs(1, 2)
  const { task, end } = tasks()
  const first = line.run('a', here, task('a'))
  await settled()
  const second = line.run('b', here, task('b'))
  const third = line.run('b', here, task('b2'))
  await assert.rejects(line.run('c', here, task('c')), { errcode: 'M_LIMIT_EXCEEDED' })
  await end('a')
  const fourth = line.run('c', here, task('c'))
  await end('b')
  /* Who asked first has the next place; `b` asks for its second one only now. */
  await end('c')
  await end('b2')
  assert.deepEqual(await Promise.all([first, second, third, fourth]), ['a', 'b', 'b2', 'c'])
})
