import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonObject, JsonValue } from '../json/value.ts'
import { ROOM_VERSIONS, type RoomVersionRules } from '../room-version/rules.ts'
import { redact, redactContent } from './redact.ts'
import { pdu } from './testing/fixtures.ts'
import { redactedPdu } from './verify.ts'

const ALWAYS = [
  'auth_events',
  'content',
  'depth',
  'event_id',
  'hashes',
  'origin_server_ts',
  'prev_events',
  'room_id',
]
ALWAYS.push('sender', 'signatures', 'state_key', 'type')
const OLD = [...ALWAYS, 'membership', 'origin', 'prev_state']

/** The table of the specification, written apart from the one in the code: [type, from, to, keys]. */
const KEPT: [type: string, from: number, to: number, keys: string[]][] = [
  ['m.room.member', 1, 8, ['membership']],
  ['m.room.member', 9, 10, ['join_authorised_via_users_server', 'membership']],
  ['m.room.member', 11, 12, ['join_authorised_via_users_server', 'membership', 'third_party_invite']],
  ['m.room.create', 1, 10, ['creator']],
  ['m.room.join_rules', 1, 7, ['join_rule']],
  ['m.room.join_rules', 8, 12, ['allow', 'join_rule']],
  ['m.room.aliases', 1, 5, ['aliases']],
  ['m.room.aliases', 6, 12, []],
  ['m.room.history_visibility', 1, 12, ['history_visibility']],
  ['m.room.redaction', 1, 10, []],
  ['m.room.redaction', 11, 12, ['redacts']],
  ['m.room.message', 1, 12, []],
  ['m.room.third_party_invite', 1, 12, []],
  ['toString', 1, 12, []],
]
const LEVELS = [
  'ban',
  'events',
  'events_default',
  'kick',
  'redact',
  'state_default',
  'users',
  'users_default',
]
KEPT.push(
  ['m.room.power_levels', 1, 10, LEVELS],
  ['m.room.power_levels', 11, 12, [...LEVELS, 'invite'].sort()],
)

const CONTENT: JsonObject = Object.fromEntries(
  KEPT.flatMap(([, , , keys]) => keys)
    .concat('notifications', 'body', 'room_version', 'm.federate', 'extra')
    .map((key) => [key, 5]),
)

function each(visit: (rules: RoomVersionRules, number: number) => void): void {
  for (const rules of Object.values(ROOM_VERSIONS)) visit(rules, Number(rules.version))
}

test('5.3 top-level keys kept per version; unsigned and redacts never', () => {
  each((rules, number) => {
    const event: Record<string, JsonValue> = {}
    for (const key of [...OLD, 'unsigned', 'redacts', 'extra', 'age_ts', '__x'])
      event[key] = key === 'content' ? {} : key
    assert.deepEqual(Object.keys(redact(rules, event)).sort(), (number < 11 ? OLD : ALWAYS).toSorted())
    assert.deepEqual(redact(rules, {}), { content: {} })
    assert.deepEqual(redact(rules, { content: 5, type: 5 }), { content: {}, type: 5 })
  })
})

test('5.1.5, 5.3 content keys kept per version and type', () => {
  each((rules, number) => {
    for (const [type, from, to, keys] of KEPT) {
      if (number < from || number > to) continue
      const content = { ...CONTENT, third_party_invite: { signed: { token: 't' }, display_name: 'x' } }
      assert.deepEqual(
        Object.keys(redactContent(rules, type, content)).sort(),
        keys,
        `${rules.version} ${type}`,
      )
      assert.deepEqual(redactContent(rules, type, {}), {})
    }
    assert.deepEqual(redactContent(rules, 5, CONTENT), {})
    assert.deepEqual(redactContent(rules, undefined, CONTENT), {})
  })
})

test('5.3 v11+ keep the whole content of create, and of a third-party invite only signed', () => {
  each((rules, number) => {
    const create = redactContent(rules, 'm.room.create', CONTENT)
    assert.deepEqual(create, number >= 11 ? CONTENT : { creator: 5 })
    const member = (invite: JsonValue) =>
      redactContent(rules, 'm.room.member', { third_party_invite: invite })
    const signed = { third_party_invite: { signed: { a: 1 } } }
    assert.deepEqual(member({ signed: { a: 1 }, display_name: 'x' }), number >= 11 ? signed : {})
    assert.deepEqual(member({ display_name: 'x' }), {})
    assert.deepEqual(member('x'), {})
    // Only in member events.
    assert.deepEqual(redactContent(rules, 'm.other', { third_party_invite: { signed: {} } }), {})
  })
})

test('5.2, adv-14 the version of a room must be stored apart: redaction takes it from v1-v10 create events', () => {
  each((rules, number) => {
    const kept = redactContent(rules, 'm.room.create', {
      creator: '@a:b',
      room_version: '9',
      'm.federate': false,
    })
    assert.equal('room_version' in kept, number >= 11)
    assert.equal('m.federate' in kept, number >= 11)
  })
})

test('5.1.2 a redacted copy keeps id and fields, and is its own redaction', () => {
  each((rules) => {
    const over = {
      type: 'm.room.redaction',
      redacts: '$t',
      content: { redacts: '$t', reason: 'x' },
      extra: 1,
    }
    const event = pdu(rules, over)
    const copy = redactedPdu(event)
    assert.equal(copy.eventId, event.eventId)
    assert.deepEqual(copy.json, redact(rules, event.json))
    assert.deepEqual(redact(rules, copy.json), copy.json)
    assert.deepEqual(copy.content, rules.redactsInContent ? { redacts: '$t' } : {})
    assert.equal(copy.redacts, rules.redactsInContent ? '$t' : undefined)
    assert.equal(pdu(rules, copy.json as Record<string, JsonValue>).eventId, event.eventId)
    assert.equal(redactedPdu(pdu(rules, { content: { body: 'x' } })).redacts, undefined)
  })
})

test('5.3 a redacted state event still is state: a join stays a join, a topic becomes an absent one', () => {
  each((rules) => {
    const join = { membership: 'join', displayname: 'x' }
    const member = redactedPdu(pdu(rules, { type: 'm.room.member', state_key: '@a:b', content: join }))
    assert.deepEqual(
      [member.type, member.stateKey, member.content['membership']],
      ['m.room.member', '@a:b', 'join'],
    )
    assert.equal('displayname' in member.content, false)
    const topic = redactedPdu(pdu(rules, { type: 'm.room.topic', state_key: '', content: { topic: 'x' } }))
    assert.deepEqual([topic.type, topic.stateKey, topic.content], ['m.room.topic', '', {}])
  })
})
