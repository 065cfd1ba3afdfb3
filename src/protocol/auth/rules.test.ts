import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Pdu } from '../event/pdu.ts'
import { pdu, versions } from '../event/testing/fixtures.ts'
import type { EventId } from '../ids/event-id.ts'
import type { JsonObject, JsonValue } from '../json/value.ts'
import { ROOM_VERSIONS, type RoomVersionRules } from '../room-version/rules.ts'
import { checkAuthEvents } from './check-auth-events.ts'
import { checkAuthRules } from './check-auth-rules.ts'
import { ruleNumbers } from './numbering.ts'
import { redactionApplies } from './redaction-applies.ts'
import { selectAuthKeys } from './select.ts'
import { ADMIN, CREATOR, LEVELS, MOD, numberOf, Room, TARGET, USER } from './testing/room.ts'

const ALL: readonly RoomVersionRules[] = Object.values(ROOM_VERSIONS)
const n = (rules: RoomVersionRules) => Number(rules.version)

test('rule numbers are those of each version’s text', () => {
  const table = (rules: RoomVersionRules) => Object.values(ruleNumbers(rules)).join(' ')
  // create room authEvents federate aliases member authorised join invite leave ban knock unknown joined 3pid level
  // owned powerLevels previous redaction
  const expected: Record<string, string> = {
    '1': '1 - 2 3 4 5 - 5.2 5.3 5.4 5.5 - 5.6 6 7 8 9 10 2 11',
    '3': '1 - 2 3 4 5 - 5.2 5.3 5.4 5.5 - 5.6 6 7 8 9 10 2 -',
    '6': '1 - 2 3 - 4 - 4.2 4.3 4.4 4.5 - 4.6 5 6 7 8 9 2 -',
    '7': '1 - 2 3 - 4 - 4.2 4.3 4.4 4.5 4.6 4.7 5 6 7 8 9 2 -',
    '8': '1 - 2 3 - 4 4.2 4.3 4.4 4.5 4.6 4.7 4.8 5 6 7 8 9 2 -',
    '10': '1 - 2 3 - 4 4.2 4.3 4.4 4.5 4.6 4.7 4.8 5 6 7 8 9 4 -',
    '11': '1 - 2 3 - 4 4.2 4.3 4.4 4.5 4.6 4.7 4.8 5 6 7 8 9 4 -',
    '12': '1 2 3 4 - 5 5.2 5.3 5.4 5.5 5.6 5.7 5.8 6 7 8 9 10 5 -',
  }
  const same: Record<string, string> = { '2': '1', '4': '3', '5': '3', '9': '8' }
  for (const rules of ALL) assert.equal(table(rules), expected[same[rules.version] ?? rules.version])
  assert.equal(ruleNumbers(ROOM_VERSIONS['1']), ruleNumbers(ROOM_VERSIONS['1']))
})

function createEvent(
  rules: RoomVersionRules,
  content: JsonObject,
  over: Record<string, JsonValue | undefined> = {},
): Pdu {
  return pdu(rules, {
    type: 'm.room.create',
    sender: CREATOR,
    state_key: '',
    prev_events: [],
    ...(rules.roomIdIsCreateHash ? { room_id: undefined } : {}),
    content: { creator: CREATOR, ...content },
    ...over,
  })
}

test('5.2 create: no prev_events, domain of the room id, known version, creator, additional creators', () => {
  for (const rules of ALL) {
    const judge = (event: Pdu) => {
      const own = checkAuthEvents(event, new Map(), () => false)
      assert.ok('done' in own)
      const number = numberOf(own.done, rules)
      assert.equal(
        numberOf(
          checkAuthRules(event, () => undefined),
          rules,
        ),
        number,
      )
      return number
    }
    assert.equal(judge(createEvent(rules, {})), 'allow')
    assert.equal(
      judge(createEvent(rules, {}, { prev_events: [...(pdu(rules).json['prev_events'] as JsonValue[])] })),
      '1.1',
    )
    const v12 = rules.roomIdIsCreateHash
    if (!v12) {
      for (const room of ['!room:b.example', '!room', '!room:a.example:1']) {
        assert.equal(judge(createEvent(rules, {}, { room_id: room })), '1.2', room)
      }
    } else {
      const event = createEvent(rules, {})
      assert.equal(judge({ ...event, json: { ...event.json, room_id: '!x' } }), '1.2')
    }
    for (const version of ['1', '12', rules.version])
      assert.equal(judge(createEvent(rules, { room_version: version })), 'allow')
    for (const version of ['13', '', 'constructor', 5, null])
      assert.equal(judge(createEvent(rules, { room_version: version })), '1.3')
    const { creator: _, ...noCreator } = createEvent(rules, {}).content as { creator: JsonValue }
    assert.equal(judge(createEvent(rules, {}, { content: noCreator })), n(rules) <= 10 ? '1.4' : 'allow')
    // Its value matters to no rule here.
    assert.equal(judge(createEvent(rules, { creator: 5 })), 'allow')
    for (const good of [[], [USER], [USER, '@é:b.example']])
      assert.equal(judge(createEvent(rules, { additional_creators: good })), 'allow')
    for (const bad of ['x', null, 5, {}, [5], ['x'], [USER, '@x:']]) {
      assert.equal(judge(createEvent(rules, { additional_creators: bad })), v12 ? '1.4' : 'allow')
    }
  }
})

/** A room whose events are all known, and an event that names some of them. */
function own(rules: RoomVersionRules, members: Record<string, JsonValue> = { [USER]: 'join' }) {
  const room = new Room(rules, { levels: LEVELS, joinRule: 'public', members })
  const known = new Map<EventId, Pdu>()
  const state = (type: string, key: string) => {
    const event = room.lookup(type, key)!
    known.set(event.eventId, event)
    return event
  }
  const create = state('m.room.create', '')
  const levels = state('m.room.power_levels', '')
  const me = state('m.room.member', USER)
  const must = rules.auth.privilegedCreators ? [] : [create]
  const judge = (auth: readonly Pdu[], rejected: readonly Pdu[] = [], type = 'm.room.message') => {
    for (const event of auth) known.set(event.eventId, event)
    const event = room.event(type, USER, undefined, {}, { auth_events: auth.map((one) => room.ref(one)) })
    const answer = checkAuthEvents(event, known, (id) => rejected.some((one) => one.eventId === id))
    assert.ok('done' in answer)
    return numberOf(answer.done, rules)
  }
  return { room, known, create, levels, me, must, judge, state, at: ruleNumbers(rules).authEvents }
}

test('5.1.4, 5.7 auth_events are validated, not trusted: duplicates, unexpected, rejected, no create, events of other rooms', () => {
  for (const rules of ALL) {
    const { room, levels, me, must, judge, state, create, at } = own(rules)
    assert.equal(judge([...must, levels, me]), 'allow')
    assert.equal(judge([...must, me]), 'allow')
    assert.equal(judge([...must, levels, levels, me]), `${at}.1`)
    const twin = room.event('m.room.member', USER, USER, { membership: 'join' }, { depth: 5 })
    assert.equal(judge([...must, me, twin]), `${at}.1`)
    assert.equal(judge([...must, me, state('m.room.join_rules', '')]), `${at}.2`)
    assert.equal(judge([...must, me, state('m.room.member', CREATOR)]), `${at}.2`)
    const message = room.event('m.room.power_levels', CREATOR, undefined, {})
    assert.equal(judge([...must, me, message]), `${at}.2`)
    const two = room.event('m.room.power_levels', CREATOR, undefined, {}, { depth: 9 })
    assert.equal(judge([...must, me, message, two]), `${at}.2`)
    assert.equal(judge([...must, levels, me], [levels]), `${at}.3`)
    assert.equal(judge([...must, levels, me], [me, levels]), `${at}.3`)
    // v1-v11 need the create event; in v12 it is unexpected.
    assert.equal(
      judge(rules.auth.privilegedCreators ? [create, me] : [me]),
      `${at}.${rules.auth.privilegedCreators ? 2 : 4}`,
    )
    // adv-11, 5.7 an event of another room gives no powers here.
    const foreign = room.event(
      'm.room.member',
      USER,
      USER,
      { membership: 'join' },
      { room_id: '!other:a.example' },
    )
    assert.equal(judge([...must, levels, foreign]), `${at}.5`)
  }
})

test('the rules after them see the event’s own auth_events as the state', () => {
  for (const rules of ALL) {
    const { levels, must, judge } = own(rules)
    assert.equal(judge([...must, levels]), ruleNumbers(rules).senderJoined)
  }
})

test('P4 the core asks: missing auth events are named, each once', () => {
  for (const rules of ALL) {
    const { room, me, must, levels, create } = own(rules)
    const event = room.event(
      'm.room.message',
      USER,
      undefined,
      {},
      {
        auth_events: [...must, levels, levels, me].map((one) => room.ref(one)),
      },
    )
    const all = checkAuthEvents(event, new Map(), () => false)
    assert.deepEqual('need' in all && all.need, [create.eventId, levels.eventId, me.eventId])
    const some = checkAuthEvents(event, new Map([[levels.eventId, levels]]), () => false)
    assert.deepEqual('need' in some && some.need, [create.eventId, me.eventId])
  }
})

test('adv-2 v12 rule 2: the room id names an accepted create event, the only one there can be', () => {
  for (const rules of versions((one) => one.roomIdIsCreateHash)) {
    const { room, me, levels, create, known } = own(rules)
    const judge = (roomId: string, rejected: readonly EventId[] = []) => {
      const over = { room_id: roomId, auth_events: [levels.eventId, me.eventId] }
      const answer = checkAuthEvents(room.event('m.room.message', USER, undefined, {}, over), known, (id) =>
        rejected.includes(id),
      )
      return 'done' in answer ? numberOf(answer.done, rules) : answer.need.join()
    }
    assert.equal(judge(create.roomId), 'allow')
    assert.equal(judge(create.roomId, [create.eventId]), '2')
    assert.equal(judge('!unknown'), '$unknown')
    // The room id may name an event that is something else.
    assert.equal(judge(`!${me.eventId.slice(1)}`), '2')
    const message = room.event('m.room.create', USER, undefined, {})
    known.set(message.eventId, message)
    assert.equal(judge(`!${message.eventId.slice(1)}`), '2')
    // Not even one of the same room, if a store could hold that under this id.
    known.set('$other' as EventId, { ...levels, roomId: '!other' as Pdu['roomId'] })
    assert.equal(judge('!other'), '2')
    const other = createEvent(rules, { x: 1 })
    known.set(other.eventId, { ...other, roomId: create.roomId })
    assert.equal(judge(other.roomId), '2')
    known.set(other.eventId, other)
    assert.equal(judge(other.roomId), '3.5')
  }
})

test('5.2 auth events to select when creating', () => {
  for (const rules of ALL) {
    const select = (type: string, stateKey: string | undefined, content: JsonObject) =>
      selectAuthKeys(rules, type, USER, stateKey, content).map(([t, key]) => `${t.slice(7)}|${key}`)
    const base = [...(n(rules) === 12 ? [] : ['create|']), 'power_levels|', `member|${USER}`]
    const target = `member|${TARGET}`
    const via = { join_authorised_via_users_server: MOD }
    assert.deepEqual(select('m.room.create', '', {}), [])
    assert.deepEqual(select('m.room.message', undefined, { membership: 'join' }), base)
    assert.deepEqual(select('m.room.topic', TARGET, {}), base)
    const of = (membership: JsonValue, stateKey: string | undefined = TARGET, more: JsonObject = {}) =>
      select('m.room.member', stateKey, { membership, ...more })
    assert.deepEqual(of('leave'), [...base, target])
    assert.deepEqual(of('ban', TARGET, via), [...base, target])
    assert.deepEqual(of(5), [...base, target])
    assert.deepEqual(select('m.room.member', undefined, { membership: 'leave' }), base)
    assert.deepEqual(of('leave', USER), base)
    for (const membership of ['join', 'invite', 'knock'])
      assert.deepEqual(of(membership, USER), [...base, 'join_rules|'])
    assert.deepEqual(of('invite'), [...base, target, 'join_rules|'])
    const invite = { third_party_invite: { signed: { token: 'tok' } } }
    assert.deepEqual(of('invite', TARGET, invite), [...base, target, 'join_rules|', 'third_party_invite|tok'])
    assert.deepEqual(of('join', USER, invite), [...base, 'join_rules|'])
    for (const odd of [5, {}, { signed: 5 }, { signed: { token: 5 } }]) {
      assert.deepEqual(of('invite', TARGET, { third_party_invite: odd }), [...base, target, 'join_rules|'])
    }
    const restricted = n(rules) >= 8 ? [`member|${MOD}`] : []
    assert.deepEqual(of('join', USER, via), [...base, 'join_rules|', ...restricted])
    assert.deepEqual(of('invite', USER, via), [...base, 'join_rules|'])
    for (const odd of [5, USER])
      assert.deepEqual(of('join', USER, { join_authorised_via_users_server: odd }), [...base, 'join_rules|'])
  }
})

test('a state without the create event, or with that of another room, allows nothing', () => {
  for (const rules of ALL) {
    const { room, at } = own(rules)
    const message = room.event('m.room.message', CREATOR, undefined, {})
    assert.equal(
      numberOf(
        checkAuthRules(message, () => undefined),
        rules,
      ),
      `${at}.4`,
    )
    const elsewhere = room.event('m.room.message', CREATOR, undefined, {}, { room_id: '!other:a.example' })
    assert.equal(room.judge(elsewhere), `${at}.5`)
    assert.equal(room.judge(message), 'allow')
  }
})

test('5.2 m.federate false compares the sender’s domain with that of the create event’s sender', () => {
  for (const rules of ALL) {
    for (const [federate, closed] of [
      [false, true],
      [true, false],
      ['no', false],
      [null, false],
      [0, false],
    ] as const) {
      const room = new Room(rules, {
        create: { 'm.federate': federate },
        joinRule: 'public',
        members: { [USER]: 'join', [ADMIN]: 'join' },
      })
      assert.equal(
        room.judge(room.event('m.x', USER, undefined, {})),
        closed ? ruleNumbers(rules).federate : 'allow',
      )
      assert.equal(
        room.judge(room.member(USER, USER, 'join')),
        closed ? ruleNumbers(rules).federate : 'allow',
      )
      assert.equal(room.judge(room.event('m.x', ADMIN, undefined, {})), 'allow')
    }
  }
})

test('5.2 m.room.aliases has its own rule in v1-v5, and is ordinary state from v6', () => {
  for (const rules of ALL) {
    const room = new Room(rules, { levels: LEVELS })
    const old = n(rules) <= 5
    const judge = (sender: string, stateKey: string | undefined) =>
      room.judge(room.event('m.room.aliases', sender, stateKey, {}))
    assert.equal(judge(USER, 'b.example'), old ? 'allow' : ruleNumbers(rules).senderJoined)
    assert.equal(judge(USER, 'a.example'), old ? '4.2' : ruleNumbers(rules).senderJoined)
    assert.equal(judge(USER, undefined), old ? '4.1' : ruleNumbers(rules).senderJoined)
  }
})

test('the sender of anything else must be joined', () => {
  for (const rules of ALL) {
    for (const membership of [null, 'invite', 'leave', 'ban', 'knock', 5]) {
      const room = new Room(rules, { members: { [USER]: membership } })
      assert.equal(
        room.judge(room.event('m.room.message', USER, undefined, {})),
        ruleNumbers(rules).senderJoined,
      )
    }
  }
})

test('5.2, adv-16 required levels: 50 for state and 0 for messages, even without m.room.power_levels', () => {
  for (const rules of ALL) {
    const at = ruleNumbers(rules)
    const none = new Room(rules, { members: { [USER]: 'join' } })
    assert.equal(none.judge(none.event('m.room.message', USER, undefined, {})), 'allow')
    assert.equal(none.judge(none.event('m.room.topic', USER, '', {})), at.requiredLevel)
    assert.equal(none.judge(none.event('m.room.topic', CREATOR, '', {})), 'allow')
    const judge = (levels: JsonObject, type: string, stateKey?: string) => {
      const room = new Room(rules, {
        levels: { users: { [MOD]: 50 }, ...levels },
        members: { [MOD]: 'join' },
      })
      return room.judge(room.event(type, MOD, stateKey, {}))
    }
    for (const [levels, type, stateKey, allowed] of [
      [{}, 'm.room.topic', '', true],
      [{ state_default: 51 }, 'm.room.topic', '', false],
      [{ state_default: 51 }, 'm.room.topic', undefined, true],
      [{ events_default: 51 }, 'm.room.topic', undefined, false],
      [{ events_default: 51 }, 'm.room.topic', '', true],
      [{ events: { 'm.room.topic': 51 } }, 'm.room.topic', '', false],
      [{ events: { 'm.room.topic': 51 } }, 'm.room.topic', undefined, false],
      [{ events: { 'm.room.topic': 50 }, state_default: 99, events_default: 99 }, 'm.room.topic', '', true],
      [{ events: { 'm.other': 99 } }, 'm.room.topic', '', true],
      [{ users: {}, users_default: 50 }, 'm.room.topic', '', true],
      [{ users: {}, users_default: 49 }, 'm.room.topic', '', false],
      [{ users: {} }, 'm.room.topic', '', false],
      [{ users: {}, events: { toString: 0 } }, 'toString', undefined, true],
      [{ users: {} }, 'toString', undefined, true],
    ] as const) {
      assert.equal(
        judge(levels, type, stateKey),
        allowed ? 'allow' : at.requiredLevel,
        JSON.stringify([levels, type, stateKey]),
      )
    }
  }
})

test('5.2 without m.room.power_levels the creator has 100, in v12 infinity', () => {
  for (const rules of ALL) {
    const v12 = rules.auth.privilegedCreators
    const facts = {
      create: { creator: ADMIN, additional_creators: [MOD] },
      members: { [ADMIN]: 'join', [MOD]: 'join' },
    }
    const room = new Room(rules, facts)
    const creator = n(rules) >= 11 ? CREATOR : ADMIN
    const other = n(rules) >= 11 ? ADMIN : CREATOR
    const kick = (sender: string) => room.judge(room.member(sender, TARGET, 'leave'))
    assert.equal(kick(creator), 'allow')
    assert.notEqual(kick(other), 'allow')
    assert.equal(kick(MOD) === 'allow', v12)
    // With the event, the creator of v1-v11 is one user among others.
    const levels = new Room(rules, { ...facts, levels: { users: { [TARGET]: 9_000_000 }, state_default: 1 } })
    assert.equal(levels.judge(levels.event('m.room.topic', creator, '', {})) === 'allow', v12)
  }
})

test('5.2 state keys that begin with @ belong to that user', () => {
  for (const rules of ALL) {
    const room = new Room(rules, { members: {} })
    const judge = (stateKey: string | undefined) => room.judge(room.event('m.own', CREATOR, stateKey, {}))
    assert.equal(judge(CREATOR), 'allow')
    for (const free of ['', 'x', '!room', `x${USER}`, undefined]) assert.equal(judge(free), 'allow')
    for (const other of [USER, '@', `${CREATOR}x`])
      assert.equal(judge(other), ruleNumbers(rules).ownedStateKey)
  }
})

test('5.2 m.room.third_party_invite is allowed by the invite level alone', () => {
  for (const rules of ALL) {
    const judge = (invite: number, stateDefault: number) => {
      const levels = {
        users: { [MOD]: 50 },
        invite,
        state_default: stateDefault,
        events: { 'm.room.third_party_invite': 99 },
      }
      const room = new Room(rules, { levels, members: { [MOD]: 'join' } })
      // Not even the rule on state keys comes before it.
      return room.judge(room.event('m.room.third_party_invite', MOD, USER, {}))
    }
    assert.equal(judge(50, 99), 'allow')
    assert.equal(judge(51, 0), `${ruleNumbers(rules).thirdPartyInvite}.1`)
  }
})

test('5.2, adv-12 m.room.redaction: v1-v2 compare domains of event ids, from v3 the redact level is no auth rule', () => {
  for (const rules of ALL) {
    const old = n(rules) <= 2
    const judge = (sender: string, redacts: JsonValue | undefined, id = '$r:b.example') => {
      const room = new Room(rules, {
        levels: { users: { [MOD]: 50 } },
        members: { [MOD]: 'join', [USER]: 'join' },
      })
      const over = { redacts, ...(old ? { event_id: id } : {}) }
      return room.judge(room.event('m.room.redaction', sender, undefined, {}, over))
    }
    assert.equal(judge(MOD, '$x:z.example'), 'allow')
    assert.equal(judge(USER, '$x:b.example'), 'allow')
    assert.equal(judge(USER, '$x:a.example'), old ? '11.3' : 'allow')
    assert.equal(judge(USER, '$x'), old ? '11.3' : 'allow')
    assert.equal(judge(USER, undefined), old ? '11.3' : 'allow')
    assert.equal(judge(USER, '$x', '$r'), old ? '11.3' : 'allow')
    // The sender's own domain has no part in it.
    assert.equal(judge(USER, '$x:b.example', '$r:a.example'), old ? '11.3' : 'allow')
    const room = new Room(rules, {
      levels: { events: { 'm.room.redaction': 50 } },
      members: { [USER]: 'join' },
    })
    const event = room.event('m.room.redaction', USER, undefined, {}, { redacts: '$x:b.example' })
    assert.equal(room.judge(event), ruleNumbers(rules).requiredLevel)
  }
})

test('5.3, adv-12, adv-14 a redaction is applied by redact level or equal server, never to a create event', () => {
  for (const rules of ALL) {
    const old = rules.auth.redactionRule
    const room = new Room(rules, {
      levels: { users: { [MOD]: 50 } },
      members: { [MOD]: 'join', [USER]: 'join' },
    })
    const target = room.event('m.room.message', ADMIN, undefined, {})
    const redaction = (sender: string, of: Pdu) =>
      room.event(
        'm.room.redaction',
        sender,
        undefined,
        rules.redactsInContent ? { redacts: of.eventId } : {},
        {
          redacts: of.eventId,
        },
      )
    const applies = (sender: string, of: Pdu) => redactionApplies(redaction(sender, of), of, room.lookup)
    assert.ok(applies(MOD, target))
    assert.equal(applies(USER, target), old)
    assert.ok(applies('@other:a.example', target))
    assert.ok(!applies(MOD, room.create))
    assert.ok(!applies(CREATOR, room.create))
    const other = room.event('m.room.message', ADMIN, undefined, { other: true }, { depth: 77 })
    assert.ok(!redactionApplies(redaction(MOD, other), target, room.lookup))
    assert.ok(!redactionApplies({ ...redaction(MOD, target), redacts: undefined }, target, room.lookup))
    const foreign = { ...target, roomId: '!other:a.example' as Pdu['roomId'] }
    assert.ok(!redactionApplies(redaction(MOD, target), foreign, room.lookup))
    assert.equal(
      redactionApplies(redaction(MOD, target), target, () => undefined),
      old,
    )
  }
})
