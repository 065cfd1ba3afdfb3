import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OTHER_KEY, SPEC_KEY, server } from '../event/testing/fixtures.ts'
import { parseKeyId } from '../ids/key-id.ts'
import type { JsonObject, JsonValue } from '../json/value.ts'
import { KEYS_PER_SERVER_MAX, SIGNATURES_PER_SERVER_MAX, VERIFY_KEYS_CACHED_MAX } from '../limits.ts'
import { ROOM_VERSIONS } from '../room-version/rules.ts'
import { decodeBase64, encodeBase64, encodeBase64Url, sameBase64 } from './base64.ts'
import { importVerifyKey, signingKeyFromSeed, signText, verifyText } from './ed25519.ts'
import { effectiveValidUntil, isValidForEvent, isValidForRequest } from './key-validity.ts'
import { buildServerKeys, checkServerKeys } from './server-keys.ts'
import { addSignature, signaturesOf, signersOf, signJson, verifyJson } from './sign-json.ts'
import { encodeSigningKey, parseSigningKeys } from './signing-key-file.ts'

test('5.5 base64: examples of the appendices', () => {
  for (const [text, base64] of [
    ['', ''],
    ['f', 'Zg'],
    ['fo', 'Zm8'],
    ['foo', 'Zm9v'],
    ['foob', 'Zm9vYg'],
    ['fooba', 'Zm9vYmE'],
    ['foobar', 'Zm9vYmFy'],
  ] as const) {
    assert.equal(encodeBase64(Buffer.from(text)), base64)
    assert.equal(encodeBase64Url(new Uint8Array(Buffer.from(text))), base64)
    assert.deepEqual(decodeBase64(base64), Buffer.from(text))
  }
})

test('5.5 base64: padded or not and either alphabet on input, unpadded on output', () => {
  const bytes = Buffer.from([0xfb, 0xff, 0xfe, 0xff])
  assert.equal(encodeBase64(new Uint8Array(bytes)), '+//+/w')
  assert.equal(encodeBase64Url(bytes), '-__-_w')
  for (const text of ['+//+/w', '-__-_w', '+//+/w==', '-__-_w==', '+__-/w'])
    assert.deepEqual(decodeBase64(text), bytes)
  for (const bad of [
    'a',
    'ab=',
    'abc==',
    'ab===',
    '=',
    '==',
    'a b',
    'ab\n',
    'é',
    'a=bc',
    'abcd=',
    'abcde',
    'ab*d',
  ]) {
    assert.equal(decodeBase64(bad), undefined, bad)
  }
  assert.ok(sameBase64('+//+/w', '-__-_w=='))
  assert.ok(sameBase64('Zg', 'Zg'))
  assert.ok(!sameBase64('*', '*'))
  assert.ok(!sameBase64('Zg', '*'))
  assert.ok(!sameBase64('*', 'Zg'))
  assert.ok(!sameBase64('Zg', 'Zm8'))
})

test('fuzz: base64 round-trips and never throws, in linear time', () => {
  let x = 99
  const next = (below: number) => {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    return (x >>> 0) % below
  }
  for (let round = 0; round < 10_000; round++) {
    const bytes = Buffer.from(Array.from({ length: next(40) }, () => next(256)))
    assert.deepEqual(decodeBase64(encodeBase64(bytes)), bytes)
    assert.deepEqual(decodeBase64(encodeBase64Url(bytes)), bytes)
    let text = ''
    for (let i = next(12); i > 0; i--) text += 'aZ09+/-_=* é\n'[next(13)]
    decodeBase64(text)
  }
  const start = process.hrtime.bigint()
  decodeBase64(`${'A'.repeat(4_000_000)}*`)
  assert.ok(Number(process.hrtime.bigint() - start) < 1e9)
})

/** Key answers and key files take none that is published, as that of the specification is. */
const OWN_KEY = signingKeyFromSeed('1', Buffer.alloc(32, 9))
const DOMAIN = server('domain')
const KEY_1 = parseKeyId('ed25519:1')!

test('signing JSON: vectors of the appendices', () => {
  assert.deepEqual(signJson({}, DOMAIN, SPEC_KEY), {
    signatures: {
      domain: {
        'ed25519:1': 'K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ',
      },
    },
  })
  const signed = signJson({ one: 1, two: 'Two', unsigned: { age: 1 } }, DOMAIN, SPEC_KEY)
  assert.deepEqual(signed['signatures'], {
    domain: {
      'ed25519:1': 'KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw',
    },
  })
  assert.ok(verifyJson(signed, DOMAIN, KEY_1, SPEC_KEY.verifyKey))
  // Others may sign too, and unsigned may change.
  const twice = signJson({ ...signed, unsigned: 5 }, 'other', OTHER_KEY)
  assert.ok(verifyJson(twice, DOMAIN, KEY_1, SPEC_KEY.verifyKey))
  assert.ok(verifyJson(twice, 'other', OTHER_KEY.keyId, OTHER_KEY.verifyKey))
  assert.deepEqual(signersOf(twice), ['domain', 'other'])
  assert.ok(!verifyJson({ ...signed, one: 2 }, DOMAIN, KEY_1, SPEC_KEY.verifyKey))
  assert.ok(!verifyJson(signed, 'other', KEY_1, SPEC_KEY.verifyKey))
  assert.ok(!verifyJson(signed, DOMAIN, OTHER_KEY.keyId, SPEC_KEY.verifyKey))
  assert.ok(!verifyJson(signed, DOMAIN, KEY_1, OTHER_KEY.verifyKey))
})

test('signatures of odd shapes are no signatures', () => {
  const of = (signatures: JsonValue) => signaturesOf({ signatures }, 'a')
  assert.deepEqual(of({ a: { 'ed25519:1': 'x', 'ed25519:2': 5, 'rsa:1': 'x', ed25519: 'x' } }), [
    ['ed25519:1', 'x'],
  ])
  for (const odd of [5, null, [], { a: 5 }, { b: {} }, { a: [] }]) assert.deepEqual(of(odd), [])
  assert.deepEqual(signersOf({}), [])
  assert.deepEqual(signaturesOf({}, 'a'), [])
  assert.deepEqual(addSignature({ signatures: 5 }, 'a', KEY_1, 'x'), {
    signatures: { a: { 'ed25519:1': 'x' } },
  })
  assert.deepEqual(addSignature({ signatures: { a: 5 } }, 'a', KEY_1, 'x'), {
    signatures: { a: { 'ed25519:1': 'x' } },
  })
  const many = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`ed25519:${i}`, 'x']))
  assert.equal(of({ a: many }).length, SIGNATURES_PER_SERVER_MAX)
})

test('Ed25519: bad keys and signatures are refused', () => {
  const signature = signText('text', SPEC_KEY)
  assert.ok(verifyText('text', signature, SPEC_KEY.verifyKey))
  assert.ok(verifyText('text', `${signature}==`, SPEC_KEY.verifyKey))
  assert.ok(!verifyText('text ', signature, SPEC_KEY.verifyKey))
  for (const bad of ['', '*', 'Zg', signature.slice(0, 80), `${signature}AAAA`]) {
    assert.ok(!verifyText('text', bad, SPEC_KEY.verifyKey), bad)
  }
  assert.equal(importVerifyKey('*'), undefined)
  assert.equal(importVerifyKey('Zg'), undefined)
  const imported = importVerifyKey(SPEC_KEY.verifyKey.base64)!
  assert.ok(verifyText('text', signature, imported))
  assert.equal(importVerifyKey(SPEC_KEY.verifyKey.base64), imported)
  assert.throws(() => signingKeyFromSeed('1', Buffer.alloc(31)), RangeError)
  assert.throws(() => signingKeyFromSeed('a b', Buffer.alloc(32)), RangeError)
})

test('the cache of public keys is bounded and forgets the least recently used', () => {
  const keep = importVerifyKey(SPEC_KEY.verifyKey.base64)
  for (let i = 0; i < VERIFY_KEYS_CACHED_MAX + 10; i++) {
    const raw = Buffer.alloc(32)
    raw.writeUInt32BE(i)
    importVerifyKey(encodeBase64(raw))
    if (i % 1000 === 0) assert.equal(importVerifyKey(SPEC_KEY.verifyKey.base64), keep)
  }
  assert.equal(importVerifyKey(SPEC_KEY.verifyKey.base64), keep)
})

const DAY = 24 * 3600 * 1000

test('5.1.6, 5.7 validity in time: v5+ at origin_server_ts, capped at 7 days ahead; v1-v4 ignore valid_until_ts', () => {
  const now = 1_000 * DAY
  const far = { validUntilTs: now + 100 * DAY }
  const past = { validUntilTs: now - DAY }
  for (const rules of Object.values(ROOM_VERSIONS)) {
    const enforced = Number(rules.version) >= 5
    assert.equal(rules.enforcesKeyValidity, enforced)
    assert.ok(isValidForEvent(rules, far, now, now))
    assert.ok(isValidForEvent(rules, far, now + 7 * DAY, now))
    assert.equal(isValidForEvent(rules, far, now + 7 * DAY + 1, now), !enforced)
    assert.ok(isValidForEvent(rules, past, now - DAY, now))
    assert.equal(isValidForEvent(rules, past, now - DAY + 1, now), !enforced)
    // Old keys vouch up to expired_ts, in every version.
    const old = { validUntilTs: now + DAY, expiredTs: now - 5 * DAY }
    assert.ok(isValidForEvent(rules, old, now - 5 * DAY, now))
    assert.ok(!isValidForEvent(rules, old, now - 5 * DAY + 1, now))
  }
  assert.ok(isValidForRequest(far, now))
  assert.ok(isValidForRequest({ validUntilTs: now }, now))
  assert.ok(!isValidForRequest({ validUntilTs: now - 1 }, now))
  assert.ok(!isValidForRequest({ validUntilTs: now + DAY, expiredTs: now + DAY }, now))
  assert.equal(effectiveValidUntil(now + 100 * DAY, now), now + 7 * DAY)
  assert.equal(effectiveValidUntil(now + DAY, now), now + DAY)
})

test('5.7 a key answer is signed by a listed key and is about the server asked for', () => {
  const name = server('a.example')
  const retired = { keyId: parseKeyId('ed25519:old')!, key: OTHER_KEY.verifyKey.base64, expiredTs: 50 }
  const answer = buildServerKeys(name, [OWN_KEY], [retired], 1000)
  const checked = checkServerKeys(answer, name)
  assert.ok(checked.ok)
  assert.equal(checked.value.validUntilTs, 1000)
  assert.deepEqual(
    checked.value.keys.map((key) => [key.keyId, key.validUntilTs, key.expiredTs]),
    [
      ['ed25519:1', 1000, undefined],
      ['ed25519:old', 1000, 50],
    ],
  )
  const rule = (value: JsonValue, of = name) => {
    const result = checkServerKeys(value, of)
    return result.ok ? 'ok' : result.rule
  }
  assert.equal(rule(5), 'server_keys.format')
  assert.equal(rule(answer, server('b.example')), 'server_keys.server_name')
  assert.equal(rule({ ...answer, valid_until_ts: 'x' }), 'server_keys.format')
  assert.equal(rule({ ...answer, verify_keys: [] }), 'server_keys.format')
  assert.equal(rule({ ...answer, old_verify_keys: 5 }), 'server_keys.format')
  assert.equal(rule({ ...answer, valid_until_ts: 1001 }), 'server_keys.signature')
  assert.equal(rule({ ...answer, signatures: {} }), 'server_keys.signature')
  // Signed by a key that is only listed as old: not enough.
  const { old_verify_keys: _, ...unsigned } = answer
  const byOther = signJson({ ...unsigned, signatures: {} }, name, OTHER_KEY)
  assert.equal(rule(byOther), 'server_keys.signature')
  const many = Object.fromEntries(
    Array.from({ length: KEYS_PER_SERVER_MAX }, (_, i) => [`ed25519:${i}`, { key: '' }]),
  )
  assert.equal(rule({ ...answer, old_verify_keys: many }), 'server_keys.count')
})

test('a key answer with junk beside a good key is read as far as it is good (adv-17)', () => {
  const name = server('a.example')
  const plain: JsonObject = {
    server_name: name,
    valid_until_ts: 10,
    verify_keys: {
      'ed25519:1': { key: OWN_KEY.verifyKey.base64 },
      'ed25519:bad': { key: 'x' },
      'ed25519:5': 5,
      'ed25519:6': { key: 5 },
      'rsa:1': { key: OWN_KEY.verifyKey.base64 },
      junk: {},
    },
    old_verify_keys: {
      'ed25519:1': { key: OWN_KEY.verifyKey.base64, expired_ts: 1 },
      'ed25519:x': { key: OWN_KEY.verifyKey.base64, expired_ts: 'y' },
    },
  }
  const checked = checkServerKeys(signJson(plain, name, OWN_KEY), name)
  assert.deepEqual(checked.ok && checked.value.keys.map((key) => [key.keyId, key.expiredTs]), [
    ['ed25519:1', undefined],
  ])
  const { old_verify_keys: _, ...noOld } = plain
  assert.ok(checkServerKeys(signJson(noOld, name, OWN_KEY), name).ok)
})

test("Synapse's signing key file", () => {
  const line = 'ed25519 a_AbCd CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQl\n'
  const read = parseSigningKeys(`\n# comment\n${line}ed25519 2 ${encodeBase64(Buffer.alloc(32, 1))}\r\n`)
  assert.ok(read.ok)
  assert.deepEqual(
    read.value.map((key) => key.keyId),
    ['ed25519:a_AbCd', 'ed25519:2'],
  )
  assert.equal(read.value[0].verifyKey.base64, OWN_KEY.verifyKey.base64)
  // This seed has bits beyond its last byte, which strict output does not.
  assert.equal(encodeSigningKey(read.value[0]), line.replace('CQl', 'CQk'))
  const bad = [
    '',
    '# x\n',
    'ed25519 a',
    'rsa a Zg',
    'ed25519 a Zg',
    'ed25519 a-b CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk',
  ]
  for (const text of [...bad, `${line.trim()} more`, 'ed25519 a *']) {
    const result = parseSigningKeys(text)
    assert.equal(!result.ok && result.rule, 'signing_key_file.format', text)
    assert.ok(!result.ok && !result.why.includes('CQkJ'))
  }
})

test('adv-26 a published key is refused when our own is loaded and when another server publishes it', () => {
  const seeds = [
    'AZT9wvov/MBB0/8SBFtzyG5P+V/2YqXu6Cq99EotC3U',
    'YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1',
    encodeBase64(Buffer.alloc(32)),
  ]
  const name = server('a.example')
  for (const seed of seeds) {
    const own = parseSigningKeys(`${encodeSigningKey(OWN_KEY)}ed25519 0 ${seed}\n`)
    assert.equal(!own.ok && own.rule, 'signing_key_file.published')
    assert.ok(!own.ok && own.why.includes('line 2') && !own.why.includes(seed.slice(0, 4)))
    const bad = signingKeyFromSeed('0', decodeBase64(seed)!)
    const alone = checkServerKeys(buildServerKeys(name, [bad], [], 1000), name)
    assert.equal(!alone.ok && alone.rule, 'server_keys.signature')
    const retired = { keyId: parseKeyId('ed25519:old')!, key: bad.verifyKey.base64, expiredTs: 50 }
    const beside = checkServerKeys(buildServerKeys(name, [OWN_KEY, bad], [retired], 1000), name)
    assert.deepEqual(beside.ok && beside.value.keys.map((key) => key.keyId), [OWN_KEY.keyId])
  }
})

test('adv-26 points of small order are no keys, in any of their encodings', () => {
  const identity = `01${'00'.repeat(31)}`
  const ff = 'ff'.repeat(30)
  const coordinates = [
    '00'.repeat(32),
    identity,
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
    `ec${ff}7f`,
    `ed${ff}7f`,
    `ee${ff}7f`,
  ]
  for (const hex of coordinates) {
    const raw = Buffer.from(hex, 'hex')
    assert.equal(importVerifyKey(encodeBase64(raw)), undefined, hex)
    raw.writeUInt8(raw.readUInt8(31) | 0x80, 31)
    assert.equal(importVerifyKey(encodeBase64(raw)), undefined, `${hex} with the sign bit`)
  }
})
