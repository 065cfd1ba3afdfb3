/** A connection that breaks in the very moment of a COMMIT: the store finds out whether the plan is on disk. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { describe, it } from 'node:test'
import { realWorld } from '#/base/world.ts'
import type { Plan } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import { postgresSkip, testDatabase } from '../../../tests/support/test-postgres.ts'
import { openPostgres } from './store.ts'

const DEFAULT_PORT = 5432

/** What happens to the next COMMIT: it is lost, or it arrives and its answer is lost. */
type Loss = 'before' | 'after'

/** Stands between the store and PostgreSQL. */
class Wire implements AsyncDisposable {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #target: URL
  /** Taken by the next COMMIT that a connection has not sent before: later ones go by the name of the statement. */
  loss: Loss | undefined
  /** Whether new connections are turned away from the loss on. */
  closes = false
  /** Whether new connections are turned away. */
  closed = false
  lost = 0
  refused = 0

  constructor(url: string) {
    this.#target = new URL(url)
    this.#server = createServer((client) => this.#take(client))
  }

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    const url = new URL(this.#target)
    url.searchParams.delete('host')
    url.hostname = '127.0.0.1'
    url.port = String((this.#server.address() as AddressInfo).port)
    return url.href
  }

  #upstream(): Socket {
    const folder = this.#target.searchParams.get('host')
    const port = Number(this.#target.port || DEFAULT_PORT)
    return folder ? connect(`${folder}/.s.PGSQL.${port}`) : connect(port, this.#target.hostname)
  }

  #take(client: Socket): void {
    if (this.closed) {
      this.refused++
      client.destroy()
      return
    }
    const upstream = this.#upstream()
    let mute = false
    const end = (): void => {
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) {
      this.#sockets.add(socket)
      socket.on('error', end)
      socket.on('close', () => {
        this.#sockets.delete(socket)
        end()
      })
    }
    client.on('data', (data) => {
      const loss = data.includes('COMMIT\0') ? this.loss : undefined
      if (loss === undefined) return void upstream.write(data)
      this.loss = undefined
      this.lost++
      this.closed = this.closes
      if (loss === 'before') return end()
      mute = true
      upstream.write(data)
    })
    upstream.on('data', (data) => {
      if (mute) end()
      else client.write(data)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

const USER = '@a:x'

const put = (type: string): Plan => ({
  lane: USER,
  ops: [{ op: 'account_data.put', user: USER, room: 0, type, content: '{}' }],
})

const holds = async (store: Store, type: string): Promise<boolean> =>
  (await store.accountData.get(USER, 0, type)) !== undefined

async function withWire(run: (store: Store, wire: Wire) => Promise<void>): Promise<void> {
  await using database = await testDatabase()
  await using wire = new Wire(database.url)
  const connectionString = await wire.listen()
  const onFatal = (error: Error): void => assert.fail(error)
  await using store = await openPostgres({
    target: { connectionString },
    serverName: 'a.example',
    world: realWorld,
    onFatal,
    writers: 1,
  })
  await run(store, wire)
  assert.ok((await store.commit(put('later'))).ok, 'the store goes on')
  assert.ok(await holds(store, 'later'))
  assert.equal(store.health().writable, true)
}

describe('a commit in doubt', { skip: postgresSkip }, () => {
  it('is acknowledged when it is on disk', () =>
    withWire(async (store, wire) => {
      wire.loss = 'after'
      const result = await store.commit(put('doubtful'))
      assert.deepEqual([result.ok, wire.lost], [true, 1])
      assert.ok(await holds(store, 'doubtful'))
    }))

  it('is refused when it never arrived', () =>
    withWire(async (store, wire) => {
      wire.loss = 'before'
      await assert.rejects(store.commit(put('doubtful')), { kind: 'unavailable' })
      assert.equal(wire.lost, 1)
      assert.equal(await holds(store, 'doubtful'), false)
    }))

  it('is neither acknowledged nor refused until PostgreSQL can be asked', () =>
    withWire(async (store, wire) => {
      wire.loss = 'after'
      wire.closes = true
      let settled = false
      const result = store.commit(put('doubtful')).finally(() => {
        settled = true
      })
      for (let i = 0; wire.refused === 0; i++) {
        assert.ok(i < 1000, 'nobody asks PostgreSQL')
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      assert.equal(settled, false)
      assert.equal(store.health().writable, false)
      wire.closed = false
      assert.equal((await result).ok, true)
      assert.ok(await holds(store, 'doubtful'))
    }))
})
