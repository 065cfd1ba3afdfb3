/** A store in memory, for unit tests of services. */
import { DatabaseSync } from 'node:sqlite'
import { type Clock, realWorld } from '#/base/world.ts'
import type { Store } from '#/ports/store/store.ts'
import { openSqliteInline } from '#/storage/sqlite/store.ts'

let databases = 0

/** Its pauses are turns of the event loop, whatever clock the test has. */
const clock: Clock = {
  ...realWorld.clock,
  after: (_, run) => {
    const turn = setImmediate(run)
    return { cancel: () => clearImmediate(turn) }
  },
}

export function openMemoryStore(serverName = 'test.example'): Store {
  const path = `file:/memory-${process.pid}-${++databases}?vfs=memdb`
  const spare = new DatabaseSync(path)
  const world = { clock, rng: realWorld.rng }
  const store = openSqliteInline({ path, serverName, world, pauseMsMax: 0 })
  const dispose = store[Symbol.asyncDispose].bind(store)
  return {
    ...store,
    async [Symbol.asyncDispose]() {
      await dispose()
      spare.close()
    },
  }
}
