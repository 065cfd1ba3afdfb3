import assert from 'node:assert/strict'
import test from 'node:test'
import { sharedSecretMac } from './matrix.ts'
import { parseOptions, parseScenario } from './options.ts'

const GIVEN = ['--url', 'http://127.0.0.1:8008', '--dummy', '--pid', '1,2']

test('defaults and what was given', () => {
  const options = parseOptions([
    ...GIVEN,
    '--seconds',
    '5',
    '--scenarios',
    'one,many-10,single-200,delivery-20,disk',
  ])!
  assert.equal(options.seconds, 5)
  assert.equal(options.warmUp, 3)
  assert.deepEqual(options.processes, { server: [1, 2], database: [] })
  assert.deepEqual(options.registration, { by: 'dummy' })
  assert.deepEqual(
    options.scenarios.map(({ name }) => name),
    ['one', 'many-10', 'single-200', 'delivery-20', 'disk'],
  )
  assert.equal(parseOptions(['--help']), null)
})

test('wrong values name their option', () => {
  assert.throws(() => parseOptions(['--dummy']), /--url/)
  assert.throws(() => parseOptions([...GIVEN, '--seconds', '1e9']), /--seconds/)
  assert.throws(() => parseOptions([...GIVEN, '--readers', 'x']), /--readers/)
  assert.throws(() => parseOptions([...GIVEN, '--db-pid', '1;2']), /--db-pid/)
  assert.throws(() => parseOptions([...GIVEN, '--shared-secret', 's']), /exactly one/)
  assert.throws(() => parseOptions(['--url', 'http://10.0.0.1', '--dummy', '--pid', '1']), /loopback/)
  assert.throws(() => parseOptions([...GIVEN, '--sceanrios', 'one']))
})

test('scenario names', () => {
  assert.deepEqual(parseScenario('many-200'), {
    kind: 'send',
    name: 'many-200',
    senders: 200,
    oneRoom: false,
  })
  assert.deepEqual(parseScenario('single-10'), {
    kind: 'send',
    name: 'single-10',
    senders: 10,
    oneRoom: true,
  })
  assert.deepEqual(parseScenario('delivery-1'), { kind: 'delivery', name: 'delivery-1', perSecond: 1 })
  for (const name of ['delivery', 'delivery-99999', 'many', 'many-0', 'many-1.5', 'single-9999', 'two', '']) {
    assert.throws(() => parseScenario(name), /--scenarios/, name)
  }
})

// Made with: printf 'nonce\0user\0pass\0notadmin' | openssl dgst -sha1 -hmac secret
test("the shared secret's proof", () => {
  assert.equal(sharedSecretMac('secret', 'nonce', 'user', 'pass'), 'a62633a505e2bc2e61569cf3c6847ee41ef09bae')
})
