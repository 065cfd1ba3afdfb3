/** The index as the operator and time see it: turned off, filled later, searched too often. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settle } from '../../support/manual-world.ts'
import { roomOf, say, V3 } from '../../support/room-calls.ts'
import { TestServer } from '../../support/test-server.ts'

const body = (term: string) => ({ search_categories: { room_events: { search_term: term } } })

test('a server that does not index says so, and keeps no index', async () => {
  const server = await TestServer.start({ configure: (options) => ({ ...options, enableSearch: false }) })
  try {
    const alice = await server.user('alice')
    const roomId = await roomOf([alice])
    await say(alice, roomId, 'unindexed')
    await alice.refused('400 M_UNKNOWN', 'POST', `${V3}/search`, body('unindexed'))
    assert.equal(await server.count('SELECT COUNT(*) AS n FROM search_tail'), 0)
  } finally {
    await server.close()
  }
})

test('turned on later, it refuses to search until older messages are in, and then finds them', async () => {
  let enableSearch = false
  const server = await TestServer.start({ configure: (options) => ({ ...options, enableSearch }) })
  try {
    const alice = await server.user('alice')
    const roomId = await roomOf([alice])
    for (let i = 0; i < 250; i++) await say(alice, roomId, `older ${i}`)
    enableSearch = true
    await server.restart()
    await alice.refused('429 M_LIMIT_EXCEEDED', 'POST', `${V3}/search`, body('older'))
    server.assembled.start()
    for (let i = 0; (await server.store.search.status()).filling; i++) {
      assert.ok(i < 10_000)
      await settle()
    }
    const answer = await alice.post(`${V3}/search`, body('older 17'))
    assert.equal(answer.search_categories.room_events.count, 1)
    enableSearch = false
    await server.restart()
    server.assembled.start()
    const left = () => server.count('SELECT COUNT(*) AS n FROM search_pages')
    for (let i = 0; (await left()) > 0; i++) {
      assert.ok(i < 10_000)
      await settle()
    }
  } finally {
    await server.close()
  }
})

test('one user has few searches at a time', async () => {
  const server = await TestServer.start()
  try {
    const alice = await server.user('alice')
    const roomId = await roomOf([alice])
    await say(alice, roomId, 'busy')
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => alice.call('POST', `${V3}/search`, body('busy'))),
    )
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200, 429]))
  } finally {
    await server.close()
  }
})
