import assert from 'node:assert/strict'
import { test } from 'node:test'
import { format, inspect } from 'node:util'
import { Secret } from './secret.ts'

test('a secret shows itself only when revealed', () => {
  const secret = new Secret('hunter2')
  const around = { name: 'x', secret, list: [secret] }
  const printed = [
    JSON.stringify(around),
    inspect(around, { depth: 9, showHidden: true }),
    format('%s %o %O %j', secret, secret, around, around),
    `${secret}`,
    String(secret),
    Object.values(secret).join(),
    JSON.stringify(structuredClone({ ...secret })),
  ]
  for (const text of printed) assert.doesNotMatch(text, /hunter2/)
  assert.equal(JSON.stringify({ secret }), '{"secret":"[secret]"}')
  assert.equal(secret.reveal(), 'hunter2')
})
