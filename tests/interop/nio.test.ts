import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ENGINES, LiveServer } from '../support/live-server.ts'
import { converse } from './conversation.ts'
import { nioTalker } from './nio-talker.ts'
import { clientReport } from './report.ts'

const python = process.env['MYELIN_TEST_PYTHON']
if (!python && process.env['CI']) throw new Error('MYELIN_TEST_PYTHON is not set')
const noPython = python ? false : 'MYELIN_TEST_PYTHON is not set'

test('matrix-nio holds a conversation', { concurrency: true, skip: noPython }, async (t) => {
  const onEngines = ENGINES.map(({ engine, skip }) =>
    t.test(engine, { skip }, async (t) => {
      await using server = await LiveServer.start({ engine })
      const common = { python: python ?? '', url: server.url }
      const registrationToken = await server.firstToken()
      const alice = await nioTalker({
        ...common,
        name: 'alice',
        password: 'alice has one',
        registrationToken,
      })
      await server.makeAccount('bob', 'bob has a password')
      const bob = await nioTalker({ ...common, name: 'bob', password: 'bob has a password' })
      try {
        await converse(server, { alice, bob }, (text) => t.diagnostic(text))
      } finally {
        await Promise.all([alice.close(), bob.close()])
        clientReport(server, [alice, bob], (text) => t.diagnostic(text))
      }
      assert.equal(await server.stop(), 0)
    }),
  )
  await Promise.all(onEngines)
})
