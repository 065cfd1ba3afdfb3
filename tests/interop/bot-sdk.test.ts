import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ENGINES, LiveServer } from '../support/live-server.ts'
import { botSdkTalker } from './bot-sdk-talker.ts'
import { converse } from './conversation.ts'
import { clientReport } from './report.ts'

const OPEN = 'enable_registration: true\nenable_registration_without_verification: true\n'

test('matrix-bot-sdk holds a conversation', { concurrency: true }, async (t) => {
  const onEngines = ENGINES.map(({ engine, skip }) =>
    t.test(engine, { skip }, async (t) => {
      await using server = await LiveServer.start({ engine, config: OPEN })
      const { url } = server
      await server.makeAccount('bob', 'bob has a password')
      const alice = await botSdkTalker({ url, name: 'alice', password: 'alice has one too', register: true })
      const bob = await botSdkTalker({ url, name: 'bob', password: 'bob has a password', register: false })
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
