import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pdu, versions } from '../event/testing/fixtures.ts'
import { type JsonObject, type JsonValue, NumberToken } from '../json/value.ts'
import { JSON_NUMBER_CHARS_MAX } from '../limits.ts'
import { ROOM_VERSIONS, type RoomVersionRules } from '../room-version/rules.ts'
import { above, atLeast, isJunk, type Level, parseLevel } from './level.ts'
import { ruleNumbers } from './numbering.ts'
import { isCreator, LEVEL_DEFAULTS, levelMapOf, powerLevelsOf } from './power-levels.ts'
import { ADMIN, CREATOR, MOD, Room, TARGET, USER } from './testing/room.ts'

const ALL: readonly RoomVersionRules[] = Object.values(ROOM_VERSIONS)
const n = (rules: RoomVersionRules) => Number(rules.version)
const token = (text: string) => new NumberToken(text)

test('5.2 levels: v1-v5 integers, strings and floats; v6-v9 integers and strings; v10+ integers only', () => {
  const strings: [string, Level][] = [
    ['100', 100],
    ['000100', 100],
    ['+100', 100],
    ['-100', -100],
    [' 100 ', 100],
    [' 00100 ', 100],
    [' +100 ', 100],
    ['\t\n\v\f\r-100\r', -100],
    ['-0', 0],
    ['9007199254740993', 9007199254740993n],
    ['-9007199254740993', -9007199254740993n],
    ['9'.repeat(JSON_NUMBER_CHARS_MAX), BigInt('9'.repeat(JSON_NUMBER_CHARS_MAX))],
  ]
  const junk = [
    '',
    ' ',
    '+',
    '-',
    '1.0',
    '1e3',
    '0x10',
    '1_0',
    '٣',
    '1 2',
    '+ 1',
    '--1',
    '/',
    ':',
    '1:',
    '1/',
  ]
  junk.push(
    '\u00a01',
    '1\u200b',
    '\ufeff1',
    'NaN',
    'Infinity',
    '9'.repeat(JSON_NUMBER_CHARS_MAX + 1),
    '\u00081',
    '\u000e1',
  )
  for (const rules of ALL) {
    assert.equal(parseLevel(rules, 50), 50)
    for (const [text, level] of strings) {
      const parsed = parseLevel(rules, text)
      assert.deepEqual(parsed, n(rules) < 10 ? level : Number.NaN, text)
    }
    for (const text of junk) assert.ok(isJunk(parseLevel(rules, text)), text)
    for (const value of [true, false, null, [], {}, [50], { a: 50 }])
      assert.ok(isJunk(parseLevel(rules, value)))
    const floats: [string, Level][] = [
      ['50.57', 50],
      ['-50.57', -50],
      ['5.114698E4', 51146],
      ['5.11469876E4', 51146],
      ['0.99', 0],
      ['-0.5', 0],
      ['-0', 0],
      ['1e20', 10n ** 20n],
      ['9223372036854775807', 9223372036854775807n],
    ]
    for (const [text, level] of floats) {
      const parsed = parseLevel(rules, token(text))
      assert.ok(n(rules) <= 5 ? parsed === level : isJunk(parsed), `${rules.version} ${text}`)
    }
    for (const text of ['1e400', '-1e400', '9'.repeat(400)]) assert.ok(isJunk(parseLevel(rules, token(text))))
  }
})

test('junk compares as neither more nor less, and large integers exactly', () => {
  const junk = Number.NaN
  for (const level of [0, 100, -1, 10n ** 20n, Number.POSITIVE_INFINITY, junk]) {
    for (const compare of [atLeast, above]) assert.ok(!compare(level, junk) && !compare(junk, level))
  }
  assert.ok(atLeast(50, 50) && !above(50, 50) && above(51, 50) && !atLeast(49, 50))
  assert.ok(above(9007199254740993n, 9007199254740992n) && above(9007199254740993n, Number.MAX_SAFE_INTEGER))
  assert.ok(
    above(Number.POSITIVE_INFINITY, 10n ** 300n) &&
      !above(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY),
  )
  assert.ok(atLeast(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY) && !isJunk(10n) && !isJunk(5))
})

test('5.2, adv-16 defaults with and without an event, and absent against null', () => {
  for (const rules of ALL) {
    const { create } = new Room(rules)
    for (const content of [
      undefined,
      {},
      { ban: null, invite: null, users_default: null, state_default: null },
    ]) {
      const event = content && pdu(rules, { type: 'm.room.power_levels', state_key: '', content })
      const levels = powerLevelsOf(create, event)
      for (const [name, level] of Object.entries({ ban: 50, kick: 50, redact: 50, invite: 0 })) {
        assert.equal(levels.named(name as keyof typeof LEVEL_DEFAULTS), level)
      }
      assert.deepEqual([levels.send('x', true), levels.send('x', false), levels.user(USER)], [50, 0, 0])
    }
    const odd = { users: { [USER]: null, [MOD]: 7 }, users_default: 3, events: { x: null }, state_default: 4 }
    const levels = powerLevelsOf(
      create,
      pdu(rules, { type: 'm.room.power_levels', state_key: '', content: odd }),
    )
    assert.deepEqual([levels.user(USER), levels.user(MOD), levels.send('x', true)], [3, 7, 4])
    for (const map of [5, 'x', [], null]) {
      const content = { users: map, events: map, users_default: 100, events_default: 0 }
      const broken = powerLevelsOf(
        create,
        pdu(rules, { type: 'm.room.power_levels', state_key: '', content }),
      )
      assert.ok(isJunk(broken.user(USER)) && isJunk(broken.send('x', false)))
    }
  }
  assert.deepEqual(levelMapOf({}, 'users'), {})
  assert.equal(levelMapOf({ users: [] }, 'users'), undefined)
})

test('5.2 creators: the first one, and in v12 the additional ones', () => {
  for (const rules of ALL) {
    const { create } = new Room(rules, { create: { creator: ADMIN, additional_creators: [MOD] } })
    assert.equal(isCreator(create, n(rules) >= 11 ? CREATOR : ADMIN), true)
    assert.equal(isCreator(create, n(rules) >= 11 ? ADMIN : CREATOR), false)
    assert.equal(isCreator(create, MOD), n(rules) === 12)
    assert.equal(isCreator(create, USER), false)
    const first = n(rules) >= 11 ? CREATOR : ADMIN
    assert.equal(
      powerLevelsOf(create, undefined).user(first),
      n(rules) === 12 ? Number.POSITIVE_INFINITY : 100,
    )
    const infinite = powerLevelsOf(create, undefined).user(MOD) === Number.POSITIVE_INFINITY
    assert.equal(infinite, n(rules) === 12)
  }
})

/** Judges a change by MOD, who has 50, in a room where those levels are in force. */
function change(
  rules: RoomVersionRules,
  old: JsonObject | undefined,
  fresh: JsonObject,
  create: JsonObject = {},
): string {
  const base = { users: { [MOD]: 50 }, events: { 'm.room.power_levels': 0 }, ...old }
  const room = new Room(rules, {
    create: rules.auth.privilegedCreators ? create : { creator: MOD, ...create },
    ...(old === undefined ? {} : { levels: base }),
    members: { [MOD]: 'join' },
  })
  const sender = old === undefined && rules.auth.creatorInContent === false ? CREATOR : MOD
  return room.judge(room.event('m.room.power_levels', sender, '', fresh))
}

test('5.2 form: v10+ every level an integer; before, users alone are looked at', () => {
  for (const rules of ALL) {
    const { powerLevels: at } = ruleNumbers(rules)
    const strict = n(rules) >= 10
    const first = (content: JsonObject) => change(rules, undefined, content)
    assert.equal(first({}), 'allow')
    assert.equal(first({ users: {}, events: {}, notifications: {} }), 'allow')
    for (const name of Object.keys(LEVEL_DEFAULTS)) {
      for (const odd of ['x', '50', true, null, [], {}])
        assert.equal(first({ [name]: odd }), strict ? `${at}.1` : 'allow')
      assert.equal(first({ [name]: 50 }), 'allow')
    }
    for (const name of ['events', 'notifications']) {
      for (const odd of ['x', null, [], { a: '5' }, { a: 1, b: null }])
        assert.equal(first({ [name]: odd }), strict ? `${at}.2` : 'allow')
    }
    const users = `${at}.${strict ? 3 : 1}`
    for (const odd of [
      'x',
      null,
      [],
      { [USER]: 'x' },
      { [USER]: null },
      { [USER]: true },
      { nobody: 5 },
      { '@x:': 5 },
      { [USER]: 5, x: 1 },
    ]) {
      assert.equal(first({ users: odd }), users)
    }
    assert.equal(first({ users: { [USER]: '50' } }), strict ? users : 'allow')
    assert.equal(first({ users: { '@Historical User:b.example': 5, '@:b.example': 1 } }), 'allow')
  }
})

test('5.2 v12 any creator in users is refused', () => {
  for (const rules of ALL) {
    const v12 = rules.auth.privilegedCreators
    const create = { additional_creators: [TARGET] }
    for (const creator of [CREATOR, TARGET]) {
      assert.equal(change(rules, {}, { users: { [MOD]: 50, [creator]: 1 } }, create), v12 ? '10.4' : 'allow')
    }
    assert.equal(change(rules, {}, { users: { [MOD]: 50, [USER]: 1 } }, create), 'allow')
  }
})

test('5.2 each of seven scalars: old and new at most mine, also added and removed', () => {
  for (const rules of ALL) {
    const { powerLevels, powerLevelsPrevious: first } = ruleNumbers(rules)
    const at = `${powerLevels}.${first + 1}`
    for (const name of Object.keys(LEVEL_DEFAULTS)) {
      const judge = (old: JsonValue | undefined, fresh: JsonValue | undefined) => {
        const pick = (value: JsonValue | undefined): JsonObject =>
          value === undefined ? {} : { [name]: value }
        // The event in force must let MOD send power levels at all, whatever the scalar.
        return change(rules, pick(old), {
          users: { [MOD]: 50 },
          events: { 'm.room.power_levels': 0 },
          ...pick(fresh),
        })
      }
      for (const [old, fresh, rule] of [
        [undefined, undefined, ''],
        [51, 51, ''],
        [undefined, 50, ''],
        [undefined, 51, '.2'],
        [50, undefined, ''],
        [51, undefined, '.1'],
        [50, 49, ''],
        [51, 50, '.1'],
        [49, 51, '.2'],
        [51, 52, '.1'],
      ] as const) {
        assert.equal(
          judge(old, fresh),
          rule === '' ? 'allow' : at + rule,
          `${rules.version} ${name} ${old} ${fresh}`,
        )
      }
    }
  }
})

test('5.2 each entry of events and (v6+) notifications', () => {
  for (const rules of ALL) {
    const { powerLevels, powerLevelsPrevious: first } = ruleNumbers(rules)
    const must = { 'm.room.power_levels': 0 }
    for (const name of ['events', 'notifications']) {
      const judged = name === 'events' || n(rules) >= 6
      const judge = (old: JsonObject, fresh: JsonObject) =>
        change(
          rules,
          { [name]: { ...must, ...old } },
          { users: { [MOD]: 50 }, events: must, [name]: { ...must, ...fresh } },
        )
      for (const [old, fresh, rule] of [
        [{}, {}, ''],
        [{ x: 51 }, { x: 51 }, ''],
        [{}, { x: 50 }, ''],
        [{}, { x: 51 }, `${first + 3}.1`],
        [{ x: 50 }, {}, ''],
        [{ x: 51 }, {}, `${first + 2}.1`],
        [{ x: 50 }, { x: 1 }, ''],
        [{ x: 51 }, { x: 50 }, `${first + 2}.1`],
        [{ x: 5 }, { x: 51 }, `${first + 3}.1`],
        [{ toString: 51 }, { toString: 50 }, `${first + 2}.1`],
      ] as const) {
        assert.equal(judge(old, fresh), rule === '' || !judged ? 'allow' : `${powerLevels}.${rule}`)
      }
    }
  }
})

test('5.2 users: another’s level equal to mine or above cannot be changed; my own may be lowered', () => {
  for (const rules of ALL) {
    const { powerLevels, powerLevelsPrevious: first } = ruleNumbers(rules)
    const judge = (old: JsonObject, fresh: JsonObject) =>
      change(
        rules,
        { users: { [MOD]: 50, ...old } },
        { users: { [MOD]: 50, ...fresh }, events: { 'm.room.power_levels': 0 } },
      )
    for (const [old, fresh, rule] of [
      [{}, { [USER]: 50 }, ''],
      [{}, { [USER]: 51 }, `${first + 5}.1`],
      [{ [USER]: 50 }, { [USER]: 50 }, ''],
      [{ [USER]: 99 }, { [USER]: 99 }, ''],
      [{ [USER]: 49 }, { [USER]: 50 }, ''],
      [{ [USER]: 49 }, {}, ''],
      [{ [USER]: 49 }, { [USER]: 51 }, `${first + 5}.1`],
      [{ [USER]: 50 }, { [USER]: 49 }, `${first + 4}.1`],
      [{ [USER]: 50 }, {}, `${first + 4}.1`],
      [{ [USER]: 51 }, {}, `${first + 4}.1`],
      [{}, { [MOD]: 49 }, ''],
      [{}, { [MOD]: 51 }, `${first + 5}.1`],
    ] as const) {
      assert.equal(
        judge(old, fresh),
        rule === '' ? 'allow' : `${powerLevels}.${rule}`,
        JSON.stringify([old, fresh]),
      )
    }
    // Removing oneself.
    const without = change(rules, {}, { users: {}, events: { 'm.room.power_levels': 0 } })
    assert.equal(without, 'allow')
  }
})

test('5.2 v12 infinity compares above every integer', () => {
  for (const rules of versions((one) => one.auth.privilegedCreators)) {
    const room = new Room(rules, { levels: { users: { [USER]: 2 ** 53 - 1 }, ban: 2 ** 53 - 1 } })
    const judge = (content: JsonObject) => room.judge(room.event('m.room.power_levels', CREATOR, '', content))
    assert.equal(judge({ users: { [USER]: 0, [MOD]: 2 ** 53 - 1 }, ban: 1 }), 'allow')
  }
})

test('a sender below zero may add and remove what is not above it', () => {
  for (const rules of ALL) {
    const base = { users: { [MOD]: -1 }, events: { 'm.room.power_levels': -1 } }
    const judge = (old: JsonObject, fresh: JsonObject) => {
      const room = new Room(rules, { levels: { ...base, ...old }, members: { [MOD]: 'join' } })
      return room.judge(room.event('m.room.power_levels', MOD, '', { ...base, ...fresh }))
    }
    assert.equal(judge({}, { ban: -1 }), 'allow')
    assert.equal(judge({ ban: -1 }, {}), 'allow')
    assert.equal(judge({}, { users: { [MOD]: -1, [USER]: -1 } }), 'allow')
    assert.equal(judge({ users: { [MOD]: -1, [USER]: -2 } }, {}), 'allow')
    assert.notEqual(judge({}, { ban: 0 }), 'allow')
  }
})

test('levels that are none, in force or new: no change of them is allowed before v10', () => {
  for (const rules of versions((one) => !one.auth.integerPowerLevels)) {
    const { powerLevels, powerLevelsPrevious: first } = ruleNumbers(rules)
    const keep = { users: { [MOD]: 50 }, events: { 'm.room.power_levels': 0 } }
    assert.equal(change(rules, { kick: 'x' }, keep), `${powerLevels}.${first + 1}.1`)
    assert.equal(change(rules, { kick: 'x' }, { ...keep, kick: 'x' }), `${powerLevels}.${first + 1}.1`)
    assert.equal(change(rules, {}, { ...keep, kick: 'x' }), `${powerLevels}.${first + 1}.2`)
    assert.equal(change(rules, {}, { ...keep, events: 'x' }), `${powerLevels}.${first + 2}`)
    assert.equal(
      change(rules, {}, { ...keep, notifications: 'x' }),
      n(rules) >= 6 ? `${powerLevels}.${first + 2}` : 'allow',
    )
    // The same level in another notation is no change.
    assert.equal(change(rules, { kick: '99' }, { ...keep, kick: ' +099' }), 'allow')
  }
})

test('m.room.power_levels with another state key, or none, is compared with the levels in force', () => {
  for (const rules of ALL) {
    const room = new Room(rules, {
      levels: { users: { [MOD]: 50 }, users_default: 0 },
      members: { [MOD]: 'join' },
    })
    for (const stateKey of ['x', undefined]) {
      const event = room.event('m.room.power_levels', MOD, stateKey, { users: { [MOD]: 100 } })
      assert.notEqual(room.judge(event), 'allow')
    }
  }
})

test('users in force that are no object: nobody has a level, so nobody may change them', () => {
  const rules = ROOM_VERSIONS['9']
  const room = new Room(rules, {
    levels: { users: 5, events: { 'm.room.power_levels': 0 } },
    members: { [MOD]: 'join' },
  })
  assert.equal(room.judge(room.event('m.room.power_levels', MOD, '', {})), '7')
  // A creator of v12 needs no entry there, and still may not change what cannot be read.
  const v12 = new Room(ROOM_VERSIONS['12'], { levels: { users: 5 } })
  assert.equal(v12.judge(v12.event('m.room.power_levels', CREATOR, '', {})), '10.9')
})
