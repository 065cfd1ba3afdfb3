import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openMemoryStore } from '../../../tests/support/memory-store.ts'
import { IgnoredUsers } from './ignored-users.ts'

const USER = '@reader:test.example'

async function withStore(run: (parts: Awaited<ReturnType<typeof open>>) => Promise<void>): Promise<void> {
  const parts = open()
  try {
    await run(parts)
  } finally {
    parts.ignored.close()
    await parts.store[Symbol.asyncDispose]()
  }
}

function open() {
  const store = openMemoryStore()
  let reads = 0
  let broken = false
  const accountData = {
    ...store.accountData,
    async get(user: string, room: number, type: string) {
      reads++
      if (broken) throw new Error('the disk is away')
      return store.accountData.get(user, room, type)
    },
  }
  const position = () => store.position()
  const seen = { ...store, accountData, position }
  const put = (content: string, type = 'm.ignored_user_list', room = 0) =>
    store.commit({ lane: USER, ops: [{ op: 'account_data.put', user: USER, room, type, content }] })
  return {
    store,
    ignored: new IgnoredUsers(seen),
    put,
    reads: () => reads,
    setBroken: (value: boolean) => {
      broken = value
    },
  }
}

test('the list is read once, and again after it changed', () =>
  withStore(async ({ ignored, put, reads }) => {
    assert.equal((await ignored.ignoredBy(USER)).size, 0)
    await put('{"ignored_users":{"@a:x":{},"@b:x":{}}}')
    assert.deepEqual([...(await ignored.ignoredBy(USER))], ['@a:x', '@b:x'])
    await Promise.all([ignored.ignoredBy(USER), ignored.ignoredBy(USER)])
    assert.equal(reads(), 2)
    await put('{"ignored_users":{}}')
    assert.equal((await ignored.ignoredBy(USER)).size, 0)
  }))

test('a list that is none ignores nobody, and nobody ignores themselves', () =>
  withStore(async ({ ignored, put }) => {
    for (const content of [
      '{}',
      '{"ignored_users":null}',
      '{"ignored_users":7}',
      '{"ignored_users":"@a:x"}',
    ]) {
      await put(content)
      assert.equal((await ignored.ignoredBy(USER)).size, 0, content)
    }
    await put(`{"ignored_users":{"${USER}":{},"@a:x":{}}}`)
    assert.deepEqual([...(await ignored.ignoredBy(USER))], ['@a:x'])
  }))

test('a list that cannot be read fails the request and is read anew by the next', () =>
  withStore(async ({ ignored, put, setBroken }) => {
    await put('{"ignored_users":{"@a:x":{}}}')
    setBroken(true)
    await assert.rejects(ignored.ignoredBy(USER))
    setBroken(false)
    assert.equal((await ignored.ignoredBy(USER)).size, 1)
  }))
