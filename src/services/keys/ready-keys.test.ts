import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KeysOfUser } from '#/ports/store/keys.ts'
import type { Change } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import { ReadyKeys } from './ready-keys.ts'

/** A store whose readings end when they are told to. */
function stub() {
  let tell: (changes: readonly Change[]) => void = () => {}
  let version = 1
  const asked: (readonly string[])[] = []
  const waiting: (() => void)[] = []
  const query = async (users: readonly string[]): Promise<KeysOfUser[]> => {
    asked.push(users)
    const rows = users
      .filter((user) => user !== '@nobody')
      .map((user) => ({ user, devices: `{"v":${version}}` }))
    await new Promise<void>((resolve) => waiting.push(resolve))
    return rows
  }
  const onChange = (listener: typeof tell) => {
    tell = listener
    return () => {}
  }
  return {
    store: { keys: { query }, onChange } as unknown as Store,
    asked,
    go: () => waiting.shift()?.(),
    change(user: string) {
      version++
      tell([{ stream: 'device_lists', position: version, user }])
    },
  }
}

test('reads keys once until the devices of their user change', async () => {
  const { store, asked, go, change } = stub()
  const ready = new ReadyKeys(store)
  const ask = async (...users: string[]) => {
    const found = ready.of(users)
    go()
    return [...(await found).values()].map(({ devices }) => devices)
  }
  assert.deepEqual(await ask('@a', '@b', '@nobody'), ['{"v":1}', '{"v":1}'])
  assert.deepEqual(await ask('@a', '@b'), ['{"v":1}', '{"v":1}'])
  change('@b')
  assert.deepEqual((await ask('@a', '@b')).sort(), ['{"v":1}', '{"v":2}'])
  await ask('@nobody')
  assert.deepEqual(asked, [['@a', '@b', '@nobody'], ['@b'], ['@nobody']], 'who is not here may come')
})

test('does not keep what was read before a change that was told meanwhile', async () => {
  const { store, asked, go, change } = stub()
  const ready = new ReadyKeys(store)
  const first = ready.of(['@a', '@b'])
  change('@a')
  go()
  await first
  const second = ready.of(['@a', '@b'])
  go()
  assert.equal((await second).get('@a')?.devices, '{"v":2}')
  assert.deepEqual(asked, [['@a', '@b'], ['@a']])
})
