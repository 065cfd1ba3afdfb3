import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ENGINES, LiveServer } from '../support/live-server.ts'
import { encryption } from './js-sdk/encryption.ts'
import { everyday } from './js-sdk/everyday.ts'
import { finding } from './js-sdk/finding.ts'
import { Stage } from './js-sdk/person.ts'
import { pushRules } from './js-sdk/push-rules.ts'
import { receipts } from './js-sdk/receipts.ts'
import { relations } from './js-sdk/relations.ts'
import { sliding } from './js-sdk/sliding.ts'
import { spaces } from './js-sdk/spaces.ts'
import { threads } from './js-sdk/threads.ts'
import { upgrade } from './js-sdk/upgrade.ts'
import { clientReport } from './report.ts'

/** The last one restarts the server. */
const SCENES = {
  encryption,
  everyday,
  threads,
  receipts,
  pushRules,
  relations,
  spaces,
  upgrade,
  finding,
  sliding,
}

test('matrix-js-sdk uses what rooms offer', { concurrency: true }, async (t) => {
  const onEngines = ENGINES.map(({ engine, skip }) =>
    t.test(engine, { skip }, async (t) => {
      await using server = await LiveServer.start({ engine })
      using stage = new Stage(server)
      for (const [name, scene] of Object.entries(SCENES)) await t.test(name, () => scene(stage))
      clientReport(server, stage.people, (text) => t.diagnostic(text))
      stage[Symbol.dispose]()
      assert.equal(await server.stop(), 0)
    }),
  )
  await Promise.all(onEngines)
})
