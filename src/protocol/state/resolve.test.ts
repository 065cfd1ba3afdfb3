import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { describe, it } from 'node:test'
import type { Level } from '../auth/level.ts'
import type { Pdu } from '../event/pdu.ts'
import type { EventId } from '../ids/event-id.ts'
import type { RoomId } from '../ids/room-id.ts'
import { type JsonObject, NumberToken } from '../json/value.ts'
import { ROOM_VERSIONS, type RoomVersion } from '../room-version/rules.ts'
import { Asker, factsOf, type Rejection } from './facts.ts'
import { RESOLUTION_NEED_MAX } from './limits.ts'
import { senderPower } from './power-order.ts'
import { resolveConflicts, resolveState, separateStates } from './resolve.ts'
import { type StateMap, splitStateMapKey, stateMapKey } from './state-map.ts'
import { type EventFields, makeEvent } from './testing/make-event.ts'
import { resolveByTheBook } from './testing/reference.ts'
import { RoomStory } from './testing/room-story.ts'

const TOPIC = 'm.room.topic'
const LEVELS = 'm.room.power_levels'
const BASE = ['create', 'alice', 'levels', 'public', 'bob']

function founded(version: RoomVersion): RoomStory {
  const alice = ROOM_VERSIONS[version].auth.privilegedCreators ? {} : { '@alice:a': 100 }
  return new RoomStory(version)
    .member('alice', '@alice:a', 'join', ['create'])
    .levels('levels', '@alice:a', { ...alice, '@bob:b': 50 }, ['create', 'alice'])
    .tell({
      name: 'public',
      type: 'm.room.join_rules',
      by: '@alice:a',
      content: { join_rule: 'public' },
      after: ['create', 'alice', 'levels'],
    })
    .member('bob', '@bob:b', 'join', ['create', 'alice', 'levels', 'public'])
}

describe('state map keys', () => {
  it('are unambiguous and can be split', () => {
    for (const [type, stateKey] of [
      ['m.room.topic', ''],
      ['a', 'b:c'],
      ['1:a', ''],
      ['', '1:a'],
      ['a\0', '\0b'],
    ] as const) {
      assert.deepEqual(splitStateMapKey(stateMapKey(type, stateKey)), { type, stateKey })
    }
    assert.notEqual(stateMapKey('a', 'b'), stateMapKey('ab', ''))
  })
})

describe('5.4 separating states', () => {
  const map = (...pairs: [string, string][]): StateMap =>
    new Map(pairs.map(([type, id]) => [stateMapKey(type, ''), id as EventId]))
  const sets = [map(['a', '$1'], ['b', '$2'], ['c', '$3']), map(['a', '$1'], ['b', '$4'])]
  it('v2: a key missing from one state is in conflict', () => {
    const { unconflicted, conflicted } = separateStates(ROOM_VERSIONS['2'], sets)
    assert.deepEqual(unconflicted, map(['a', '$1']))
    assert.deepEqual(conflicted, [map(['b', '$2'], ['c', '$3']), map(['b', '$4'])])
  })
  it('v1: only different events are in conflict, the rest is the union', () => {
    const { unconflicted, conflicted } = separateStates(ROOM_VERSIONS['1'], sets)
    assert.deepEqual(unconflicted, map(['a', '$1'], ['c', '$3']))
    assert.deepEqual(conflicted, [map(['b', '$2']), map(['b', '$4'])])
  })
})

describe('what needs no resolution', () => {
  const story = founded('11')
  const facts = factsOf(new Map())
  it('no state at all is a mistake', () => {
    assert.throws(() => resolveState(story, [], facts), RangeError)
  })
  it('one state, or equal ones, are the answer', () => {
    const state = story.state(...BASE)
    const alone = resolveState(story, [state, state], facts)
    assert.ok('done' in alone)
    assert.equal(alone.done, state, 'the very same map, without a look at its entries')
    assert.deepEqual(resolveState(story, [state, story.state(...BASE)], facts), { done: state })
  })
})

describe('5.4 state resolution v1', () => {
  const topics = (...told: { name: string; by?: string; depth: number; id?: string }[]): RoomStory =>
    told.reduce(
      (story, one) =>
        story.tell({
          name: one.name,
          type: TOPIC,
          by: one.by ?? '@alice:a',
          after: BASE,
          depth: one.depth,
          id: one.id ?? `$${one.name}`,
        }),
      founded('1'),
    )
  const resolve = (story: RoomStory, ...names: string[]): Record<string, string> => {
    const sets = names.map((name) => story.state(...BASE, name))
    const answer = story.resolve(...sets)
    assert.deepEqual(answer, story.resolve(...sets.reverse()))
    assert.deepEqual(answer, story.byTheBook('deployed', ...sets))
    return answer
  }

  it('a key in one state only is no conflict', () => {
    const story = topics({ name: 'x', depth: 5 })
    assert.equal(story.resolve(story.state(...BASE, 'x'), story.state(...BASE))[TOPIC], 'x')
  })
  it('the greatest depth wins among other events, then the lowest sha1 of the id', () => {
    assert.equal(resolve(topics({ name: 'x', depth: 5 }, { name: 'y', depth: 6 }), 'x', 'y')[TOPIC], 'y')
    const tie = topics({ name: 'x', depth: 5, id: '$b' }, { name: 'y', depth: 5, id: '$a' })
    assert.ok(hash('sha1', '$a') > hash('sha1', '$b'))
    assert.equal(resolve(tie, 'x', 'y')[TOPIC], 'x')
  })
  it('the power levels walk up by depth and stop at the first that is not allowed', () => {
    const story = founded('1')
    const lower = { '@alice:a': 100, '@bob:b': 0 }
    story
      .tell({ name: 'p1', type: LEVELS, by: '@alice:a', content: { users: lower }, after: BASE, depth: 10 })
      .tell({
        name: 'p2',
        type: LEVELS,
        by: '@bob:b',
        content: { users: { '@alice:a': 100, '@bob:b': 50 }, ban: 40 },
        after: BASE,
        depth: 11,
      })
      .tell({
        name: 'p3',
        type: LEVELS,
        by: '@alice:a',
        content: { users: { '@alice:a': 100 } },
        after: BASE,
        depth: 12,
      })
    assert.equal(resolve(story, 'p1', 'p2', 'p3')[LEVELS], 'p1')
    assert.equal(resolve(story, 'p1', 'p3')[LEVELS], 'p3')
  })
  it('members and join rules are resolved after the power levels, each key by itself', () => {
    const story = founded('1')
    story
      .member('bob leaves', '@bob:b', 'leave', BASE)
      .member('ban', '@bob:b', 'ban', BASE, '@alice:a')
      .tell({
        name: 'invite',
        type: 'm.room.join_rules',
        by: '@alice:a',
        content: { join_rule: 'invite' },
        after: BASE,
      })
      .tell({ name: 'x', type: TOPIC, by: '@bob:b', after: BASE })
    const side = BASE.filter((name) => name !== 'bob' && name !== 'public')
    const answer = story.resolve(
      story.state(...side, 'public', 'bob leaves'),
      story.state(...side, 'invite', 'ban'),
      story.state(...side, 'public', 'bob', 'x'),
    )
    assert.equal(answer['m.room.join_rules'], 'invite')
    // Leave and then ban are allowed one after the other; the topic stands in one state only.
    assert.equal(answer['m.room.member|@bob:b'], 'ban')
    assert.equal(answer[TOPIC], 'x')
  })
  it('if no event is allowed, the one of least depth stays', () => {
    const story = topics({ name: 'x', depth: 5, by: '@bob:b' }, { name: 'y', depth: 6, by: '@bob:b' })
    story.member('ban', '@bob:b', 'ban', BASE, '@alice:a')
    const side = BASE.filter((name) => name !== 'bob')
    const answer = story.resolve(story.state(...side, 'ban', 'x'), story.state(...side, 'ban', 'y'))
    assert.equal(answer[TOPIC], 'x')
  })
  it('adv-8: depths up to 2^63-1 are compared exactly and decide nothing else', () => {
    const story = topics({ name: 'x', depth: 5 }, { name: 'y', depth: 5 })
    const deepen = (name: string, depth: string): void => {
      const event = story.events.get(story.id(name)) as Pdu
      const json: JsonObject = { ...event.json, depth: new NumberToken(depth) }
      story.events.set(event.eventId, { ...event, depth: Number.MAX_SAFE_INTEGER, json })
    }
    deepen('x', '9223372036854775807')
    deepen('y', '9223372036854775806')
    assert.equal(story.resolve(story.state(...BASE, 'x'), story.state(...BASE, 'y'))[TOPIC], 'x')
    deepen('x', '9223372036854775805')
    assert.equal(story.resolve(story.state(...BASE, 'x'), story.state(...BASE, 'y'))[TOPIC], 'y')
    deepen('x', '9223372036854775807')
    deepen('y', '1.5e300')
    assert.equal(story.resolve(story.state(...BASE, 'x'), story.state(...BASE, 'y'))[TOPIC], 'x')
  })
  it('asks for the events in conflict and then for those they need', () => {
    const story = topics({ name: 'x', depth: 5 }, { name: 'y', depth: 6 })
    const sets = [story.state(...BASE, 'x'), story.state(...BASE, 'y')]
    const loaded = new Map<EventId, Pdu>()
    const facts = { event: (id: EventId) => loaded.get(id), rejection: () => undefined }
    const needs: number[] = []
    for (;;) {
      const answer = resolveState(story, sets, facts)
      if ('done' in answer) break
      needs.push(answer.need.length)
      for (const id of answer.need) loaded.set(id, story.events.get(id) as Pdu)
    }
    assert.equal(needs[0], 2)
    assert.ok(needs.length <= 4)
    assert.ok(!loaded.has(story.id('bob')))
  })
})

describe('5.4 rejected events', () => {
  const rejected = (version: RoomVersion, rejection: Rejection): [RoomStory, StateMap, StateMap] => {
    const story = founded(version)
    story
      .tell({ name: 'x', type: TOPIC, by: '@alice:a', after: BASE })
      .tell({ name: 'y', type: TOPIC, by: '@alice:a', after: BASE, rejection })
    return [story, story.state(...BASE, 'x'), story.state(...BASE, 'y')]
  }
  for (const version of ['1', '2', '11', '12'] as const) {
    it(`adv-4: an event rejected by its auth events never enters the state, v${version}`, () => {
      const [story, a, b] = rejected(version, 'by-auth-events')
      assert.equal(story.resolve(a, b)[TOPIC], 'x')
    })
    it(`an event rejected by the state before it takes part, v${version}`, () => {
      const [story, a, b] = rejected(version, 'by-state')
      assert.equal(story.resolve(a, b)[TOPIC], 'y')
    })
  }
  it('a rejected auth event authorises nothing in place of missing state', () => {
    const story = founded('12').tell({ name: 'x', type: TOPIC, by: '@bob:b', after: BASE })
    const sets = [story.state(...BASE, 'x'), story.state(...BASE)]
    assert.equal(story.resolve(...sets)[TOPIC], 'x')
    story.rejections.set(story.id('bob'), 'by-state')
    assert.equal(story.resolve(...sets)[TOPIC], undefined)
    assert.equal(story.byTheBook('deployed', ...sets)[TOPIC], undefined)
  })
})

describe("5.4 the power of an event's sender", () => {
  const power = (content: JsonObject, sender = '@bob:b', version: RoomVersion = '2'): Level => {
    const story = founded(version)
    const event = story.events.get(story.id('public')) as Pdu
    const levels = story.events.get(story.id('levels')) as Pdu
    story.events.set(levels.eventId, { ...levels, content })
    const asker = new Asker(factsOf(story.events), story.roomId)
    return senderPower({ ...event, sender: sender as Pdu['sender'] }, asker)
  }
  it('is read from its own auth events', () => {
    assert.equal(power({ users: { '@bob:b': 7 } }), 7)
    assert.equal(power({ users: {}, users_default: '3' }), 3)
    assert.equal(power({}), 0)
  })
  it('is 0 without a create event among them', () => {
    const story = founded('2')
    const bob = story.events.get(story.id('bob')) as Pdu
    const asker = new Asker(factsOf(story.events), story.roomId)
    const authEvents = bob.authEvents.filter((id) => id !== story.id('create'))
    assert.equal(senderPower({ ...bob, authEvents }, asker), 0)
  })
  it('is infinite for a creator in v12', () => {
    assert.equal(power({}, '@alice:a', '12'), Number.POSITIVE_INFINITY)
    assert.equal(power({ users: { '@bob:b': 7 } }, '@bob:b', '12'), 7)
  })
  it('is below all others when it cannot be read', () => {
    assert.equal(power({ users: { '@bob:b': 'many' } }), Number.NEGATIVE_INFINITY)
    assert.equal(power({ users: [] }), Number.NEGATIVE_INFINITY)
  })
})

describe('events that cannot take part', () => {
  const resolve = (story: RoomStory, ...sets: StateMap[]): Record<string, string> => story.resolve(...sets)
  const replace = (story: RoomStory, name: string, fields: Partial<EventFields>): void => {
    const event = story.events.get(story.id(name)) as Pdu
    const made = makeEvent({
      id: event.eventId,
      type: event.type,
      sender: event.sender,
      content: event.content,
      auth: event.authEvents,
      prev: event.prevEvents,
      ts: event.originServerTs,
      roomId: event.roomId,
      rules: event.rules,
      ...(event.stateKey === undefined || 'message' in fields ? {} : { stateKey: event.stateKey }),
      ...fields,
    })
    story.events.set(event.eventId, made)
  }
  const twoTopics = (version: RoomVersion): [RoomStory, StateMap, StateMap] => {
    const story = founded(version)
    story.tell({ name: 'x', type: TOPIC, by: '@alice:a', after: BASE })
    story.tell({ name: 'y', type: TOPIC, by: '@alice:a', after: BASE })
    return [story, story.state(...BASE, 'x'), story.state(...BASE, 'y')]
  }

  for (const version of ['2', '12'] as const) {
    it(`adv-11: events of another room, v${version}`, () => {
      const [story, a, b] = twoTopics(version)
      replace(story, 'y', { roomId: '!other:a' })
      assert.equal(resolve(story, a, b)[TOPIC], 'x')
    })
    it(`adv-44: events without a state key, v${version}`, () => {
      const [story, a, b] = twoTopics(version)
      const before = Object.keys(resolve(story, a, b)).sort()
      replace(story, 'y', { message: true } as Partial<EventFields>)
      const answer = resolve(story, a, b)
      assert.equal(answer[TOPIC], 'x')
      assert.deepEqual(Object.keys(answer).sort(), before)
    })
    it(`adv-17: events that nobody has any more, v${version}`, () => {
      const [story, a, b] = twoTopics(version)
      story.events.delete(story.id('y'))
      assert.equal(resolve(story, a, b)[TOPIC], 'x')
      story.events.delete(story.id('create'))
      assert.equal(resolve(story, a, b)[TOPIC], undefined)
    })
  }
  it('in version 1 they leave the other conflicts of their state alone', () => {
    const story = founded('1')
    const levels = (ban: number): JsonObject => ({ users: { '@alice:a': 100 }, ban })
    story
      .tell({ name: 'x', type: TOPIC, by: '@alice:a', after: BASE })
      .tell({ name: 'y', type: TOPIC, by: '@alice:a', after: BASE })
      .tell({ name: 'p', type: LEVELS, by: '@alice:a', content: levels(60), after: BASE })
      .tell({ name: 'q', type: LEVELS, by: '@alice:a', content: levels(70), after: BASE })
    replace(story, 'y', { roomId: '!other:a' })
    const rest = BASE.filter((name) => name !== 'levels')
    const answer = resolve(story, story.state(...rest, 'x', 'p'), story.state(...rest, 'y', 'q'))
    assert.deepEqual([answer[TOPIC], answer[LEVELS]], ['x', 'q'])
  })
  it('unobtainable auth events are passed over', () => {
    const [story, a, b] = twoTopics('11')
    const y = story.events.get(story.id('y')) as Pdu
    replace(story, 'y', { auth: [...y.authEvents, '$gone'] })
    assert.equal(resolve(story, a, b)[TOPIC], 'y')
  })
})

/** A room of plain events, for shapes that no honest server makes. */
class Raw {
  readonly events = new Map<EventId, Pdu>()
  readonly roomId = '!room:a' as RoomId
  readonly rules = ROOM_VERSIONS['2']
  reads = 0

  constructor() {
    this.add({ id: '$create', type: 'm.room.create', stateKey: '', content: { creator: '@a:a' } })
    this.add({
      id: '$join',
      type: 'm.room.member',
      stateKey: '@a:a',
      content: { membership: 'join' },
      auth: ['$create'],
      prev: ['$create'],
    })
    this.add({
      id: '$levels',
      type: LEVELS,
      stateKey: '',
      content: { users: { '@a:a': 100 } },
      auth: ['$create', '$join'],
    })
  }

  add(fields: Partial<EventFields> & { id: string; type: string }): EventId {
    const event = makeEvent({ sender: '@a:a', rules: this.rules, roomId: this.roomId, ...fields })
    this.events.set(event.eventId, event)
    return event.eventId
  }

  state(...ids: string[]): StateMap {
    return new Map(
      ['$create', '$join', '$levels', ...ids].map((id) => {
        const event = this.events.get(id as EventId) as Pdu
        return [stateMapKey(event.type, event.stateKey as string), event.eventId] as const
      }),
    )
  }

  resolve(version: 'v2' | 'v2.1', ...sets: StateMap[]): StateMap {
    this.reads = 0
    const facts = factsOf(this.events)
    const counting = {
      ...facts,
      event: (id: EventId) => {
        this.reads += 1
        return facts.event(id)
      },
    }
    const rules = { ...this.rules, stateResolution: version }
    const answer = resolveState({ rules, roomId: this.roomId }, sets, counting)
    assert.ok('done' in answer)
    return answer.done
  }
}

describe('adv-13: cycles', () => {
  for (const version of ['v2', 'v2.1'] as const) {
    it(`of auth events end, and the answer is the one of the book, ${version}`, () => {
      const raw = new Raw()
      const auth = ['$create', '$join']
      // Event ids of v1 and v2 are chosen by the sender, so two events can name each other.
      raw.add({
        id: '$p1',
        type: LEVELS,
        stateKey: '',
        content: { users: { '@a:a': 99 } },
        auth: [...auth, '$p2'],
      })
      raw.add({
        id: '$p2',
        type: LEVELS,
        stateKey: '',
        content: { users: { '@a:a': 98 } },
        auth: [...auth, '$p1'],
      })
      raw.add({
        id: '$p3',
        type: LEVELS,
        stateKey: '',
        content: { users: { '@a:a': 97 } },
        auth: [...auth, '$p3'],
      })
      raw.add({ id: '$t1', type: TOPIC, stateKey: '', auth: [...auth, '$p1'], ts: 1 })
      raw.add({ id: '$t2', type: TOPIC, stateKey: '', auth: [...auth, '$p3'], ts: 2 })
      raw.add({ id: '$t3', type: TOPIC, stateKey: '', auth: [...auth, '$levels'], ts: 0 })
      const sets = [raw.state('$p1', '$t1'), raw.state('$p2', '$t2'), raw.state('$p3', '$t3')]
      const book = { events: raw.events, rejections: new Map<EventId, Rejection>(), roomId: raw.roomId }
      const answer = raw.resolve(version, ...sets)
      assert.deepEqual(
        new Map([...answer].sort()),
        new Map([...resolveByTheBook(version, book, sets)].sort()),
      )
      assert.deepEqual(
        new Map([...raw.resolve(version, ...sets.reverse())].sort()),
        new Map([...answer].sort()),
      )
    })
  }
})

describe('hostile sizes: the work grows with the number of events', () => {
  const READS_PER_EVENT_MAX = 60

  it('20,000 power events', () => {
    const raw = new Raw()
    const auth = ['$create', '$join', '$levels']
    const bans = Array.from({ length: 20_000 }, (_, i) => {
      const target = `@u${i}:b`
      return raw.add({
        id: `$ban${i}`,
        type: 'm.room.member',
        stateKey: target,
        content: { membership: 'ban' },
        auth,
        ts: i % 7,
      })
    })
    for (const version of ['v2', 'v2.1'] as const) {
      const answer = raw.resolve(version, raw.state(...bans), raw.state())
      assert.equal(answer.size, 20_003)
      assert.ok(raw.reads < READS_PER_EVENT_MAX * raw.events.size, `${raw.reads} reads`)
    }
  })

  it('adv-47: a chain of 10,000 power levels, and topics that hang on it', () => {
    const raw = new Raw()
    let last = '$levels'
    const topics: string[] = []
    for (let i = 0; i < 10_000; i += 1) {
      const content = { users: { '@a:a': 100 }, events: { x: i % 100 } }
      last = raw.add({
        id: `$p${i}`,
        type: LEVELS,
        stateKey: '',
        content,
        auth: ['$create', '$join', last],
        ts: 10_000 - i,
      })
      if (i % 5 === 0) {
        topics.push(
          raw.add({
            id: `$t${i}`,
            type: 'topic',
            stateKey: `${i}`,
            auth: ['$create', '$join', last],
            ts: -i,
          }),
        )
      }
    }
    for (const version of ['v2', 'v2.1'] as const) {
      const answer = raw.resolve(version, raw.state(last, ...topics), raw.state())
      assert.equal(answer.get(stateMapKey(LEVELS, '')), '$p9999')
      assert.equal(answer.size, 3 + topics.length)
      assert.ok(raw.reads < READS_PER_EVENT_MAX * raw.events.size, `${raw.reads} reads`)
    }
  })

  it('adv-8: depths and times at the extremes', () => {
    const raw = new Raw()
    const auth = ['$create', '$join', '$levels']
    const values = [Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER, 0, 1]
    const sets = values.map((value, i) =>
      raw.state(raw.add({ id: `$t${i}`, type: TOPIC, stateKey: '', auth, ts: value, depth: value })),
    )
    assert.equal(raw.resolve('v2', ...sets).get(stateMapKey(TOPIC, '')), '$t0')
  })

  it('one answer asks for RESOLUTION_NEED_MAX events at most', () => {
    const ids = Array.from({ length: 3000 }, (_, i) => `$e${i}` as EventId)
    const set: StateMap = new Map(ids.map((id, i) => [stateMapKey('x', `${i}`), id]))
    const facts = { event: () => undefined, rejection: () => undefined }
    const answer = resolveState(new RoomStory('11'), [set, new Map()], facts)
    assert.ok('need' in answer)
    assert.equal(answer.need.length, RESOLUTION_NEED_MAX)
  })
})

describe('adv-24: an index of auth events', () => {
  it('may itself lack events, which are asked for', () => {
    const story = founded('11').tell({ name: 'x', type: TOPIC, by: '@alice:a', after: BASE })
    const sets = [story.state(...BASE, 'x'), story.state(...BASE)]
    const facts = { ...factsOf(story.events), authEvents: () => undefined }
    assert.deepEqual(resolveState(story, sets, facts), { need: [story.id('x')] })
  })
  it('gives the same answer, and bodies of the common past are not asked for', () => {
    const story = founded('11')
    story.tell({ name: 'x', type: TOPIC, by: '@alice:a', after: BASE })
    story.tell({ name: 'y', type: TOPIC, by: '@bob:b', after: BASE })
    const sets = [story.state(...BASE, 'x'), story.state(...BASE, 'y')]
    const asked = new Set<EventId>()
    const facts = {
      event: (id: EventId) => {
        asked.add(id)
        return story.events.get(id)
      },
      authEvents: (id: EventId) => story.events.get(id)?.authEvents,
      rejection: () => undefined,
    }
    const answer = resolveConflicts(story, separateStates(story.rules, sets), facts)
    assert.ok('done' in answer)
    assert.deepEqual([...answer.done.values()], [story.id('y')])
    assert.ok(!asked.has(story.id('public')))
    assert.deepEqual(
      resolveConflicts(story, separateStates(story.rules, sets), factsOf(story.events)),
      answer,
    )
  })
})
