/**
 * Named scenarios, among them the state resets that MSC4297 describes: states that a faulty or malicious server
 * gave with older events in them must not bring those events back.
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RoomVersion } from '../room-version/rules.ts'
import type { StateMap } from './state-map.ts'
import { RoomStory } from './testing/room-story.ts'

const JOIN_RULES = 'm.room.join_rules'
const LEVELS = 'm.room.power_levels'
const TOPIC = 'm.room.topic'

/** Alice founds, bob and carol join; in v12 alice has no entry in the power levels. */
function founded(version: RoomVersion): RoomStory {
  const story = new RoomStory(version)
  const alice = version === '12' ? {} : { '@alice:a': 100 }
  const start = ['create', 'alice', 'levels', 'public']
  return story
    .member('alice', '@alice:a', 'join', ['create'])
    .levels('levels', '@alice:a', alice, ['create', 'alice'])
    .tell({
      name: 'public',
      type: JOIN_RULES,
      by: '@alice:a',
      content: { join_rule: 'public' },
      after: ['create', 'alice', 'levels'],
    })
    .member('bob', '@bob:b', 'join', start)
    .member('carol', '@carol:c', 'join', start)
}

/** The answer, which the letter of the specification must give too. */
function resolveBothWays(story: RoomStory, ...sets: StateMap[]): Record<string, string> {
  const answer = story.resolve(...sets)
  assert.deepEqual(story.byTheBook('text', ...sets), answer)
  return answer
}

/** An outdated join rules event in one state, after everybody saw the newer one and alice left. */
function problemA(version: RoomVersion): Record<string, string> {
  const story = founded(version)
  const base = ['create', 'alice', 'levels', 'public', 'bob', 'carol']
  story
    .tell({ name: 'invite', type: JOIN_RULES, by: '@alice:a', content: { join_rule: 'invite' }, after: base })
    .member('alice leaves', '@alice:a', 'leave', [...base, 'invite'])
  const now = ['create', 'levels', 'bob', 'carol', 'alice leaves']
  return resolveBothWays(story, story.state(...now, 'invite'), story.state(...now, 'public'))
}

/** An outdated power levels event in one state; charlie's promotion depends on bob's, which both have seen. */
function problemB(version: RoomVersion): Record<string, string> {
  const story = founded(version)
  const alice = version === '12' ? {} : { '@alice:a': 100 }
  const base = ['create', 'alice', 'levels', 'public', 'bob', 'carol']
  story
    .levels('bob is admin', '@alice:a', { ...alice, '@bob:b': 99 }, base)
    .levels('carol is moderator', '@bob:b', { ...alice, '@bob:b': 99, '@carol:c': 50 }, [
      ...base,
      'bob is admin',
    ])
  const both = ['create', 'alice', 'public', 'bob', 'carol']
  // Both forks have seen the newest levels by their auth chains: each has a member event that cites them.
  story.member('carol again', '@carol:c', 'join', [...both, 'carol is moderator']).tell({
    name: 'topic',
    type: TOPIC,
    by: '@carol:c',
    after: [...both, 'carol again', 'carol is moderator'],
  })
  const shared = ['create', 'alice', 'public', 'bob', 'carol again', 'topic']
  return resolveBothWays(
    story,
    story.state(...shared, 'carol is moderator'),
    story.state(...shared, 'levels'),
  )
}

describe('5.1.3, adv-1: MSC4297 problem A, conflicting events unauthorised by the unconflicted state', () => {
  it('v11 loses the join rules, as the algorithm of its version says', () => {
    assert.equal(problemA('11')[JOIN_RULES], undefined)
  })
  it('v12 keeps the newest join rules', () => {
    assert.equal(problemA('12')[JOIN_RULES], 'invite')
    assert.equal(problemA('12')['m.room.member|@alice:a'], 'alice leaves')
  })
})

describe('5.1.3, 5.4 (v2.1 subgraph), adv-1: MSC4297 problem B, conflicting events that need unconflicted events between them', () => {
  it('v11 falls back to the old power levels, as the algorithm of its version says', () => {
    assert.equal(problemB('11')[LEVELS], 'levels')
  })
  it('v12 replays what lies between and keeps the newest power levels', () => {
    assert.equal(problemB('12')[LEVELS], 'carol is moderator')
  })
})

describe('5.4 resolution v2: who wins', () => {
  for (const version of ['2', '6', '11', '12'] as const) {
    const base = ['create', 'alice', 'levels', 'public', 'bob', 'carol']
    it(`a ban beats what the banned user sent at the same time, v${version}`, () => {
      const story = founded(version)
        .member('ban', '@bob:b', 'ban', base, '@alice:a')
        .levels('open', '@alice:a', version === '12' ? {} : { '@alice:a': 100 }, base, { state_default: 0 })
      story.tell({ name: 'topic', type: TOPIC, by: '@bob:b', after: [...base, 'open'] })
      const resolved = story.resolve(story.state(...base, 'open', 'topic'), story.state(...base, 'ban'))
      assert.equal(resolved['m.room.member|@bob:b'], 'ban')
      assert.equal(resolved[TOPIC], undefined)
      assert.equal(resolved[LEVELS], 'open')
    })

    it(`a demotion beats the use of the power at the same time, v${version}`, () => {
      const alice = version === '12' ? {} : { '@alice:a': 100 }
      const story = founded(version).levels('promote', '@alice:a', { ...alice, '@bob:b': 50 }, base)
      const promoted = [...base, 'promote']
      story.levels('demote', '@alice:a', { ...alice, '@bob:b': 0 }, promoted)
      story.tell({ name: 'topic', type: TOPIC, by: '@bob:b', after: promoted, ts: 1 })
      const resolved = story.resolve(story.state(...promoted, 'topic'), story.state(...promoted, 'demote'))
      assert.equal(resolved[LEVELS], 'demote')
      assert.equal(resolved[TOPIC], undefined)
    })

    it(`mainline: a topic under newer power levels beats a later one under older, v${version}`, () => {
      const alice = version === '12' ? {} : { '@alice:a': 100 }
      const story = founded(version).levels('newer', '@alice:a', { ...alice, '@bob:b': 50 }, base)
      story
        .tell({ name: 'under newer', type: TOPIC, by: '@bob:b', after: [...base, 'newer'], ts: 500 })
        .tell({ name: 'under older', type: TOPIC, by: '@alice:a', after: base, ts: 900 })
      const resolved = story.resolve(
        story.state(...base, 'newer', 'under newer'),
        story.state(...base, 'under older'),
      )
      assert.equal(resolved[TOPIC], 'under newer')
    })

    it(`a key missing from one state is in conflict, v${version}`, () => {
      const story = founded(version)
      story.member('bob leaves', '@bob:b', 'leave', base)
      const gone = ['create', 'alice', 'levels', 'public', 'carol', 'bob leaves']
      story.tell({ name: 'topic', type: TOPIC, by: '@alice:a', after: base })
      const resolved = story.resolve(story.state(...base, 'topic'), story.state(...gone))
      assert.equal(resolved[TOPIC], 'topic')
      assert.equal(resolved['m.room.member|@bob:b'], 'bob leaves')
    })
  }

  it('the auth difference includes events that stand in no state', () => {
    // Bob was banned and unbanned on one side; the other side's topic by bob must survive, the ban must count.
    const base = ['create', 'alice', 'levels', 'public', 'bob', 'carol']
    const story = founded('11')
      .member('ban', '@bob:b', 'ban', base, '@alice:a')
      .member('unban', '@bob:b', 'leave', [...base, 'ban'], '@alice:a')
    story.levels('open', '@alice:a', { '@alice:a': 100 }, base, { state_default: 0 })
    story.tell({ name: 'topic', type: TOPIC, by: '@bob:b', after: [...base, 'open'], ts: 1 })
    const resolved = story.resolve(story.state(...base, 'open', 'topic'), story.state(...base, 'unban'))
    assert.equal(resolved['m.room.member|@bob:b'], 'unban')
    assert.equal(resolved[TOPIC], undefined)
  })

  it('a resolved key that no state had can appear', () => {
    const base = ['create', 'alice', 'levels', 'public', 'bob', 'carol']
    const story = founded('11').member('dave', '@dave:d', 'join', base)
    story.levels('by dave', '@alice:a', { '@alice:a': 100, '@dave:d': 50 }, [...base, 'dave'])
    story.tell({ name: 'topic', type: TOPIC, by: '@dave:d', after: [...base, 'dave', 'by dave'] })
    // Dave's join is in the auth chain of his topic, yet missing from both states.
    const resolved = story.resolve(story.state(...base, 'by dave', 'topic'), story.state(...base))
    assert.equal(resolved['m.room.member|@dave:d'], 'dave')
    assert.equal(resolved[TOPIC], 'topic')
  })
})

describe('5.4 sorting', () => {
  const base = ['create', 'alice', 'levels', 'public', 'bob', 'carol']
  const winner = (
    tell: (story: RoomStory) => RoomStory,
    names: readonly [string, string],
    key: string,
  ): string | undefined => {
    const story = tell(founded('11'))
    const [a, b] = names
    const answer = story.resolve(story.state(...base, a), story.state(...base, b))
    assert.deepEqual(answer, story.resolve(story.state(...base, b), story.state(...base, a)))
    return answer[key]
  }
  const topics =
    (...told: { name: string; ts: number; id?: string }[]) =>
    (story: RoomStory) =>
      told.reduce((s, one) => s.tell({ ...one, type: TOPIC, by: '@alice:a', after: base }), story)

  it('ties by origin_server_ts, then by event id; the later one is applied last', () => {
    const byTime = topics({ name: 'x', ts: 5 }, { name: 'y', ts: 4 })
    assert.equal(winner(byTime, ['x', 'y'], TOPIC), 'x')
    const byId = topics({ name: 'x', ts: 5, id: '$b' }, { name: 'y', ts: 5, id: '$a' })
    assert.equal(winner(byId, ['x', 'y'], TOPIC), 'x')
  })
  it('ids are compared by code point, not by UTF-16 unit', () => {
    const byId = topics({ name: 'x', ts: 5, id: '$\u{1f600}' }, { name: 'y', ts: 5, id: '$\uffee' })
    assert.equal(winner(byId, ['x', 'y'], TOPIC), 'x')
  })
  it('power events: greater power comes first, whatever the time', () => {
    const story = founded('11').levels('bob 50', '@alice:a', { '@alice:a': 100, '@bob:b': 50 }, base)
    const now = [...base, 'bob 50']
    story.tell({
      name: 'by alice',
      type: JOIN_RULES,
      by: '@alice:a',
      content: { join_rule: 'invite' },
      after: now,
      ts: 9,
    })
    story.tell({
      name: 'by bob',
      type: JOIN_RULES,
      by: '@bob:b',
      content: { join_rule: 'invite' },
      after: now,
      ts: 1,
    })
    const answer = story.resolve(story.state(...now, 'by alice'), story.state(...now, 'by bob'))
    assert.equal(answer[JOIN_RULES], 'by bob')
  })
})
