import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Pdu, StateLookup } from '../event/pdu.ts'
import { type EventFields, makeEvent } from '../state/testing/make-event.ts'
import {
  type Around,
  canServerSee,
  canUserSee,
  type HistoryVisibility,
  membershipAround,
  readHistoryVisibility,
  readMembership,
  type VisibleMembership,
  visibilityAround,
} from './history-visibility.ts'

const VISIBILITIES: HistoryVisibility[] = ['world_readable', 'shared', 'invited', 'joined']
const MEMBERSHIPS: VisibleMembership[] = ['join', 'invite', 'knock', 'ban', 'leave']
const same = <T>(value: T): { before: T; after: T } => ({ before: value, after: value })

/** The specification's table, written out: who sees an ordinary event. */
const SEES: Record<HistoryVisibility, { now: VisibleMembership[]; joinedLater: VisibleMembership[] }> = {
  world_readable: { now: MEMBERSHIPS, joinedLater: MEMBERSHIPS },
  shared: { now: ['join'], joinedLater: MEMBERSHIPS },
  invited: { now: ['join', 'invite'], joinedLater: ['join', 'invite'] },
  joined: { now: ['join'], joinedLater: ['join'] },
}

describe('5.10 history visibility for users', () => {
  for (const visibility of VISIBILITIES) {
    for (const membership of MEMBERSHIPS) {
      for (const joinedLater of [false, true]) {
        const expected = SEES[visibility][joinedLater ? 'joinedLater' : 'now'].includes(membership)
        it(`adv-51: ${visibility}, ${membership}${joinedLater ? ', joined later' : ''}: ${expected}`, () => {
          const facts = { visibility: same(visibility), membership: same(membership), joinedLater }
          assert.equal(canUserSee(facts), expected)
        })
      }
    }
  }

  it('a change of the visibility is seen if the value before or after allows it', () => {
    const outsider = { membership: same<VisibleMembership>('leave'), joinedLater: false }
    const see = (before: HistoryVisibility, after: HistoryVisibility): boolean =>
      canUserSee({ visibility: { before, after }, ...outsider })
    assert.equal(see('world_readable', 'joined'), true)
    assert.equal(see('joined', 'world_readable'), true)
    assert.equal(see('joined', 'invited'), false)
  })

  it('an own member event is seen if the membership before or after allows it', () => {
    const see = (before: VisibleMembership, after: VisibleMembership): boolean =>
      canUserSee({ visibility: same('joined'), membership: { before, after }, joinedLater: false })
    assert.equal(see('leave', 'join'), true)
    assert.equal(see('join', 'leave'), true)
    assert.equal(see('join', 'ban'), true)
    assert.equal(see('leave', 'ban'), false)
    assert.equal(see('invite', 'leave'), false)
  })

  it('one combination of visibility and membership that allows is enough', () => {
    for (const [open, shut] of [
      ['before', 'after'],
      ['after', 'before'],
    ] as const) {
      const visibility = { [open]: 'invited', [shut]: 'joined' } as unknown as Around<HistoryVisibility>
      for (const [invited, gone] of [
        ['before', 'after'],
        ['after', 'before'],
      ] as const) {
        const membership = { [invited]: 'invite', [gone]: 'leave' } as unknown as Around<VisibleMembership>
        assert.equal(canUserSee({ visibility, membership, joinedLater: false }), true)
      }
    }
  })

  it('adv-52: nothing after the leave, unless the room is joined again or world-readable', () => {
    for (const visibility of ['shared', 'invited', 'joined'] as const) {
      const facts = { visibility: same(visibility), membership: same<VisibleMembership>('leave') }
      assert.equal(canUserSee({ ...facts, joinedLater: false }), false)
    }
  })
})

describe('5.10 the same filter for servers', () => {
  for (const visibility of VISIBILITIES) {
    for (const membership of MEMBERSHIPS) {
      for (const joinedLater of [false, true]) {
        const users = SEES[visibility][joinedLater ? 'joinedLater' : 'now']
        it(`adv-51: ${visibility}, users leave and ${membership}${joinedLater ? ', joined later' : ''}`, () => {
          const members = [same<VisibleMembership>('leave'), same(membership)]
          const facts = { visibility: same(visibility), members, joinedLater }
          assert.equal(canServerSee(facts), users.includes(membership) || users.includes('leave'))
        })
      }
    }
  }

  it('adv-51: a server that never had a user sees only world-readable events', () => {
    for (const visibility of VISIBILITIES) {
      const facts = { visibility: same(visibility), members: [], joinedLater: false }
      assert.equal(canServerSee(facts), visibility === 'world_readable')
    }
  })

  it('sees the joins and leaves of its own users', () => {
    const join = { before: 'leave', after: 'join' } as const
    const visibility = same<HistoryVisibility>('joined')
    assert.equal(canServerSee({ visibility, members: [join], joinedLater: false }), true)
    const leave = { before: 'join', after: 'leave' } as const
    assert.equal(canServerSee({ visibility, members: [leave], joinedLater: false }), true)
  })
})

describe('reading the facts from state', () => {
  const event = (fields: Partial<EventFields>): Pdu =>
    makeEvent({ type: 'm.room.message', sender: '@a:x', ...fields })
  const visibility = (value: unknown, stateKey = ''): Pdu =>
    event({ type: 'm.room.history_visibility', stateKey, content: { history_visibility: value as string } })
  const member = (user: string, membership: string): Pdu =>
    event({ type: 'm.room.member', stateKey: user, content: { membership } })
  const state =
    (...events: Pdu[]): StateLookup =>
    (type, key) =>
      events.find((item) => item.type === type && item.stateKey === key)

  it('default shared, also for unknown values and wrong types', () => {
    assert.equal(readHistoryVisibility(undefined), 'shared')
    assert.equal(readHistoryVisibility(visibility('secret')), 'shared')
    assert.equal(readHistoryVisibility(visibility(['joined'])), 'shared')
    assert.equal(readHistoryVisibility(event({ content: {} })), 'shared')
    for (const value of VISIBILITIES) assert.equal(readHistoryVisibility(visibility(value)), value)
  })

  it('membership leave without an event and for unknown values', () => {
    assert.equal(readMembership(undefined), 'leave')
    assert.equal(readMembership(member('@a:x', 'owner')), 'leave')
    for (const value of MEMBERSHIPS) assert.equal(readMembership(member('@a:x', value)), value)
  })

  it('only an m.room.history_visibility event with an empty key changes the visibility', () => {
    const before = state(visibility('joined'))
    const change = { before: 'joined', after: 'world_readable' }
    assert.deepEqual(visibilityAround(visibility('world_readable'), before), change)
    assert.deepEqual(visibilityAround(visibility('world_readable', 'x'), before), same('joined'))
    assert.deepEqual(visibilityAround(event({ stateKey: '' }), before), same('joined'))
    assert.deepEqual(visibilityAround(event({}), state()), same('shared'))
  })

  it("only the user's own member event changes the membership", () => {
    const before = state(member('@a:x', 'invite'))
    const change = { before: 'invite', after: 'join' }
    assert.deepEqual(membershipAround(member('@a:x', 'join'), '@a:x', before), change)
    assert.deepEqual(membershipAround(member('@b:x', 'join'), '@a:x', before), same('invite'))
    assert.deepEqual(membershipAround(event({ stateKey: '@a:x' }), '@a:x', before), same('invite'))
  })
})
