import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ENGINES, LiveServer } from '../support/live-server.ts'
import { converse } from './conversation.ts'
import { jsSdkTalker } from './js-sdk-talker.ts'
import { clientReport } from './report.ts'

test('matrix-js-sdk holds a conversation', { concurrency: true }, async (t) => {
  const onEngines = ENGINES.map(({ engine, skip }) =>
    t.test(engine, { skip }, async (t) => {
      await using server = await LiveServer.start({ engine })
      const { url } = server
      const registrationToken = await server.firstToken()
      const alice = await jsSdkTalker({
        url,
        name: 'alice',
        password: 'alice has one too',
        registrationToken,
      })
      await server.makeAccount('bob', 'bob has a password')
      const bob = await jsSdkTalker({ url, name: 'bob', password: 'bob has a password' })
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
