import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Pdu } from '../event/pdu.ts'
import type { ServerName } from '../ids/server-name.ts'
import type { JsonObject } from '../json/value.ts'
import { makeEvent } from '../state/testing/make-event.ts'
import {
  needsPolicySignature,
  POLICY_KEY_ID,
  policyServerInUse,
  policyServerOf,
  policySignatureOf,
  policyStep,
  withPolicySignature,
} from './policy-server.ts'

const VIA = 'policy.example.org' as ServerName
const CONTENT: JsonObject = { via: VIA, public_keys: { ed25519: 'abc' } }
const policy = (content: JsonObject, stateKey = '', type = 'm.room.policy'): Pdu =>
  makeEvent({ type, sender: '@a:x', stateKey, content })
const SERVER = { via: VIA, publicKey: 'abc' }

describe('5.6 policy server in use', () => {
  it('with via, an ed25519 key and a joined user of via', () => {
    assert.deepEqual(policyServerOf(policy(CONTENT)), SERVER)
    const joined = (server: ServerName): boolean => server === VIA
    assert.deepEqual(policyServerInUse(policy(CONTENT), joined), SERVER)
    assert.equal(
      policyServerInUse(policy(CONTENT), () => false),
      undefined,
    )
    assert.equal(policyServerInUse(undefined, joined), undefined)
  })
  it('not with another state key, another type or a malformed content', () => {
    assert.equal(policyServerOf(policy(CONTENT, 'x')), undefined)
    assert.equal(policyServerOf(policy(CONTENT, '', 'm.room.topic')), undefined)
    const broken: JsonObject[] = [
      {},
      { via: VIA },
      { public_keys: { ed25519: 'abc' } },
      { ...CONTENT, via: 1 },
      { ...CONTENT, via: 'no server' },
      { ...CONTENT, public_keys: 'abc' },
      { ...CONTENT, public_keys: { ed25519: 1 } },
      { ...CONTENT, public_keys: { rsa: 'abc' } },
    ]
    for (const content of broken) assert.equal(policyServerOf(policy(content)), undefined)
  })
})

describe('5.6 which events need its signature', () => {
  it('all but m.room.policy with an empty state key', () => {
    assert.equal(needsPolicySignature(policy({})), false)
    assert.equal(needsPolicySignature(policy({}, 'x')), true)
    assert.equal(needsPolicySignature({ type: 'm.room.policy', stateKey: undefined }), true)
    assert.equal(needsPolicySignature({ type: 'm.room.member', stateKey: '' }), true)
  })
  it('ask once, then refuse', () => {
    const event = { type: 'm.room.message', stateKey: undefined }
    const step = (server: typeof SERVER | undefined, signatureIsValid: boolean, asked: boolean): string =>
      policyStep({ event, server, signatureIsValid, asked })
    assert.equal(step(SERVER, false, false), 'ask')
    assert.equal(step(SERVER, false, true), 'refuse')
    assert.equal(step(SERVER, true, false), 'accept')
    assert.equal(step(undefined, false, false), 'accept')
    const exempt = { event: policy({}), server: SERVER, signatureIsValid: false, asked: false }
    assert.equal(policyStep(exempt), 'accept')
  })
})

describe('5.6 its signature on an event', () => {
  it('always has the key id ed25519:policy_server', () => {
    assert.equal(policySignatureOf({ signatures: { [VIA]: { [POLICY_KEY_ID]: 's' } } }, VIA), 's')
    assert.equal(policySignatureOf({ signatures: { [VIA]: { 'ed25519:1': 's' } } }, VIA), undefined)
    assert.equal(policySignatureOf({ signatures: { [VIA]: 's' } }, VIA), undefined)
    assert.equal(policySignatureOf({}, VIA), undefined)
  })
  it("is merged without losing the origin's when the names are the same", () => {
    const event: JsonObject = { type: 't', signatures: { [VIA]: { 'ed25519:1': 'o' }, b: { k: 'b' } } }
    const answer = { [VIA]: { [POLICY_KEY_ID]: 'p', 'ed25519:1': 'forged' }, b: { k: 'forged' } }
    assert.deepEqual(withPolicySignature(event, VIA, answer), {
      type: 't',
      signatures: { [VIA]: { 'ed25519:1': 'o', [POLICY_KEY_ID]: 'p' }, b: { k: 'b' } },
    })
    assert.deepEqual(withPolicySignature({}, VIA, answer), {
      signatures: { [VIA]: { [POLICY_KEY_ID]: 'p' } },
    })
  })
  it('an answer without it changes nothing', () => {
    for (const answer of [undefined, null, 'x', {}, { [VIA]: {} }, { b: { [POLICY_KEY_ID]: 'p' } }]) {
      assert.equal(withPolicySignature({}, VIA, answer as JsonObject), undefined)
    }
  })
})
