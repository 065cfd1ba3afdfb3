import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { EventId } from '../ids/event-id.ts'
import { ROOM_VERSIONS } from '../room-version/rules.ts'
import { factsOf, type ResolutionFacts } from './facts.ts'
import { resolveState } from './resolve.ts'
import type { StateMap } from './state-map.ts'
import { seededRandom } from './testing/random.ts'
import { makeRandomRoom, type RandomRoom } from './testing/random-room.ts'
import { type Reading, resolveByTheBook } from './testing/reference.ts'

/** MYELIN_RANDOM_ROOMS=100000 runs that many rooms, whatever the time. */
const WANTED = Number(process.env['MYELIN_RANDOM_ROOMS'] ?? 0)
const FIRST_SEED = Number(process.env['MYELIN_RANDOM_SEED'] ?? 1)
const BUDGET_MS = 6000
const ROOMS_MIN = 600

const VERSIONS = Object.values(ROOM_VERSIONS)

function fast(room: RandomRoom, sets: readonly StateMap[] = room.sets, facts?: ResolutionFacts): StateMap {
  const answer = resolveState(room, sets, facts ?? factsOf(room.events, room.rejections))
  assert.ok('done' in answer)
  return answer.done
}

function slow(room: RandomRoom, reading: Reading = 'deployed'): StateMap {
  return resolveByTheBook(room.rules.stateResolution, room, room.sets, reading)
}

const sorted = (state: StateMap): [string, EventId][] => [...state].sort(([a], [b]) => (a < b ? -1 : 1))

function roomOf(seed: number): RandomRoom {
  const rules = VERSIONS[seed % VERSIONS.length]!
  return makeRandomRoom({ seed, rules, eventsMax: seed % 7 === 0 ? 120 : 30 })
}

describe('5.4 state resolution on random rooms', () => {
  it('equals the specification written out, for every room version', (t) => {
    const end = performance.now() + BUDGET_MS
    let rooms = 0
    let conflicts = 0
    let byTheLetter = 0
    for (let seed = FIRST_SEED; WANTED > 0 ? rooms < WANTED : performance.now() < end; seed += 1) {
      const room = roomOf(seed)
      const answer = fast(room)
      assert.deepEqual(sorted(answer), sorted(slow(room)), `seed ${seed}, version ${room.rules.version}`)
      rooms += 1
      if (room.sets.some((set) => sorted(set).join() !== sorted(answer).join())) conflicts += 1
      if (room.rules.stateResolution !== 'v1') {
        if (sorted(slow(room, 'text')).join() !== sorted(answer).join()) byTheLetter += 1
      }
    }
    t.diagnostic(
      `${rooms} rooms, ${conflicts} with conflicts, ${byTheLetter} differ by the letter of the text`,
    )
    assert.ok(rooms >= ROOMS_MIN, `only ${rooms} rooms in the time`)
    assert.ok(conflicts > rooms / 2, `only ${conflicts} of ${rooms} rooms had conflicts`)
  })

  it('does not depend on the order or the number of equal states', () => {
    for (let seed = 1; seed <= 240; seed += 1) {
      const room = roomOf(seed)
      const random = seededRandom(seed)
      const shuffled = room.sets
        .map(
          (set) =>
            new Map(
              [...set]
                .map((entry) => ({ entry, at: random(1000) }))
                .sort((a, b) => a.at - b.at)
                .map(({ entry }) => entry),
            ),
        )
        .reverse()
      const expected = sorted(fast(room))
      assert.deepEqual(sorted(fast(room, shuffled)), expected)
      assert.deepEqual(sorted(fast(room, [...shuffled, ...room.sets])), expected)
    }
  })

  it('asks for what it lacks and ends with the same answer', () => {
    let asked = 0
    for (let seed = 1; seed <= 240; seed += 1) {
      const room = roomOf(seed)
      const loaded = new Set<EventId>()
      const facts: ResolutionFacts = {
        event: (id) => (loaded.has(id) ? (room.events.get(id) ?? null) : undefined),
        rejection: (id) => room.rejections.get(id),
        ...(seed % 2 === 0 ? { authEvents: (id) => room.events.get(id)?.authEvents ?? [] } : {}),
      }
      for (let rounds = 0; ; rounds += 1) {
        assert.ok(rounds < 1000, 'no end of asking')
        const answer = resolveState(room, room.sets, facts)
        if ('done' in answer) {
          assert.deepEqual(sorted(answer.done), sorted(fast(room)))
          break
        }
        assert.ok(answer.need.length > 0)
        for (const id of answer.need) {
          assert.equal(typeof id, 'string')
          assert.ok(!loaded.has(id), 'asks twice for the same event')
          loaded.add(id)
          asked += 1
        }
      }
    }
    assert.ok(asked > 1000)
  })
})
