import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import test from 'node:test'
import { Connection, loopbackTarget } from './connection.ts'

test('only plain HTTP to this machine is a target', () => {
  assert.deepEqual(loopbackTarget('http://127.0.0.1:8008'), { host: '127.0.0.1', port: 8008 })
  assert.deepEqual(loopbackTarget('http://127.9.9.9'), { host: '127.9.9.9', port: 80 })
  assert.deepEqual(loopbackTarget('http://localhost:1/'), { host: '127.0.0.1', port: 1 })
  assert.deepEqual(loopbackTarget('http://[::1]:8008'), { host: '::1', port: 8008 })
  for (const url of [
    'http://192.168.1.1:8008',
    'http://10.0.0.1',
    'http://example.org',
    'http://127.0.0.1.example.org',
    'http://localhost.example.org',
    'http://0.0.0.0:8008',
    'http://[2001:db8::1]',
    'http://127.0.0.1@example.org',
    'https://127.0.0.1',
  ]) {
    assert.throws(() => loopbackTarget(url), Error, url)
  }
})

/** A server that treats its n-th request as the n-th of `acts`, counted over all connections. */
async function scripted(acts: readonly ((socket: Socket) => void)[]) {
  let served = 0
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', () => acts[served++]?.(socket))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    server,
    target: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    served: () => served,
  }
}

const ok = (socket: Socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
const REQUEST = 'GET / HTTP/1.1\r\n\r\n'

function ask(connection: Connection): Promise<[number, string]> {
  return new Promise((resolve) => {
    connection.send(REQUEST, (status, bytes, start, end) =>
      resolve([status, bytes.toString('utf8', start, end)]),
    )
  })
}

test('a request that meets the close of a reused connection is sent once more', async () => {
  const { server, target, served } = await scripted([ok, (socket) => socket.destroy(), ok])
  const connection = new Connection(target)
  assert.deepEqual(await ask(connection), [200, 'ok'])
  assert.deepEqual(await ask(connection), [200, 'ok'])
  assert.equal(connection.retries, 1)
  assert.equal(served(), 3)
  connection.close()
  server.close()
})

test('a fresh connection that is closed, or a torn answer, is a failure and not tried again', async () => {
  const torn = (socket: Socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Le')
  const { server, target, served } = await scripted([(socket) => socket.destroy(), ok, torn])
  const connection = new Connection(target)
  assert.equal((await ask(connection))[0], 0)
  assert.deepEqual(await ask(connection), [200, 'ok'])
  assert.equal((await ask(connection))[0], 0)
  assert.equal(served(), 3)
  assert.equal(connection.retries, 0)
  connection.close()
  server.close()
})

test('a connection is used again, and made anew after Connection: close', async () => {
  const last = (socket: Socket) =>
    socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
  const { server, target } = await scripted([ok, last, ok])
  let connections = 0
  server.on('connection', () => connections++)
  const connection = new Connection(target)
  for (let request = 0; request < 3; request++) assert.equal((await ask(connection))[0], 200)
  assert.equal(connections, 2)
  assert.equal(connection.retries, 0)
  connection.close()
  server.close()
})

test('a request without a server fails', async () => {
  const { server, target } = await scripted([])
  server.close()
  await once(server, 'close')
  const [status, reason] = await ask(new Connection(target))
  assert.equal(status, 0)
  assert.match(reason, /ECONNREFUSED/)
})
