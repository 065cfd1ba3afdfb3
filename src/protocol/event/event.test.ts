import assert from 'node:assert/strict'
import { test } from 'node:test'
import { signText, verifyText } from '../crypto/ed25519.ts'
import type { Result } from '../errors.ts'
import { createEventIdOf } from '../ids/room-id.ts'
import { canonicalJson } from '../json/canonical.ts'
import { readJson } from '../json/reader.ts'
import { isObject, type JsonValue, NumberToken } from '../json/value.ts'
import { AUTH_EVENTS_MAX, JSON_DEPTH_MAX, PDU_BYTES_MAX, PREV_EVENTS_MAX } from '../limits.ts'
import { ROOM_VERSIONS, type RoomVersionRules, rulesOf } from '../room-version/rules.ts'
import { buildEvent, countersign, type EventFields, nextDepth } from './build.ts'
import { clientEvent } from './client-format.ts'
import * as view from './content.ts'
import { checkReferenceCounts } from './counts.ts'
import { contentHash, eventIdOf, eventSignedText, hasValidContentHash } from './hash.ts'
import { checkSize, parsePdu, parseStored } from './parse.ts'
import type { Pdu } from './pdu.ts'
import { fieldsFromTemplate } from './template.ts'
import {
  eventId,
  eventJson,
  pdu,
  reference,
  roomId,
  SPEC_KEY,
  server,
  user,
  versions,
} from './testing/fixtures.ts'

const V1 = ROOM_VERSIONS['1']
const V5 = ROOM_VERSIONS['5']
const V6 = ROOM_VERSIONS['6']
const V11 = ROOM_VERSIONS['11']
const V12 = ROOM_VERSIONS['12']

function ruleOf(result: Result<unknown>): string {
  return result.ok ? 'ok' : result.rule
}

test('event signing: vectors of the appendices', () => {
  const minimal = {
    room_id: '!x:domain',
    sender: '@a:domain',
    origin: 'domain',
    origin_server_ts: 1000000,
    signatures: {},
    hashes: {},
    type: 'X',
    content: {},
    prev_events: [],
    auth_events: [],
    depth: 3,
    unsigned: { age_ts: 1000000 },
  }
  const sha256 = contentHash(minimal)
  assert.equal(sha256, '5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos')
  assert.equal(
    signText(eventSignedText(V1, { ...minimal, hashes: { sha256 } }), SPEC_KEY),
    'KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg',
  )
  const redactable = {
    content: { body: 'Here is the message content' },
    event_id: '$0:domain',
    origin: 'domain',
    origin_server_ts: 1000000,
    type: 'm.room.message',
    room_id: '!r:domain',
    sender: '@u:domain',
    signatures: {},
    unsigned: { age_ts: 1000000 },
  }
  const hash = contentHash(redactable)
  assert.equal(hash, 'onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g')
  const hashed = { ...redactable, hashes: { sha256: hash } }
  assert.ok(hasValidContentHash(hashed))
  assert.equal(
    signText(eventSignedText(V1, hashed), SPEC_KEY),
    'Wm+VzmOUOz08Ds+0NTWb1d4CZrVsJSikkeRxh6aCcUwu6pNC78FunoD7KNWzqFn241eYHYMGCA5McEiVPdhzBA',
  )
})

test('room versions: the table has the twelve stable ones, and nothing inherited', () => {
  assert.deepEqual(
    Object.values(ROOM_VERSIONS).map((rules) => rules.version),
    ['1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '11', '12'],
  )
  assert.equal(rulesOf('11'), V11)
  const column = (of: (rules: RoomVersionRules) => string) => Object.values(ROOM_VERSIONS).map(of).join(' ')
  assert.equal(
    column((rules) => rules.stateResolution),
    `v1${' v2'.repeat(10)} v2.1`,
  )
  assert.equal(
    column((rules) => rules.eventIds),
    `embedded embedded hash-standard${' hash-urlsafe'.repeat(9)}`,
  )
  for (const unknown of ['0', '13', '', 'constructor', '__proto__', '01'])
    assert.equal(rulesOf(unknown), undefined)
})

test('format: every member of every version is required in its type', () => {
  const wrong: Record<string, JsonValue[]> = {
    type: [5, null, 'x'.repeat(256), 'é'.repeat(128)],
    sender: [5, null, 'alice', '@alice', '@a:b c', `@${'a'.repeat(254)}:b`],
    room_id: [5, null, 'room', '!', `!${'a'.repeat(255)}`],
    content: [5, null, [], 'x'],
    hashes: [5, null, [], {}, { sha256: 5 }],
    signatures: [5, null, [], { a: 5 }, { a: { b: 5 } }],
    depth: [null, 'x', -1, true, []],
    origin_server_ts: [null, 'x', true],
    prev_events: [null, 'x', {}, [5], ['x'], [['$x']], [['$x', 5]], [['$x', {}, {}]], [[5, {}]]],
    auth_events: [null, 'x', {}, [null], ['$'], [[]]],
    state_key: [5, null, 'é'.repeat(128), 'x'.repeat(256)],
  }
  for (const rules of Object.values(ROOM_VERSIONS)) {
    assert.equal(ruleOf(parsePdu(rules, eventJson(rules))), 'ok')
    for (const [key, values] of Object.entries(wrong)) {
      const required = key !== 'state_key' && key !== 'signatures'
      const absent = ruleOf(parsePdu(rules, eventJson(rules, { [key]: undefined })))
      assert.equal(absent, required ? `format.${key}` : 'ok', `${rules.version} ${key}`)
      for (const value of values) {
        const rule = ruleOf(parsePdu(rules, eventJson(rules, { [key]: value })))
        assert.equal(rule, `format.${key}`, `${rules.version} ${key} ${JSON.stringify(value)}`)
      }
    }
    const long = eventJson(rules, { type: 'é'.repeat(127), state_key: 'é'.repeat(127) })
    assert.equal(ruleOf(parsePdu(rules, long)), 'ok')
  }
})

test('format: references are pairs in v1 and v2, ids from v3', () => {
  for (const rules of Object.values(ROOM_VERSIONS)) {
    const pairs = rules.eventReferences === 'pairs'
    assert.equal(pairs, Number(rules.version) <= 2)
    const asPairs = parsePdu(rules, eventJson(rules, { prev_events: [['$p:x', { sha256: '' }]] }))
    const asIds = parsePdu(rules, eventJson(rules, { prev_events: ['$p:x'] }))
    assert.deepEqual([asPairs.ok, asIds.ok], [pairs, !pairs])
    const good = pairs ? asPairs : asIds
    assert.deepEqual(good.ok && good.value.prevEvents, ['$p:x'])
  }
})

test('5.5 event ids: embedded in v1-v2, standard base64 in v3, URL-safe from v4', () => {
  for (const rules of versions((one) => one.eventIds === 'embedded')) {
    assert.equal(pdu(rules).eventId, '$event:a.example')
    for (const bad of [undefined, 5, 'event', '$']) {
      assert.equal(ruleOf(parsePdu(rules, eventJson(rules, { event_id: bad }))), 'format.event_id')
    }
  }
  const v3 = ROOM_VERSIONS['3']
  const v4 = ROOM_VERSIONS['4']
  let differ = 0
  for (let depth = 0; depth < 20; depth++) {
    const standard = pdu(v3, { depth }).eventId
    assert.match(standard, /^\$[A-Za-z0-9+/]{43}$/)
    const urlSafe = pdu(v4, { depth }).eventId
    assert.equal(urlSafe, standard.replaceAll('+', '-').replaceAll('/', '_'))
    if (urlSafe !== standard) differ++
  }
  assert.ok(differ > 0)
  for (const rules of versions((one) => one.eventIds !== 'embedded')) {
    assert.equal(ruleOf(parsePdu(rules, eventJson(rules, { event_id: '$x' }))), 'format.event_id')
  }
  assert.equal(eventIdOf(V1, { event_id: 5 }, ''), undefined)
})

test('5.5, 5.2 v12: the create event has no room_id and its hash is the id of the room', () => {
  const create = { type: 'm.room.create', state_key: '', prev_events: [], room_id: undefined }
  const parsed = pdu(V12, create)
  assert.equal(parsed.roomId, `!${parsed.eventId.slice(1)}`)
  assert.equal(createEventIdOf(parsed.roomId), parsed.eventId)
  assert.equal(ruleOf(parsePdu(V12, eventJson(V12, { ...create, room_id: '!x' }))), 'format.room_id')
  // Not the create event of the room, so an ordinary event that needs a room.
  assert.equal(ruleOf(parsePdu(V12, eventJson(V12, { ...create, state_key: 'x' }))), 'format.room_id')
  for (const rules of versions((one) => !one.roomIdIsCreateHash)) {
    assert.equal(ruleOf(parsePdu(rules, eventJson(rules, create))), 'format.room_id')
  }
})

test('5.5, adv-25 sizes: 65536 bytes of canonical JSON with signatures and without unsigned', () => {
  for (const rules of [V1, V11]) {
    const empty = Buffer.byteLength(JSON.stringify(eventJson(rules, { content: { body: '' } })))
    for (const [body, rule] of [
      ['x'.repeat(PDU_BYTES_MAX - empty), 'ok'],
      ['x'.repeat(PDU_BYTES_MAX - empty + 1), 'format.size'],
      ['é'.repeat((PDU_BYTES_MAX - empty) >> 1), 'ok'],
      ['é'.repeat(((PDU_BYTES_MAX - empty) >> 1) + 1), 'format.size'],
    ] as const) {
      const json = eventJson(rules, { content: { body }, unsigned: { a: 'x'.repeat(1000) } })
      assert.equal(ruleOf(parsePdu(rules, json)), rule)
    }
  }
  assert.equal(checkSize('x'), undefined)
})

test('5.5, adv-8 depth: 2^63-1 up to v5, 2^53-1 from v6, at the cap it stays', () => {
  const token = (text: string) => new NumberToken(text)
  for (const rules of Object.values(ROOM_VERSIONS)) {
    const big = rules.depthMax > 2n ** 53n
    assert.equal(big, Number(rules.version) <= 5)
    const top = big ? token('9223372036854775807') : Number.MAX_SAFE_INTEGER
    const parsed = pdu(rules, { depth: top })
    assert.equal(parsed.depth, Number.MAX_SAFE_INTEGER)
    assert.deepEqual(nextDepth(rules, [pdu(rules, { depth: 5 }), parsed, pdu(rules, { depth: 9 })]), top)
    assert.equal(nextDepth(rules, [pdu(rules, { depth: 5 }), pdu(rules, { depth: 7 })]), 8)
    assert.equal(nextDepth(rules, []), 1)
    assert.equal(
      ruleOf(parsePdu(rules, eventJson(rules, { depth: token('9223372036854775808') }))),
      big ? 'format.depth' : 'json.range',
    )
    assert.equal(
      ruleOf(parsePdu(rules, eventJson(rules, { depth: token('1.0') }))),
      big ? 'format.depth' : 'json.float',
    )
  }
  assert.deepEqual(nextDepth(V5, [pdu(V5, { depth: Number.MAX_SAFE_INTEGER })]), token('9007199254740992'))
  assert.equal(nextDepth(V5, [pdu(V5, { depth: Number.MAX_SAFE_INTEGER - 1 })]), Number.MAX_SAFE_INTEGER)
  for (const [text, ts] of [
    ['9223372036854775807', Number.MAX_SAFE_INTEGER],
    ['-9007199254740999', -Number.MAX_SAFE_INTEGER],
    ['-0', 0],
  ] as const) {
    assert.equal(pdu(V5, { origin_server_ts: token(text) }).originServerTs, ts)
  }
  for (const text of ['9223372036854775808', '-9223372036854775809', '1.5']) {
    assert.equal(
      ruleOf(parsePdu(V5, eventJson(V5, { origin_server_ts: token(text) }))),
      'format.origin_server_ts',
    )
  }
})

test('5.1.1, adv-25 numbers: v1-v5 round-trip what canonical JSON refuses, v6+ drop the event', () => {
  const text = JSON.stringify(eventJson(V5, { content: { a: 'X' } })).replace(
    '"X"',
    '[1.50,1e3,-0,12345678901234567890]',
  )
  const read = readJson(text, 'lenient')
  assert.ok(read.ok && isObject(read.value))
  for (const rules of Object.values(ROOM_VERSIONS)) {
    const json =
      rules.eventIds === 'embedded' ? eventJson(rules, { content: read.value['content'] }) : read.value
    assert.match(
      ruleOf(parsePdu(rules, json)),
      rules.strictJson ? /^json\.(float|negative_zero|range)$/ : /^ok$/,
    )
  }
  const huge = { ...read.value, content: { a: new NumberToken('1e400') } }
  assert.equal(ruleOf(parsePdu(V5, huge)), 'format.canonical_json')
  assert.equal(ruleOf(parsePdu(V6, eventJson(V6, { content: { a: '\ud800' } }))), 'format.canonical_json')
  assert.throws(
    () =>
      parsePdu(
        V6,
        eventJson(V6, {
          content: {
            get a(): string {
              throw new TypeError('bug')
            },
          },
        }),
      ),
    TypeError,
  )
})

test('5.5 unsigned is dropped, and changes neither hash nor id', () => {
  const plain = pdu(V11)
  const decorated = pdu(V11, { unsigned: { age: 5, redacted_because: {} } })
  assert.equal(decorated.eventId, plain.eventId)
  assert.ok(!('unsigned' in decorated.json))
})

test('5.3 redacts is read where the version has it', () => {
  for (const rules of Object.values(ROOM_VERSIONS)) {
    const over = { type: 'm.room.redaction', redacts: '$top', content: { redacts: '$inside' } }
    assert.equal(pdu(rules, over).redacts, Number(rules.version) >= 11 ? '$inside' : '$top')
    assert.equal(pdu(rules, { ...over, redacts: 5, content: { redacts: 'x' } }).redacts, undefined)
    assert.equal(pdu(rules, { ...over, type: 'm.other' }).redacts, undefined)
    assert.equal(pdu(rules, { type: 'm.room.redaction' }).redacts, undefined)
  }
})

test('5.2 counts: at most 20 prev_events and 10 auth_events', () => {
  const of = (prev: number, auth: number) => {
    const list = (n: number) => Array.from({ length: n }, (_, i) => `$${i}`)
    return checkReferenceCounts(pdu(V11, { prev_events: list(prev), auth_events: list(auth) }))
  }
  assert.ok(of(PREV_EVENTS_MAX, AUTH_EVENTS_MAX).ok)
  assert.equal(ruleOf(of(PREV_EVENTS_MAX + 1, 0) as Result<unknown>), 'format.prev_events_count')
  assert.equal(ruleOf(of(0, AUTH_EVENTS_MAX + 1) as Result<unknown>), 'format.auth_events_count')
  // Backfill accepts them all the same.
  assert.ok(parsePdu(V11, eventJson(V11, { prev_events: Array.from({ length: 100 }, (_, i) => `$${i}`) })).ok)
})

function fields(over: Partial<EventFields> = {}): EventFields {
  return {
    type: 'm.room.message',
    sender: user('@alice:a.example'),
    content: { msgtype: 'm.text', body: 'héllo' },
    roomId: roomId('!room:a.example'),
    originServerTs: 1000,
    prevEvents: [eventId('$prev:a.example')],
    authEvents: [eventId('$auth:a.example')],
    depth: 2,
    eventId: eventId('$mine:a.example'),
    ...over,
  }
}

test('buildEvent makes what every check accepts, in every version', () => {
  const me = server('a.example')
  for (const rules of Object.values(ROOM_VERSIONS)) {
    const built = buildEvent(rules, fields({ stateKey: 'k' }), me, SPEC_KEY)
    assert.ok(built.ok, rules.version)
    const event = built.value
    assert.ok(hasValidContentHash(event.json))
    assert.deepEqual(Object.keys(event.json), Object.keys(event.json).sort())
    assert.equal('event_id' in event.json, rules.eventIds === 'embedded')
    const again = parsePdu(rules, JSON.parse(JSON.stringify(event.json)))
    assert.deepEqual(again, built)
    const redaction = buildEvent(
      rules,
      fields({ type: 'm.room.redaction', content: { reason: 'x' }, redacts: eventId('$t') }),
      me,
      SPEC_KEY,
    )
    assert.ok(redaction.ok)
    assert.equal(redaction.value.redacts, '$t')
    assert.equal('redacts' in redaction.value.json, Number(rules.version) < 11)
    // A countersignature leaves the id alone.
    const both = countersign(event, server('b.example'), SPEC_KEY)
    assert.ok(both.ok)
    assert.equal(both.value.eventId, event.eventId)
    assert.deepEqual(Object.keys(both.value.json['signatures'] as object), ['a.example', 'b.example'])
  }
  const create = buildEvent(
    V12,
    fields({ type: 'm.room.create', stateKey: '', roomId: undefined, prevEvents: [], authEvents: [] }),
    me,
    SPEC_KEY,
  )
  assert.ok(create.ok)
  assert.equal(create.value.roomId, `!${create.value.eventId.slice(1)}`)
})

test('the texts that buildEvent puts together are those of the whole event, for every type that redaction knows', () => {
  const me = server('a.example')
  const contents = {
    'm.room.member': {
      membership: 'join',
      reason: 'é\u{1F600}',
      third_party_invite: { signed: { b: 1, a: 2 }, x: 1 },
    },
    'm.room.power_levels': { users: { '@b:x': 1, '@a:x': 2 }, notifications: { room: 50 }, '10': 1, '9': 2 },
    'm.room.join_rules': { join_rule: 'restricted', allow: [{ type: 'm.room_membership', room_id: '!a:x' }] },
    'm.room.create': { creator: '@a:x', extra: true },
    'm.room.aliases': { aliases: ['#a:x'] },
    'm.room.message': { '\uE000': 1, '\u{1F600}': 2, body: '"\\\n' },
  }
  for (const rules of Object.values(ROOM_VERSIONS)) {
    for (const [type, content] of Object.entries(contents)) {
      const stateKey = type === 'm.room.create' && rules.roomIdIsCreateHash ? 'k' : '@a:x'
      const built = buildEvent(rules, fields({ type, content, stateKey }), me, SPEC_KEY)
      assert.ok(built.ok, type)
      const event = built.value
      assert.equal(event.text, canonicalJson(event.json))
      assert.ok(hasValidContentHash(event.json), type)
      const again = parsePdu(rules, JSON.parse(event.text))
      assert.ok(again.ok && again.value.eventId === event.eventId, type)
      const signature = (event.json['signatures'] as Record<string, Record<string, string>>)['a.example']!
      const signed = eventSignedText(rules, event.json)
      assert.ok(verifyText(signed, signature[SPEC_KEY.keyId]!, SPEC_KEY.verifyKey), type)
    }
  }
})

test('buildEvent writes hashes of references in v1 and v2 where they are known', () => {
  const built = buildEvent(
    V1,
    fields({ referenceHashOf: (id) => (id.startsWith('$prev') ? 'abc' : undefined) }),
    server('a.example'),
    SPEC_KEY,
  )
  assert.ok(built.ok)
  assert.deepEqual(built.value.json['prev_events'], [['$prev:a.example', { sha256: 'abc' }]])
  assert.deepEqual(built.value.json['auth_events'], [['$auth:a.example', {}]])
})

test('buildEvent is strict in every version: what we cannot vouch for is not made', () => {
  const me = server('a.example')
  for (const rules of Object.values(ROOM_VERSIONS)) {
    const rule = (over: Partial<EventFields>) => ruleOf(buildEvent(rules, fields(over), me, SPEC_KEY))
    assert.equal(rule({ content: { a: new NumberToken('1.0') } }), 'json.float')
    assert.equal(rule({ content: { a: '\ud800' } }), 'format.canonical_json')
    assert.equal(rule({ content: { body: 'x'.repeat(PDU_BYTES_MAX) } }), 'format.size')
    assert.equal(rule({ type: 'x'.repeat(256) }), 'format.type')
    assert.equal(
      rule({ prevEvents: Array.from({ length: 21 }, (_, i) => eventId(`$${i}`)) }),
      'format.prev_events_count',
    )
    assert.equal(
      rule({ authEvents: Array.from({ length: 11 }, (_, i) => eventId(`$${i}`)) }),
      'format.auth_events_count',
    )
  }
  assert.equal(ruleOf(buildEvent(V1, fields({ eventId: undefined }), me, SPEC_KEY)), 'format.event_id')
  const broken = {
    get a(): string {
      throw new TypeError('bug')
    },
  }
  assert.throws(() => buildEvent(V11, fields({ content: broken }), me, SPEC_KEY), TypeError)
})

test('we make no event that others would refuse as too deep', () => {
  const nested = (levels: number): JsonValue => (levels === 0 ? 1 : [nested(levels - 1)])
  const build = (levels: number) =>
    ruleOf(buildEvent(V11, fields({ content: { n: nested(levels) } }), server('a.example'), SPEC_KEY))
  assert.equal(build(JSON_DEPTH_MAX - 2), 'ok')
  assert.equal(build(JSON_DEPTH_MAX - 1), 'json.depth')
  const built = buildEvent(
    V11,
    fields({ content: { n: nested(JSON_DEPTH_MAX - 2) } }),
    server('a.example'),
    SPEC_KEY,
  )
  assert.ok(built.ok && readJson(JSON.stringify(built.value.json), 'strict').ok)
})

test('5.5, adv-37 a countersignature that makes an event too large is refused', () => {
  const me = server('a.example')
  const size = (n: number) => buildEvent(V11, fields({ content: { body: 'x'.repeat(n) } }), me, SPEC_KEY)
  const one = size(1000)
  assert.ok(one.ok)
  const spare = PDU_BYTES_MAX - Buffer.byteLength(JSON.stringify(one.value.json))
  const full = size(1000 + spare)
  assert.ok(full.ok)
  assert.equal(ruleOf(countersign(full.value, server('b.example'), SPEC_KEY)), 'format.size')
})

const ALICE = user('@alice:a.example')

function template(over: Record<string, JsonValue | undefined> = {}, rules = V11): JsonValue {
  return eventJson(rules, {
    type: 'm.room.member',
    state_key: ALICE,
    content: { membership: 'join', displayname: 'from the peer', evil: true },
    hashes: undefined,
    signatures: undefined,
    depth: 7,
    ...over,
  })
}

test('5.1.10, adv-18 a template gives references, depth and the authorising user, and nothing else', () => {
  const request = {
    roomId: roomId('!room:a.example'),
    userId: ALICE,
    membership: 'join' as const,
    originServerTs: 5,
  }
  const content = { membership: 'join', join_authorised_via_users_server: '@b:b.example', displayname: 'x' }
  for (const rules of Object.values(ROOM_VERSIONS)) {
    const asked =
      rules.eventIds === 'embedded' ? { ...request, eventId: eventId('$mine:a.example') } : request
    const taken = fieldsFromTemplate(rules, template({ content, extra: 1 }, rules), asked, {
      displayname: 'mine',
    })
    assert.ok(taken.ok, rules.version)
    const via = Number(rules.version) >= 8 ? { join_authorised_via_users_server: '@b:b.example' } : {}
    assert.deepEqual(taken.value.content, { displayname: 'mine', membership: 'join', ...via })
    assert.equal(taken.value.depth, 7)
    assert.equal(taken.value.originServerTs, 5)
    assert.deepEqual(taken.value.prevEvents, ['$prev:a.example'])
    const built = buildEvent(rules, taken.value, server('a.example'), SPEC_KEY)
    assert.ok(built.ok)
    assert.deepEqual(built.value.json['prev_events'], [reference(rules, '$prev:a.example')])
  }
  const rule = (value: JsonValue, over: object = {}) =>
    ruleOf(fieldsFromTemplate(V11, value, { ...request, ...over }, {}))
  assert.equal(rule(template()), 'ok')
  assert.equal(rule(5), 'template.type')
  assert.equal(rule(template({ type: 'm.room.power_levels' })), 'template.type')
  assert.equal(rule(template({ content: 5 })), 'template.content')
  assert.equal(rule(template({ sender: '@eve:a.example' })), 'template.sender')
  assert.equal(rule(template({ state_key: '@eve:a.example' })), 'template.state_key')
  assert.equal(rule(template({ state_key: undefined })), 'template.state_key')
  assert.equal(rule(template({ room_id: '!other:a.example' })), 'template.room_id')
  assert.equal(rule(template({ content: { membership: 'ban' } })), 'template.membership')
  assert.equal(rule(template(), { membership: 'leave' }), 'template.membership')
  for (const key of ['prev_events', 'auth_events', 'depth']) {
    assert.equal(rule(template({ [key]: undefined })), `format.${key}`)
    assert.equal(rule(template({ [key]: 'x' })), `format.${key}`)
  }
})

test('5.3 clients see redacts in both places, whatever the version', () => {
  for (const rules of Object.values(ROOM_VERSIONS)) {
    const inside = rules.redactsInContent ? { redacts: '$t' } : {}
    const top = rules.redactsInContent ? {} : { redacts: '$t' }
    const event = pdu(rules, { type: 'm.room.redaction', content: { reason: 'x', ...inside }, ...top })
    const seen = clientEvent(event)
    assert.equal(seen['redacts'], '$t')
    assert.deepEqual(seen['content'], { reason: 'x', redacts: '$t' })
  }
  const message = pdu(V11, { content: { body: 'x' } })
  assert.deepEqual(clientEvent(message), {
    content: { body: 'x' },
    event_id: message.eventId,
    origin_server_ts: 1000,
    sender: '@alice:a.example',
    type: 'm.room.message',
    room_id: '!room:a.example',
  })
  const state = clientEvent(pdu(V11, { state_key: '' }), { withoutRoomId: true, unsigned: { age: 5 } })
  assert.equal(state['state_key'], '')
  assert.deepEqual(state['unsigned'], { age: 5 })
  assert.ok(!('room_id' in state))
  assert.ok(!('unsigned' in clientEvent(message, { unsigned: {} })))
})

test('D7 contents are read field by field, and junk in one spoils no other', () => {
  const of = (content: JsonValue, type = 'm.room.create'): Pdu => pdu(V11, { type, state_key: '', content })
  const junk = of({
    predecessor: 'a string',
    'm.federate': 'no',
    room_version: 5,
    additional_creators: 'x',
    creator: 7,
  })
  assert.equal(view.predecessorOf(junk), undefined)
  assert.equal(view.federates(junk), true)
  assert.equal(view.roomVersionOf(junk.content), undefined)
  assert.deepEqual(view.additionalCreatorsOf(junk), [])
  const good = of({
    predecessor: { room_id: '!o', event_id: '$e' },
    'm.federate': false,
    room_version: '9',
    additional_creators: ['@a:b', 5],
  })
  assert.deepEqual(view.predecessorOf(good), { roomId: '!o', eventId: '$e' })
  assert.equal(view.federates(good), false)
  assert.equal(view.roomVersionOf(good.content), '9')
  assert.deepEqual(view.additionalCreatorsOf(good), ['@a:b'])
  assert.equal(view.roomVersionOf({}), '1')
  assert.deepEqual(view.predecessorOf(of({ predecessor: { room_id: '!o' } })), {
    roomId: '!o',
    eventId: undefined,
  })
  assert.equal(view.predecessorOf(of({ predecessor: { room_id: 5 } })), undefined)
  assert.equal(view.joinRuleOf(undefined), 'invite')
  assert.equal(view.joinRuleOf(of({})), 'invite')
  assert.equal(view.joinRuleOf(of({ join_rule: null })), '')
  assert.equal(view.joinRuleOf(of({ join_rule: 'public' })), 'public')
  assert.equal(view.membershipOf(of({ membership: 5 })), undefined)
  assert.equal(view.membershipOf(undefined), undefined)
  assert.equal(view.historyVisibilityOf(undefined), undefined)
  assert.equal(view.historyVisibilityOf(of({ history_visibility: 'joined' })), 'joined')
  assert.equal(view.stringOf({}, 'toString'), undefined)
  assert.equal(view.thirdPartySignedOf(of({ third_party_invite: 5 })), undefined)
  assert.deepEqual(view.thirdPartySignedOf(of({ third_party_invite: { signed: {} } })), {})
})

test('a stored event is read without hashing, and a damaged one is refused', () => {
  for (const rules of Object.values(ROOM_VERSIONS)) {
    const event = pdu(rules, { state_key: '' })
    assert.deepEqual(parseStored(rules, event.json, event.eventId, event.text), { ok: true, value: event })
    const damaged = parseStored(rules, eventJson(rules, { depth: 'x' }), event.eventId, '')
    assert.equal(!damaged.ok && damaged.rule, 'format.depth')
  }
})

test('5.1.2, 5.6 the content hash: any base64 of the right bytes, nothing else', () => {
  const event = eventJson(V11, { content: { body: 'x' } })
  const sha256 = contentHash(event)
  const valid = (hashes: JsonValue) => hasValidContentHash({ ...event, hashes })
  assert.ok(valid({ sha256 }))
  assert.ok(valid({ sha256: `${sha256}=` }))
  assert.ok(valid({ sha256: sha256.replaceAll('+', '-').replaceAll('/', '_') }))
  for (const wrong of [
    {},
    5,
    null,
    { sha256: 5 },
    { sha256: '' },
    { sha256: '*' },
    { sha256: contentHash({}) },
  ]) {
    assert.ok(!valid(wrong), JSON.stringify(wrong))
  }
  // What the hash leaves out may change.
  assert.ok(hasValidContentHash({ ...event, hashes: { sha256 }, signatures: { a: {} }, unsigned: { b: 1 } }))
  assert.ok(!hasValidContentHash({ ...event, hashes: { sha256 }, depth: 99 }))
})
