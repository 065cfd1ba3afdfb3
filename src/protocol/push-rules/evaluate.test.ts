import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { UserId } from '../ids/user-id.ts'
import { type JsonObject, NumberToken } from '../json/value.ts'
import { type PushContext, preparePushEvent } from './conditions.ts'
import { defaultPushRules, pushRulesOf } from './default-rules.ts'
import { compilePushRules, evaluatePushRules, outcomeOf, type PushOutcome } from './evaluate.ts'
import type { PushCondition, PushRule, PushRuleset } from './ruleset.ts'

const ME = '@me:x' as UserId
const CONTEXT: PushContext = {
  userId: ME,
  displayName: 'Me Myself',
  memberCount: 3,
  senderPowerLevel: 0,
  notificationLevels: undefined,
}
const NONE: PushRuleset = { override: [], content: [], room: [], sender: [], underride: [] }

const message = (content: JsonObject, rest: JsonObject = {}): JsonObject => ({
  type: 'm.room.message',
  sender: '@other:x',
  room_id: '!r:x',
  content,
  ...rest,
})
const own = (rule: Partial<PushRule>): PushRule => ({
  rule_id: 'mine',
  default: false,
  enabled: true,
  actions: ['notify'],
  ...rule,
})
const evaluate = (rules: PushRuleset, event: JsonObject, context: Partial<PushContext> = {}): PushOutcome =>
  evaluatePushRules(compilePushRules(rules), preparePushEvent(event), { ...CONTEXT, ...context })
const holds = (condition: PushCondition, event: JsonObject, context: Partial<PushContext> = {}): boolean =>
  evaluate({ ...NONE, override: [own({ conditions: [condition] })] }, event, context).notify
const byDefault = (event: JsonObject, context: Partial<PushContext> = {}): [string | undefined, string] => {
  const outcome = evaluate(defaultPushRules(ME), event, context)
  return [outcome.rule?.rule_id, outcome.highlight ? 'highlight' : outcome.notify ? 'notify' : 'quiet']
}

describe('default push rules of v1.19', () => {
  it('have the ids of the specification in its order', () => {
    const rules = defaultPushRules(ME)
    assert.deepEqual(
      rules.override.map((rule) => rule.rule_id),
      [
        '.m.rule.master',
        '.m.rule.suppress_notices',
        '.m.rule.invite_for_me',
        '.m.rule.member_event',
        '.m.rule.is_user_mention',
        '.m.rule.is_room_mention',
        '.m.rule.tombstone',
        '.m.rule.reaction',
        '.m.rule.room.server_acl',
        '.m.rule.suppress_edits',
      ],
    )
    assert.deepEqual(
      rules.underride.map((rule) => rule.rule_id),
      [
        '.m.rule.call',
        '.m.rule.encrypted_room_one_to_one',
        '.m.rule.room_one_to_one',
        '.m.rule.message',
        '.m.rule.encrypted',
      ],
    )
    assert.deepEqual([rules.content, rules.room, rules.sender], [[], [], []])
    for (const rule of [...rules.override, ...rules.underride]) {
      assert.equal(rule.default, true)
      assert.equal(rule.enabled, rule.rule_id !== '.m.rule.master')
    }
  })

  const cases: [string, string, JsonObject, Partial<PushContext>?][] = [
    ['.m.rule.message', 'notify', message({ body: 'hello' })],
    ['.m.rule.room_one_to_one', 'notify', message({ body: 'hello' }), { memberCount: 2 }],
    ['.m.rule.encrypted', 'notify', message({}, { type: 'm.room.encrypted' })],
    [
      '.m.rule.encrypted_room_one_to_one',
      'notify',
      message({}, { type: 'm.room.encrypted' }),
      { memberCount: 2 },
    ],
    ['.m.rule.call', 'notify', message({}, { type: 'm.call.invite' })],
    ['.m.rule.suppress_notices', 'quiet', message({ msgtype: 'm.notice', body: 'x' })],
    [
      '.m.rule.invite_for_me',
      'notify',
      message({ membership: 'invite' }, { type: 'm.room.member', state_key: ME }),
    ],
    [
      '.m.rule.member_event',
      'quiet',
      message({ membership: 'invite' }, { type: 'm.room.member', state_key: '@other:x' }),
    ],
    [
      '.m.rule.is_user_mention',
      'highlight',
      message({ body: 'x', 'm.mentions': { user_ids: ['@a:x', ME] } }),
    ],
    [
      '.m.rule.is_room_mention',
      'highlight',
      message({ body: 'x', 'm.mentions': { room: true } }),
      { senderPowerLevel: 50 },
    ],
    [
      '.m.rule.message',
      'notify',
      message({ body: 'x', 'm.mentions': { room: true } }),
      { senderPowerLevel: 49 },
    ],
    ['.m.rule.tombstone', 'highlight', message({}, { type: 'm.room.tombstone', state_key: '' })],
    ['.m.rule.reaction', 'quiet', message({}, { type: 'm.reaction' })],
    ['.m.rule.room.server_acl', 'quiet', message({}, { type: 'm.room.server_acl', state_key: '' })],
    [
      '.m.rule.suppress_edits',
      'quiet',
      message({ body: '* x', 'm.relates_to': { rel_type: 'm.replace', event_id: '$x' } }),
    ],
  ]
  for (const [ruleId, effect, event, context] of cases) {
    it(`${ruleId}: ${effect}`, () => assert.deepEqual(byDefault(event, context), [ruleId, effect]))
  }

  it('an event of no known type meets no rule', () => {
    assert.deepEqual(byDefault(message({}, { type: 'm.room.topic', state_key: '' })), [undefined, 'quiet'])
    assert.deepEqual(byDefault(message({}, { type: 'm.room.tombstone' })), [undefined, 'quiet'])
  })
  it('own events never notify', () => {
    assert.deepEqual(byDefault(message({ body: 'x' }, { sender: ME })), [undefined, 'quiet'])
  })
  it('the sound and highlight of a mention are tweaks', () => {
    const { tweaks } = evaluate(defaultPushRules(ME), message({ 'm.mentions': { user_ids: [ME] } }))
    assert.deepEqual(tweaks, { sound: 'default', highlight: true })
  })
})

describe('user rules among the defaults', () => {
  const mine = own({ conditions: [] })
  const all: PushRuleset = {
    override: [mine],
    content: [own({ pattern: 'cake' })],
    room: [own({ rule_id: '!r:x' })],
    sender: [own({ rule_id: '@other:x' })],
    underride: [mine],
  }
  it('stand below .m.rule.master and above all other defaults', () => {
    const rules = pushRulesOf(ME, all)
    assert.deepEqual(
      rules.override.slice(0, 3).map((rule) => rule.rule_id),
      ['.m.rule.master', 'mine', '.m.rule.suppress_notices'],
    )
    assert.equal(rules.underride[0]?.rule_id, 'mine')
    assert.equal(rules.underride.length, 6)
    assert.equal(rules.content[0]?.pattern, 'cake')
  })
  it('changes of defaults are kept, others ignored', () => {
    const rules = pushRulesOf(ME, NONE, [
      { kind: 'override', rule_id: '.m.rule.master', enabled: true },
      { kind: 'underride', rule_id: '.m.rule.message', actions: [] },
      { kind: 'sender', rule_id: '@nobody:x', enabled: false },
    ])
    assert.equal(rules.override[0]?.enabled, true)
    const changed = rules.underride.find((rule) => rule.rule_id === '.m.rule.message')
    assert.deepEqual([changed?.actions, changed?.enabled], [[], true])
    assert.equal(evaluate(rules, message({ body: 'x' })).rule?.rule_id, '.m.rule.master')
  })
  it('kinds are tried in order: override, content, room, sender, underride', () => {
    const kinds = ['override', 'content', 'room', 'sender', 'underride'] as const
    let rules: PushRuleset = Object.fromEntries(
      kinds.map((kind) => [kind, all[kind].map((rule) => ({ ...rule, actions: [kind] }))]),
    ) as unknown as PushRuleset
    for (const kind of kinds) {
      assert.deepEqual(evaluate(rules, message({ body: 'cake' })).rule?.actions, [kind])
      rules = { ...rules, [kind]: rules[kind].map((rule) => ({ ...rule, enabled: false })) }
    }
    assert.equal(evaluate(rules, message({ body: 'cake' })).rule, undefined)
  })
  it('room and sender rules go by their id, content rules need a pattern', () => {
    assert.equal(evaluate({ ...NONE, room: [own({ rule_id: '!q:x' })] }, message({})).notify, false)
    assert.equal(evaluate({ ...NONE, sender: [own({ rule_id: '@q:x' })] }, message({})).notify, false)
    assert.equal(evaluate({ ...NONE, content: [own({})] }, message({ body: 'x' })).notify, false)
  })
  it('override rules without conditions always match', () => {
    assert.equal(evaluate({ ...NONE, override: [own({})] }, message({})).notify, true)
  })
})

describe('actions', () => {
  const outcome = (actions: unknown[]): Omit<PushOutcome, 'rule'> => {
    const { notify, highlight, tweaks } = outcomeOf(own({ actions: actions as PushRule['actions'] }))
    return { notify, highlight, tweaks }
  }
  const quiet = { notify: false, highlight: false, tweaks: {} }
  it('historical actions count for nothing', () => {
    assert.deepEqual(outcome(['dont_notify']), quiet)
    assert.deepEqual(outcome(['coalesce', null, 7, { set_tweak: 1 }]), quiet)
  })
  it('tweaks without notify do nothing', () => {
    assert.deepEqual(outcome([{ set_tweak: 'highlight' }]), quiet)
  })
  it('highlight without a value is true; other tweaks without a value are left out', () => {
    const actions = ['notify', { set_tweak: 'highlight' }, { set_tweak: 'sound' }]
    assert.deepEqual(outcome(actions), { notify: true, highlight: true, tweaks: { highlight: true } })
    const off = ['notify', { set_tweak: 'highlight', value: false }]
    assert.deepEqual(outcome(off), { notify: true, highlight: false, tweaks: { highlight: false } })
  })
})

describe('event_match', () => {
  const match = (key: string, pattern: string, event: JsonObject): boolean =>
    holds({ kind: 'event_match', key, pattern }, event)
  it('matches whole values, upper and lower case alike', () => {
    assert.equal(match('content.topic', 'lunc?*', message({ topic: 'LUNCH plans' })), true)
    assert.equal(match('content.topic', 'lunch', message({ topic: 'a lunch' })), false)
  })
  it('absent properties and values that are no strings never match', () => {
    for (const value of [null, 1, true, ['a'], {}]) {
      assert.equal(match('content.topic', '*', message({ topic: value as JsonObject })), false)
    }
    assert.equal(match('content.topic', '*', message({})), false)
    assert.equal(match('content.topic.x', '*', message({ topic: 'a' })), false)
    assert.equal(match('content.constructor.name', '*', message({})), false)
  })
  it('content.body is matched between word boundaries', () => {
    assert.equal(match('content.body', 'ex*ple', message({ body: 'An example event.' })), true)
    assert.equal(match('content.body', 'ample', message({ body: 'example' })), false)
  })
  it('paths escape dots and backslashes', () => {
    const event = message({ 'a.b': 'x', 'a\\b': 'y', a: { b: 'z' }, 'a\\x': 'w' })
    assert.equal(match('content.a\\.b', 'x', event), true)
    assert.equal(match('content.a\\\\b', 'y', event), true)
    assert.equal(match('content.a.b', 'z', event), true)
    assert.equal(match('content.a\\x', 'w', event), true)
  })
  it('adv-30: a hostile pattern costs no more than its length', () => {
    const event = message({ body: 'a'.repeat(60_000) })
    const conditions: PushCondition[] = Array.from({ length: 50 }, (_, i) => ({
      kind: 'event_match',
      key: 'content.body',
      pattern: `${'a*'.repeat(1000 + i)}b`,
    }))
    for (const condition of conditions) assert.equal(holds(condition, event), false)
  })
})

describe('event_property_is and event_property_contains', () => {
  const is = (value: unknown, property: unknown): boolean =>
    holds(
      { kind: 'event_property_is', key: 'content.p', value: value as string },
      message({ p: property } as JsonObject),
    )
  const contains = (value: unknown, property: unknown): boolean =>
    holds(
      { kind: 'event_property_contains', key: 'content.p', value: value as string },
      message({ p: property } as JsonObject),
    )
  it('compare exactly, without casts', () => {
    for (const value of ['a', 1, true, null]) assert.equal(is(value, value), true)
    assert.equal(is(true, 'true'), false)
    assert.equal(is(true, 1), false)
    assert.equal(is('a', 'A'), false)
    assert.equal(is(1, new NumberToken('1.0')), false)
  })
  it('compound values never match', () => {
    assert.equal(is(['a'], ['a']), false)
    assert.equal(is({}, {}), false)
    assert.equal(is(undefined, undefined), false)
    assert.equal(contains(undefined, [undefined]), false)
  })
  it('contains needs an array with exactly the value', () => {
    assert.equal(contains('#r:x', ['#s:x', '#r:x']), true)
    assert.equal(contains(':x', ['#r:x']), false)
    assert.equal(contains('a', 'a'), false)
    assert.equal(contains(null, [{}, null]), true)
  })
})

describe('the other conditions', () => {
  const event = message({ body: 'hello me myself!' })
  it('contains_display_name takes the name literally, between word boundaries', () => {
    const condition = { kind: 'contains_display_name' }
    assert.equal(holds(condition, event), true)
    assert.equal(holds(condition, message({ body: 'me myselfish' })), false)
    assert.equal(holds(condition, event, { displayName: 'm*f' }), false)
    assert.equal(holds(condition, event, { displayName: '' }), false)
    assert.equal(holds(condition, event, { displayName: undefined }), false)
    assert.equal(holds(condition, message({ body: 7 })), false)
  })
  it('room_member_count with each prefix', () => {
    const truth: [string, number[]][] = [
      ['2', [2]],
      ['==2', [2]],
      ['<2', [1]],
      ['>2', [3]],
      ['<=2', [1, 2]],
      ['>=2', [2, 3]],
      ['<=9', [1, 2, 3]],
      ['', []],
      ['==', []],
      ['=2', []],
      ['2 ', []],
      ['-2', []],
      ['2.0', []],
    ]
    for (const [is, counts] of truth) {
      const found = [1, 2, 3].filter((memberCount) =>
        holds({ kind: 'room_member_count', is }, event, { memberCount }),
      )
      assert.deepEqual(found, counts, is)
    }
  })
  it('sender_notification_permission: the level of the key, 50 by default', () => {
    const condition = { kind: 'sender_notification_permission', key: 'room' }
    const may = (senderPowerLevel: number, levels?: JsonObject): boolean =>
      holds(condition, event, { senderPowerLevel, notificationLevels: levels })
    assert.equal(may(49), false)
    assert.equal(may(50), true)
    assert.equal(may(Number.POSITIVE_INFINITY), true)
    assert.equal(may(10, { room: 10 }), true)
    assert.equal(may(9, { room: 10 }), false)
    assert.equal(may(10, { room: '10' }), true)
    assert.equal(may(10, { room: 'ten' }), false)
    assert.equal(may(10, { room: [10] }), false)
    assert.equal(may(10, { other: 10 }), false)
  })
  it('unrecognised conditions and missing parameters never match', () => {
    const bad: PushCondition[] = [
      { kind: 'device' },
      { kind: 'event_match', key: 'type' },
      { kind: 'event_match', pattern: '*' },
      { kind: 'event_property_is', key: 'type' },
      { kind: 'event_property_contains', value: 'x' },
      { kind: 'room_member_count' },
      { kind: 'sender_notification_permission' },
      { kind: 'event_match', key: 1 as unknown as string, pattern: '*' },
    ]
    for (const condition of bad) assert.equal(holds(condition, event, { senderPowerLevel: 100 }), false)
  })
})
