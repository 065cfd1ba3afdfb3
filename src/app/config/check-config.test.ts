import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CERTIFICATE_ONE, CERTIFICATE_TWO } from '#/adapters/http-server/certificates.fixture.ts'
import { checkConfig } from './check-config.ts'
import { memoryFiles } from './memory-files.ts'

const GOOD = `server_name: example.org
listeners:
  - {port: 8448, type: http, tls: true, bind_addresses: ["::"], resources: [{names: [client]}]}
  - {path: /run/m.sock, type: http, resources: [{names: [federation]}]}
database: {name: psycopg2, args: {host: db, user: u, password: hunter2, dbname: m}}
tls_certificate_path: /c
tls_private_key_path: /k
registration_shared_secret: hunter2
recaptcha_public_key: x
rc_mesage: {}
`

test('a good configuration: warnings, what is not yet supported, what is in effect, and no secret', () => {
  const { ok, text } = checkConfig(
    ['h.yaml'],
    memoryFiles({ '/work/h.yaml': GOOD, '/c': CERTIFICATE_ONE.cert, '/k': CERTIFICATE_ONE.key }),
  )
  assert.equal(ok, true)
  assert.doesNotMatch(text, /hunter2/)
  for (const part of [
    /^The configuration can be used\.$/m,
    /^ {2}\/work\/h\.yaml:10: rc_mesage: unknown, not read; did you mean `rc_message`\?$/m,
    /^Set, but not supported yet:\n {2}recaptcha_public_key$/m,
    /^ {2}\/work\/example\.org\.signing\.key \(signing key\)$/m,
    /^ {2}database: postgres u@db\/m$/m,
    /^ {2}listener: https \[::\]:8448 \(client\)$/m,
    /^ {2}listener: http \/run\/m\.sock \(federation\), behind a proxy$/m,
    /^ {2}registration: closed$/m,
  ]) {
    assert.match(text, part)
  }
})

test('a bad one: every problem with file and line', () => {
  const { ok, text } = checkConfig(
    ['h.yaml'],
    memoryFiles({ '/work/h.yaml': `${GOOD}enable_search: 1\nenable_metrics: 2\n` }),
  )
  assert.equal(ok, false)
  assert.match(
    text,
    /^Problems \(2\):\n {2}\/work\/h\.yaml:11: enable_search: .*\n {2}\/work\/h\.yaml:12: enable_metrics: /,
  )
  assert.match(text, /\nWarnings:\n(.*\n)*? {2}.*rc_mesage/)
})

test('the files that are named: absent, of another kind, of another certificate, a signing key that is none', () => {
  const problemsOf = (files: Record<string, string>): string[] => {
    const { ok, text } = checkConfig(['h.yaml'], memoryFiles({ '/work/h.yaml': GOOD, ...files }))
    assert.equal(ok, Object.keys(files).length === 0)
    return [...text.matchAll(/^ {2}\/work\/h\.yaml:\d+: (\S+: expected .*)$/gm)].map(
      ([, found]) => found ?? '',
    )
  }
  const { cert, key } = CERTIFICATE_ONE
  assert.deepEqual(problemsOf({ '/c': cert }), [
    'tls_private_key_path: expected a file with a private key in PEM: there is no /k',
  ])
  assert.deepEqual(problemsOf({ '/c': 'garbage', '/k': 'garbage' }), [
    'tls_certificate_path: expected a file with a certificate in PEM: /c: that is none, or one with a passphrase',
    'tls_private_key_path: expected a file with a private key in PEM: /k: that is none, or one with a passphrase',
  ])
  assert.deepEqual(problemsOf({ '/c': cert, '/k': CERTIFICATE_TWO.key }), [
    'tls_private_key_path: expected the private key of the certificate; this one belongs to another',
  ])
  const broken = { '/c': cert, '/k': key, '/work/example.org.signing.key': '' }
  const { ok, text } = checkConfig(['h.yaml'], memoryFiles({ '/work/h.yaml': GOOD, ...broken }))
  assert.equal(ok, false)
  assert.match(text, /signing_key_path: expected a signing key that can be used in .*: there is no key/)
})
