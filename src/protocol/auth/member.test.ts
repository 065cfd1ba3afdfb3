import assert from 'node:assert/strict'
import { test } from 'node:test'
import { signJson } from '../crypto/sign-json.ts'
import { OTHER_KEY, SPEC_KEY, versions } from '../event/testing/fixtures.ts'
import type { JsonObject, JsonValue } from '../json/value.ts'
import { THIRD_PARTY_KEYS_MAX, THIRD_PARTY_SIGNATURES_MAX } from '../limits.ts'
import { ROOM_VERSIONS, type RoomVersionRules } from '../room-version/rules.ts'
import { ADMIN, CREATOR, LEVELS, MOD, Room, type RoomFacts, TARGET, USER } from './testing/room.ts'

const ALL: readonly RoomVersionRules[] = Object.values(ROOM_VERSIONS)
const n = (rules: RoomVersionRules) => Number(rules.version)

/** Number of the rule on members, and of its parts, as the text of each version has them. */
function numbers(rules: RoomVersionRules) {
  const v = n(rules)
  const member = v === 12 ? '5' : v >= 6 ? '4' : '5'
  const shift = v >= 8 ? 1 : 0
  const at = (part: number) => `${member}.${part + shift}`
  return {
    form: `${member}.1`,
    join: at(2),
    invite: at(3),
    leave: at(4),
    ban: at(5),
    knock: at(6),
    unknown: at(v >= 7 ? 7 : 6),
    joinOtherwise: `${at(2)}.${v >= 8 ? 7 : 6}`,
  }
}

function each(
  facts: RoomFacts,
  visit: (room: Room, at: ReturnType<typeof numbers>, rules: RoomVersionRules) => void,
): void {
  for (const rules of ALL) visit(new Room(rules, facts), numbers(rules), rules)
}

test('members: a state key that is a user id, and a membership', () => {
  each({ levels: LEVELS, joinRule: 'public' }, (room, at) => {
    assert.equal(room.judge(room.event('m.room.member', USER, undefined, { membership: 'join' })), at.form)
    for (const key of ['', 'nobody', '@nocolon', 'no:at']) {
      assert.equal(room.judge(room.event('m.room.member', USER, key, { membership: 'join' })), at.form, key)
    }
    assert.equal(room.judge(room.event('m.room.member', USER, USER, {})), at.form)
    for (const membership of [5, null, ['join']])
      assert.equal(room.judge(room.member(USER, USER, membership)), at.form)
    assert.equal(room.judge(room.member(CREATOR, CREATOR, 'sleep')), at.unknown)
    assert.equal(room.judge(room.member(CREATOR, CREATOR, '')), at.unknown)
  })
})

test('5.2 first join: the only prev event is the create event, and the state key is the creator', () => {
  for (const rules of ALL) {
    const room = new Room(rules, {
      members: { [CREATOR]: null },
      create: { creator: ADMIN, additional_creators: [MOD] },
    })
    const join = (user: string, prev: readonly JsonValue[], sender = user) =>
      room.judge(room.event('m.room.member', sender, user, { membership: 'join' }, { prev_events: prev }))
    const at = numbers(rules)
    const first = n(rules) >= 11 ? CREATOR : ADMIN
    const second = n(rules) >= 11 ? ADMIN : CREATOR
    const create = room.ref(room.create)
    const other = room.ref(room.event('m.x', USER, undefined, {}))
    assert.equal(join(first, [create]), 'allow')
    // The rule stands before the one on the sender.
    assert.equal(join(first, [create], USER), 'allow')
    assert.equal(join(second, [create]), at.joinOtherwise)
    assert.equal(join(MOD, [create]), at.joinOtherwise)
    assert.equal(join(first, []), at.joinOtherwise)
    assert.equal(join(first, [other]), at.joinOtherwise)
    assert.equal(join(first, [create, other]), at.joinOtherwise)
  }
  // A creator that is no string is nobody.
  const room = new Room(ROOM_VERSIONS['10'], { create: { creator: 5 }, members: { [CREATOR]: null } })
  const join = room.event(
    'm.room.member',
    CREATOR,
    CREATOR,
    { membership: 'join' },
    { prev_events: [room.ref(room.create)] },
  )
  assert.equal(room.judge(join), '4.3.7')
})

test('adv-15 nobody joins, knocks or leaves for another', () => {
  each({ levels: LEVELS, joinRule: 'public', members: { [ADMIN]: 'join' } }, (room, at, rules) => {
    assert.equal(room.judge(room.member(ADMIN, USER, 'join')), `${at.join}.2`)
    assert.equal(room.judge(room.member(USER, USER, 'join')), 'allow')
    const knock = new Room(rules, { levels: LEVELS, joinRule: 'knock', members: { [ADMIN]: 'join' } })
    assert.equal(
      knock.judge(knock.member(ADMIN, USER, 'knock')),
      n(rules) >= 7 ? `${at.knock}.2` : at.unknown,
    )
  })
})

test('joins by join rule and membership', () => {
  const inside = ['invite', 'join']
  const outside = [null, 'leave', 'knock']
  const since: [rule: JsonValue, version: number][] = [
    ['invite', 1],
    ['knock', 7],
    ['restricted', 8],
    ['knock_restricted', 10],
  ]
  for (const rules of ALL) {
    const at = numbers(rules)
    const judge = (joinRule: JsonValue | undefined, membership: JsonValue, more: JsonObject = {}) => {
      const rule = joinRule === undefined ? {} : { joinRule }
      const room = new Room(rules, { levels: LEVELS, ...rule, members: { [USER]: membership } })
      return room.judge(room.member(USER, USER, 'join', more))
    }
    for (const [rule, version] of since) {
      const known = n(rules) >= version
      for (const membership of inside)
        assert.equal(judge(rule, membership), known ? 'allow' : at.joinOtherwise)
      const needsUser = known && (rule === 'restricted' || rule === 'knock_restricted')
      for (const membership of outside) {
        assert.equal(
          judge(rule, membership),
          needsUser ? `${at.join}.5.2` : at.joinOtherwise,
          `${rules.version} ${rule}`,
        )
      }
      assert.equal(judge(rule, 'ban'), `${at.join}.3`)
    }
    for (const membership of [...inside, ...outside]) assert.equal(judge('public', membership), 'allow')
    assert.equal(judge('public', 'ban'), `${at.join}.3`)
    for (const odd of ['private', '', 'PUBLIC', 5, null]) {
      for (const membership of [...inside, ...outside]) assert.equal(judge(odd, membership), at.joinOtherwise)
    }
    // Without m.room.join_rules the rule is invite.
    assert.equal(judge(undefined, 'invite'), 'allow')
    assert.equal(judge(undefined, null), at.joinOtherwise)
  }
})

test('5.2 restricted join: the named user must be joined and able to invite; conditions are no auth rule', () => {
  for (const rules of versions((one) => one.auth.restricted)) {
    for (const joinRule of rules.auth.knockRestricted ? ['restricted', 'knock_restricted'] : ['restricted']) {
      const at = numbers(rules)
      const judge = (
        via: JsonValue | undefined,
        levels: JsonObject | undefined,
        membership: JsonValue = 'join',
      ) => {
        const room = new Room(rules, {
          joinRule,
          ...(levels === undefined ? {} : { levels }),
          members: { [MOD]: membership, [USER]: 'leave' },
        })
        const more: JsonObject = via === undefined ? {} : { join_authorised_via_users_server: via }
        return room.judge(room.member(USER, USER, 'join', more))
      }
      assert.equal(judge(MOD, LEVELS), 'allow')
      assert.equal(judge(MOD, undefined), 'allow')
      assert.equal(judge(MOD, { ...LEVELS, invite: 50 }), 'allow')
      assert.equal(judge(MOD, { ...LEVELS, invite: 51 }), `${at.join}.5.2`)
      for (const membership of [null, 'leave', 'invite', 'ban', 'knock']) {
        assert.equal(judge(MOD, LEVELS, membership), `${at.join}.5.2`)
      }
      for (const via of [undefined, TARGET, 5, null, 'junk'])
        assert.equal(judge(via, LEVELS), `${at.join}.5.2`)
    }
  }
})

test('5.2 knocks: v7+, by join rule and membership', () => {
  for (const rules of ALL) {
    const at = numbers(rules)
    const judge = (joinRule: JsonValue, membership: JsonValue) => {
      const room = new Room(rules, { levels: LEVELS, joinRule, members: { [USER]: membership } })
      return room.judge(room.member(USER, USER, 'knock'))
    }
    if (!rules.auth.knock) {
      assert.equal(judge('knock', null), at.unknown)
      continue
    }
    for (const membership of [null, 'leave', 'knock']) assert.equal(judge('knock', membership), 'allow')
    for (const membership of ['ban', 'invite', 'join'])
      assert.equal(judge('knock', membership), `${at.knock}.4`)
    assert.equal(judge('knock_restricted', null), n(rules) >= 10 ? 'allow' : `${at.knock}.1`)
    for (const odd of ['public', 'invite', 'restricted', 'private', 5])
      assert.equal(judge(odd, null), `${at.knock}.1`)
  }
})

test('invites: who may, and whom', () => {
  each(
    { levels: { ...LEVELS, invite: 50 }, members: { [ADMIN]: 'join', [MOD]: 'join', [USER]: 'join' } },
    (room, at, rules) => {
      assert.equal(room.judge(room.member(ADMIN, TARGET, 'invite')), 'allow')
      assert.equal(room.judge(room.member(MOD, TARGET, 'invite')), 'allow')
      assert.equal(room.judge(room.member(USER, TARGET, 'invite')), `${at.invite}.5`)
      assert.equal(room.judge(room.member('@stranger:x', TARGET, 'invite')), `${at.invite}.2`)
      assert.equal(room.judge(room.member(ADMIN, MOD, 'invite')), `${at.invite}.3`)
      for (const [membership, result] of [
        ['ban', `${at.invite}.3`],
        ['join', `${at.invite}.3`],
        ['leave', 'allow'],
        ['invite', 'allow'],
        ['knock', 'allow'],
      ] as const) {
        const one = new Room(rules, { levels: LEVELS, members: { [ADMIN]: 'join', [TARGET]: membership } })
        assert.equal(one.judge(one.member(ADMIN, TARGET, 'invite')), result)
      }
      for (const membership of ['leave', 'invite', 'ban', 'knock']) {
        const one = new Room(rules, { levels: LEVELS, members: { [ADMIN]: membership } })
        assert.equal(one.judge(one.member(ADMIN, TARGET, 'invite')), `${at.invite}.2`)
      }
      // The invite level is 0 by default, with and without an event.
      for (const facts of [{}, { levels: {} }]) {
        const one = new Room(rules, { ...facts, members: { [USER]: 'join' } })
        assert.equal(one.judge(one.member(USER, TARGET, 'invite')), 'allow')
      }
    },
  )
})

test('5.2 leaves: only from invite or join (v7+ knock); a banned user cannot leave', () => {
  each({}, (_, at, rules) => {
    for (const [membership, since] of [
      ['join', 1],
      ['invite', 1],
      ['knock', 7],
      ['ban', 99],
      ['leave', 99],
      [null, 99],
    ] as const) {
      const room = new Room(rules, { levels: { users: { [USER]: 100 } }, members: { [USER]: membership } })
      assert.equal(
        room.judge(room.member(USER, USER, 'leave')),
        n(rules) >= since ? 'allow' : `${at.leave}.1`,
      )
    }
  })
})

test('5.2 kicks: the target strictly lower; unbans need the ban and the kick level', () => {
  each({}, (_, at, rules) => {
    const judge = (
      mine: number,
      theirs: number,
      levels: JsonObject,
      targetIs: JsonValue = 'join',
      senderIs = 'join',
    ) => {
      const room = new Room(rules, {
        levels: { ...levels, users: { [MOD]: mine, [TARGET]: theirs } },
        members: { [MOD]: senderIs, [TARGET]: targetIs },
      })
      return room.judge(room.member(MOD, TARGET, 'leave'))
    }
    assert.equal(judge(50, 49, {}), 'allow')
    assert.equal(judge(50, 50, {}), `${at.leave}.5`)
    assert.equal(judge(49, 0, {}), `${at.leave}.5`)
    assert.equal(judge(49, 0, { kick: 49 }), 'allow')
    assert.equal(judge(50, 0, {}, null), 'allow')
    assert.equal(judge(50, 0, {}, 'invite'), 'allow')
    assert.equal(judge(50, 0, {}, 'join', 'leave'), `${at.leave}.2`)
    assert.equal(judge(50, 0, {}, 'join', 'invite'), `${at.leave}.2`)
    assert.equal(judge(50, 0, {}, 'ban'), 'allow')
    assert.equal(judge(50, 0, { ban: 51 }, 'ban'), `${at.leave}.3`)
    assert.equal(judge(50, 0, { ban: 51 }, 'leave'), 'allow')
    assert.equal(judge(50, 0, { ban: 10, kick: 51 }, 'ban'), `${at.leave}.5`)
    assert.equal(judge(50, 50, { ban: 10 }, 'ban'), `${at.leave}.5`)
  })
})

test('bans: the ban level, and the target strictly lower', () => {
  each({}, (_, at, rules) => {
    const judge = (
      mine: number,
      theirs: number,
      levels: JsonObject = {},
      senderIs = 'join',
      targetIs: JsonValue = null,
    ) => {
      const room = new Room(rules, {
        levels: { ...levels, users: { [MOD]: mine, [TARGET]: theirs } },
        members: { [MOD]: senderIs, [TARGET]: targetIs },
      })
      return room.judge(room.member(MOD, TARGET, 'ban'))
    }
    for (const targetIs of [null, 'join', 'leave', 'invite', 'ban'])
      assert.equal(judge(50, 49, {}, 'join', targetIs), 'allow')
    assert.equal(judge(50, 50), `${at.ban}.3`)
    assert.equal(judge(49, 0), `${at.ban}.3`)
    assert.equal(judge(49, 0, { ban: 49 }), 'allow')
    assert.equal(judge(50, 0, { ban: 51 }), `${at.ban}.3`)
    assert.equal(judge(100, 0, {}, 'leave'), `${at.ban}.1`)
  })
})

test('5.2 creators of v12 are above everyone and cannot be kicked or banned', () => {
  const facts: RoomFacts = {
    create: { additional_creators: [MOD] },
    levels: { users: { [ADMIN]: Number.MAX_SAFE_INTEGER } },
    members: { [ADMIN]: 'join', [MOD]: 'join' },
  }
  each(facts, (room, at, rules) => {
    const v12 = rules.auth.privilegedCreators
    assert.equal(room.judge(room.member(ADMIN, MOD, 'ban')), v12 ? `${at.ban}.3` : 'allow')
    assert.equal(room.judge(room.member(ADMIN, CREATOR, 'leave')), v12 ? `${at.leave}.5` : 'allow')
    assert.equal(room.judge(room.member(MOD, ADMIN, 'ban')), v12 ? 'allow' : `${at.ban}.3`)
    // Nor by each other.
    assert.equal(room.judge(room.member(MOD, CREATOR, 'ban')), `${at.ban}.3`)
  })
})

const TOKEN_KEY = OTHER_KEY

function signedInvite(over: JsonObject = {}): JsonObject {
  return signJson({ mxid: TARGET, token: 'tok', ...over }, 'id.example', TOKEN_KEY)
}

function thirdParty(
  rules: RoomVersionRules,
  invite: JsonValue,
  keys: JsonObject,
  targetIs: JsonValue = null,
  sender = MOD,
): string {
  const room = new Room(rules, { members: { [TARGET]: targetIs } })
  room.set('m.room.third_party_invite', 'tok', keys, MOD)
  const event = room.member(sender, TARGET, 'invite', { third_party_invite: invite })
  return room.judge(event)
}

test('5.2 third-party invites are judged before "sender must be joined", by any signature and any key', () => {
  const good = { public_key: TOKEN_KEY.verifyKey.base64 }
  const signed = signedInvite()
  for (const rules of ALL) {
    const at = `${numbers(rules).invite}.1`
    assert.equal(thirdParty(rules, { signed }, good), 'allow')
    assert.equal(thirdParty(rules, { signed }, good, 'join'), 'allow')
    assert.equal(thirdParty(rules, { signed }, good, 'ban'), `${at}.1`)
    for (const odd of [5, null, {}, { signed: 5 }, { signed: null }])
      assert.equal(thirdParty(rules, odd, good), `${at}.2`)
    for (const key of ['mxid', 'token']) {
      const { [key]: _, ...rest } = signed
      assert.equal(thirdParty(rules, { signed: rest }, good), `${at}.3`)
      assert.equal(thirdParty(rules, { signed: { ...signed, [key]: 5 } }, good), `${at}.3`)
    }
    assert.equal(thirdParty(rules, { signed: signedInvite({ mxid: USER }) }, good), `${at}.4`)
    assert.equal(thirdParty(rules, { signed: signedInvite({ token: 'other' }) }, good), `${at}.5`)
    assert.equal(thirdParty(rules, { signed }, good, null, USER), `${at}.6`)
    assert.equal(thirdParty(rules, { signed }, { public_key: SPEC_KEY.verifyKey.base64 }), `${at}.8`)
    assert.equal(thirdParty(rules, { signed: { ...signed, extra: 1 } }, good), `${at}.8`)
    assert.equal(thirdParty(rules, { signed: { ...signed, signatures: {} } }, good), `${at}.8`)
    assert.equal(thirdParty(rules, { signed }, {}), `${at}.8`)
    // 5.5 either alphabet of base64, in either place, beside junk.
    const urlSafe = Buffer.from(TOKEN_KEY.verifyKey.base64, 'base64').toString('base64url')
    const listed = [5, {}, { public_key: 5 }, { public_key: 'AAAA' }, { public_key: urlSafe }]
    assert.equal(thirdParty(rules, { signed }, { public_key: 'junk', public_keys: listed }), 'allow')
    assert.equal(thirdParty(rules, { signed }, { public_keys: 'junk', ...good }), 'allow')
    assert.equal(thirdParty(rules, { signed }, { public_keys: [good] }), 'allow')
    const withJunk = {
      ...signed,
      signatures: { x: 5, 'y.example': { 'ed25519:0': 'AAAA' }, ...(signed['signatures'] as JsonObject) },
    }
    assert.equal(thirdParty(rules, { signed: withJunk }, good), 'allow')
  }
})

test('the work of a third-party invite is bounded: keys and signatures beyond the limits are not tried', () => {
  const rules = ROOM_VERSIONS['11']
  const at = `${numbers(rules).invite}.1`
  const signed = signedInvite()
  const key = { public_key: TOKEN_KEY.verifyKey.base64 }
  const others = (count: number) =>
    Array.from({ length: count }, () => ({ public_key: SPEC_KEY.verifyKey.base64 }))
  assert.equal(
    thirdParty(rules, { signed }, { public_keys: [...others(THIRD_PARTY_KEYS_MAX - 1), key] }),
    'allow',
  )
  assert.equal(
    thirdParty(rules, { signed }, { public_keys: [...others(THIRD_PARTY_KEYS_MAX), key] }),
    `${at}.8`,
  )
  const junk = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`s${i}`, { 'ed25519:0': 'AA' }]))
  const crowd = (count: number) => ({
    ...signed,
    signatures: { ...junk(count), ...(signed['signatures'] as JsonObject) },
  })
  assert.equal(thirdParty(rules, { signed: crowd(THIRD_PARTY_SIGNATURES_MAX - 1) }, key), 'allow')
  assert.equal(thirdParty(rules, { signed: crowd(THIRD_PARTY_SIGNATURES_MAX) }, key), `${at}.8`)
})
