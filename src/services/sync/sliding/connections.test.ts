import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Connections } from './connections.ts'

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
