import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Connections } from './connections.ts'
import { ANSWERS_PER_POSITION_MAX } from './limits.ts'
import { RequiredState } from './required-state.ts'

const NAME = { userId: '@a:b', deviceId: 'D', connId: 'main' }
const TOLD = { position: 1, config: '', settled: true, counts: new Map(), extensions: new Map() }

test('a connection that is answered late does not take the place of one begun after it', () => {
  const connections = new Connections({ bytes: (length) => Buffer.alloc(length), below: () => 0 })
  const [early, late] = [connections.begin(), connections.begin()]
  const numbers = [late, early].map((connection) => {
    const serial = connections.nextSerial()
    connection.answer(serial, { told: TOLD, rooms: new Map() })
    connections.keep(NAME, connection)
    return serial
  })
  assert.equal(connections.at(NAME, numbers[1]!), undefined)
  assert.equal(connections.at(NAME, numbers[0]!), late)
})

test('D3: what a client asked for weighs as much as it wrote, and is given back with the answers', () => {
  const connections = new Connections({ bytes: (length) => Buffer.alloc(length), below: () => 0 })
  const connection = connections.begin()
  const empty = connection.bytes
  assert.ok(empty > 0, 'many connections without rooms are not for nothing')
  const asked = { ...TOLD, config: 'x'.repeat(100_000) }
  const serials = Array.from({ length: ANSWERS_PER_POSITION_MAX + 3 }, () => {
    const serial = connections.nextSerial()
    connection.answer(serial, { told: asked, rooms: new Map() })
    return serial
  })
  assert.ok(connection.bytes > ANSWERS_PER_POSITION_MAX * 100_000)
  assert.ok(connection.bytes < (ANSWERS_PER_POSITION_MAX + 1) * 210_000)
  assert.equal(connection.reached(serials.at(-1)!), true)
  assert.ok(connection.bytes < 210_000)
  const last = connections.nextSerial()
  connection.answer(last, { told: TOLD, rooms: new Map() })
  assert.equal(connection.reached(last), true)
  assert.equal(connection.bytes, empty)
  const wish = (i: number) =>
    new RequiredState([
      { include: [{ type: 'x'.repeat(200), stateKey: `${i}` }], exclude: [], lazyMembers: false },
    ])
  connection.shared(wish(1))
  const one = connection.bytes - empty
  assert.ok(one > 200)
  connection.shared(wish(1))
  assert.equal(connection.bytes - empty, one)
})
