import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Pdu } from '../event/pdu.ts'
import type { JsonValue } from '../json/value.ts'
import { makeEvent } from '../state/testing/make-event.ts'
import { STRIPPED_EVENTS_MAX } from './limits.ts'
import {
  hasCreateEvent,
  pruneStrippedState,
  STRIPPED_TYPES,
  stripEvent,
  stripMembership,
  strippedStateKeys,
  strippedStateOf,
} from './stripped-state.ts'

const create = makeEvent({ id: '$c', type: 'm.room.create', sender: '@a:x', stateKey: '', content: { a: 1 } })
const member = makeEvent({ id: '$m', type: 'm.room.member', sender: '@a:x', stateKey: '@a:x' })
const lookup = (type: string, stateKey: string): Pdu | undefined =>
  [member, create].find((event) => event.type === type && event.stateKey === stateKey)

describe('5.9, 5.11 stripped state', () => {
  it('asks for the seven types, and for the sender', () => {
    assert.equal(strippedStateKeys().length, STRIPPED_TYPES.length)
    assert.deepEqual(strippedStateKeys('@a:x').at(-1), ['m.room.member', '@a:x'])
  })
  it('holds what the state has, create event first', () => {
    assert.deepEqual(strippedStateOf(lookup), [create])
    assert.deepEqual(strippedStateOf(lookup, '@a:x'), [create, member])
    assert.deepEqual(strippedStateOf(lookup, '@b:x'), [create])
  })
  it('only sender, type, state_key and content are left', () => {
    const stripped = stripEvent(create)
    assert.deepEqual(stripped, {
      type: 'm.room.create',
      state_key: '',
      sender: '@a:x',
      content: { a: 1 },
    })
    assert.equal(hasCreateEvent([stripped]), true)
    assert.throws(() => stripEvent(makeEvent({ type: 'm.room.message', sender: '@a:x' })), TypeError)
  })
  it('the invite itself keeps its id and its time', () => {
    const { event_id: id, origin_server_ts: ts, ...rest } = stripMembership(member)
    assert.deepEqual([id, ts, rest], [member.eventId, member.originServerTs, stripEvent(member)])
  })
  it('the create event has an empty state key', () => {
    assert.equal(hasCreateEvent([]), false)
    assert.equal(hasCreateEvent([{ ...stripEvent(create), state_key: 'x' }]), false)
    assert.equal(hasCreateEvent([{ ...stripEvent(create), type: 'm.room.name' }]), false)
  })
  it("another server's answer is cut down, broken entries are left out", () => {
    const good = { type: 't', state_key: '', sender: '@a:x', content: {} }
    const received: JsonValue = [
      { ...good, event_id: '$x', signatures: {}, unsigned: { age: 1 } },
      null,
      'x',
      [],
      { ...good, type: 1 },
      { ...good, state_key: null },
      { type: 't', sender: '@a:x', content: {} },
      { ...good, sender: {} },
      { ...good, content: 'x' },
    ]
    assert.deepEqual(pruneStrippedState(received), [good])
    assert.deepEqual(pruneStrippedState(undefined), [])
    assert.deepEqual(pruneStrippedState({ 0: good }), [])
  })
  it('adv-37: no more than STRIPPED_EVENTS_MAX events are taken', () => {
    const good = { type: 't', state_key: '', sender: '@a:x', content: {} }
    const many = new Array<typeof good>(STRIPPED_EVENTS_MAX + 1).fill(good)
    assert.equal(pruneStrippedState(many).length, STRIPPED_EVENTS_MAX)
  })
})
