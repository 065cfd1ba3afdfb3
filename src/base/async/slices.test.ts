import assert from 'node:assert/strict'
import { test } from 'node:test'
import { handTurns } from '../../../tests/support/hand-turns.ts'
import { Slices } from './slices.ts'

test('no turn begins more than its share, in the order of the calls', () => {
  const { clock, turn } = handTurns()
  const slices = new Slices(clock, 3)
  const begun: number[] = []
  for (let n = 0; n < 8; n++) slices.run(() => begun.push(n))
  assert.deepEqual(begun, [0, 1, 2])
  turn()
  assert.equal(begun.length, 6)
  slices.run(() => begun.push(8))
  assert.equal(begun.length, 6)
  turn()
  assert.deepEqual(begun, [0, 1, 2, 3, 4, 5, 6, 7, 8])
  slices.run(() => begun.push(9))
  assert.equal(begun.length, 9)
  turn()
  assert.equal(begun.length, 10)
})

test('a turn with nothing begun asks for no further one', () => {
  const { clock, turn } = handTurns()
  const slices = new Slices(clock, 2)
  let begun = 0
  slices.run(() => begun++)
  assert.equal(turn(), 1)
  assert.equal(turn(), 0)
  slices.run(() => begun++)
  assert.deepEqual([begun, turn(), turn()], [2, 1, 0])
})

test('a piece of work that asks for more of itself waits its turn', async () => {
  const { clock, turn } = handTurns()
  const slices = new Slices(clock, 2)
  let begun = 0
  const again = (): void => {
    begun++
    slices.run(again)
  }
  slices.run(again)
  assert.equal(begun, 2)
  turn()
  assert.equal(begun, 4)
  let placed = false
  const place = slices.place().then(() => (placed = true))
  await Promise.resolve()
  assert.equal(placed, false)
  turn()
  await place
})
