import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SigningKey } from '../crypto/ed25519.ts'
import { signText } from '../crypto/ed25519.ts'
import type { ServerKey } from '../crypto/server-keys.ts'
import { addSignature } from '../crypto/sign-json.ts'
import type { JsonValue } from '../json/value.ts'
import { ROOM_VERSIONS, type RoomVersionRules } from '../room-version/rules.ts'
import { eventSignedText } from './hash.ts'
import { parsePdu } from './parse.ts'
import type { Pdu } from './pdu.ts'
import { eventJson, OTHER_KEY, pdu, SPEC_KEY, versions } from './testing/fixtures.ts'
import { checkSignatures, keysNamed, redactedPdu, requiredSigners } from './verify.ts'

const NOW = 1_000_000_000_000
const V11 = ROOM_VERSIONS['11']

function known(key: SigningKey, over: Partial<ServerKey> = {}): ServerKey {
  return { keyId: key.keyId, verifyKey: key.verifyKey, validUntilTs: NOW, ...over }
}

/** Keys by `server keyId`. */
function lookup(keys: Record<string, ServerKey>) {
  return (server: string, keyId: string) => keys[`${server} ${keyId}`]
}

function signed(rules: RoomVersionRules, over: Record<string, JsonValue>, by: [string, SigningKey][]): Pdu {
  let json = eventJson(rules, over)
  const text = eventSignedText(rules, json)
  for (const [server, key] of by) json = addSignature(json, server, key.keyId, signText(text, key))
  const parsed = parsePdu(rules, json)
  assert.ok(parsed.ok)
  return parsed.value
}

function ruleOf(event: Pdu, keys: Record<string, ServerKey>): string {
  const verdict = checkSignatures(event, lookup(keys), NOW)
  return verdict.ok ? 'ok' : verdict.rule
}

test('5.7 v3+ only the sender’s server must sign; v1-v2 also the server of the event id', () => {
  for (const rules of Object.values(ROOM_VERSIONS)) {
    const old = rules.eventIdServerSigns
    assert.equal(old, Number(rules.version) <= 2)
    const id: Record<string, JsonValue> = old ? { event_id: '$x:b.example' } : {}
    const signers = requiredSigners(pdu(rules, id))
    assert.deepEqual(signers.ok && signers.value, old ? ['a.example', 'b.example'] : ['a.example'])
    const keys = { 'a.example ed25519:1': known(SPEC_KEY), 'b.example ed25519:other': known(OTHER_KEY) }
    assert.equal(ruleOf(signed(rules, id, [['a.example', SPEC_KEY]]), keys), old ? 'signature.missing' : 'ok')
    const both = signed(rules, id, [
      ['a.example', SPEC_KEY],
      ['b.example', OTHER_KEY],
    ])
    assert.equal(ruleOf(both, keys), 'ok')
    assert.equal(ruleOf(signed(rules, id, [['b.example', OTHER_KEY]]), keys), 'signature.missing')
    assert.deepEqual(keysNamed(both).length, old ? 2 : 1)
    // The signature holds for the redacted copy too.
    assert.equal(ruleOf(redactedPdu(both), keys), 'ok')
  }
  for (const rules of versions((one) => one.eventIdServerSigns)) {
    const nowhere = signed(rules, { event_id: '$x' }, [['a.example', SPEC_KEY]])
    assert.equal(ruleOf(nowhere, { 'a.example ed25519:1': known(SPEC_KEY) }), 'signature.event_id')
    assert.deepEqual(keysNamed(nowhere), [])
  }
})

test('5.7 signatures by unknown or expired keys are skipped, all others must verify, one must remain', () => {
  const one = signed(V11, {}, [['a.example', SPEC_KEY]])
  const name = 'a.example ed25519:1'
  assert.equal(ruleOf(one, {}), 'signature.missing')
  assert.equal(ruleOf(one, { [name]: known(SPEC_KEY, { expiredTs: 999 }) }), 'signature.missing')
  assert.equal(ruleOf(one, { [name]: known(SPEC_KEY, { expiredTs: 1000 }) }), 'ok')
  assert.equal(ruleOf(one, { [name]: known(SPEC_KEY, { validUntilTs: 999 }) }), 'signature.missing')
  assert.equal(ruleOf(one, { [name]: known(OTHER_KEY) }), 'signature.invalid')
  const two = signed(V11, {}, [
    ['a.example', SPEC_KEY],
    ['a.example', OTHER_KEY],
  ])
  assert.equal(ruleOf(two, { [name]: known(SPEC_KEY) }), 'ok')
  const wrong = { ...known(SPEC_KEY), keyId: OTHER_KEY.keyId }
  assert.equal(
    ruleOf(two, { [name]: known(SPEC_KEY), 'a.example ed25519:other': wrong }),
    'signature.invalid',
  )
  const skipped = { ...wrong, expiredTs: 0 }
  assert.equal(ruleOf(two, { [name]: known(SPEC_KEY), 'a.example ed25519:other': skipped }), 'ok')
  const altered = { ...one, json: { ...one.json, origin_server_ts: 1001 } }
  assert.equal(ruleOf(altered, { [name]: known(SPEC_KEY) }), 'signature.invalid')
})

test('5.7 v1-v4 ignore valid_until_ts', () => {
  for (const rules of Object.values(ROOM_VERSIONS)) {
    const event = signed(rules, {}, [['a.example', SPEC_KEY]])
    const keys = { 'a.example ed25519:1': known(SPEC_KEY, { validUntilTs: 0 }) }
    assert.equal(ruleOf(event, keys), Number(rules.version) < 5 ? 'ok' : 'signature.missing')
  }
})

test('5.2, 5.7 v8+ the authorising server must sign, whatever the membership', () => {
  for (const rules of Object.values(ROOM_VERSIONS)) {
    const restricted = Number(rules.version) >= 8
    assert.equal(rules.auth.restricted, restricted)
    for (const membership of ['join', 'leave', 'invite', 'knock', 'odd']) {
      const content = { membership, join_authorised_via_users_server: '@r:r.example' }
      const over = { type: 'm.room.member', state_key: '@alice:a.example', content }
      const signers = requiredSigners(pdu(rules, over))
      assert.deepEqual(signers.ok && signers.value, restricted ? ['a.example', 'r.example'] : ['a.example'])
      for (const via of [5, null, 'junk', '@x:']) {
        const odd = { ...over, content: { ...content, join_authorised_via_users_server: via } }
        const refused = requiredSigners(pdu(rules, odd))
        assert.equal(refused.ok ? 'ok' : refused.rule, restricted ? 'signature.authorising_user' : 'ok')
      }
      // Only member events have the rule.
      const other = requiredSigners(pdu(rules, { ...over, type: 'm.other' }))
      assert.deepEqual(other.ok && other.value, ['a.example'])
    }
  }
})

test('5.7 an invite made from a third-party invite may come from any server', () => {
  for (const rules of Object.values(ROOM_VERSIONS)) {
    const of = (content: JsonValue, type = 'm.room.member') => {
      const signers = requiredSigners(pdu(rules, { type, state_key: '@t:c.example', content }))
      return signers.ok ? signers.value.length : -1
    }
    const sender = 1
    const rest = rules.eventIdServerSigns ? 1 : 0
    assert.equal(of({ membership: 'invite', third_party_invite: {} }), rest)
    assert.equal(of({ membership: 'invite' }), sender)
    assert.equal(of({ membership: 'join', third_party_invite: {} }), sender)
    assert.equal(of({ membership: 'invite', third_party_invite: {} }, 'm.other'), sender)
  }
})
