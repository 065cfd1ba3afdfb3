import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { factsOf } from '#/protocol/state/facts.ts'
import { resolveState } from '#/protocol/state/resolve.ts'
import type { StateMap } from '#/protocol/state/state-map.ts'
import { explain, KNOWN_DIVERGENCES } from './known-divergences.ts'
import { readRooms, type VectorRoom } from './read-rooms.ts'

const ROOMS_MIN = 1000

const sorted = (state: StateMap): string => JSON.stringify([...state].sort(([a], [b]) => (a < b ? -1 : 1)))

function resolve(room: VectorRoom): StateMap {
  const answer = resolveState(room, room.sets, factsOf(room.events, room.rejections))
  assert.ok('done' in answer)
  return answer.done
}

describe("5.4 state resolution equals Synapse's library", () => {
  it('on random forked rooms of every version, or differs in a known way', (t) => {
    const byVersion = new Map<string, number>()
    const explained = new Map<string, number>()
    let events = 0
    let conflicts = 0
    for (const room of readRooms()) {
      const ours = resolve(room)
      events += room.events.size
      if (room.sets.some((set) => sorted(set) !== sorted(ours))) conflicts += 1
      byVersion.set(room.rules.version, (byVersion.get(room.rules.version) ?? 0) + 1)
      if (sorted(ours) === sorted(room.resolved)) continue
      const divergence = explain(room)
      assert.ok(divergence, `line ${room.line}, version ${room.rules.version}`)
      explained.set(divergence.name, (explained.get(divergence.name) ?? 0) + 1)
    }
    const rooms = [...byVersion.values()].reduce((sum, count) => sum + count, 0)
    t.diagnostic(`${rooms} rooms, ${events} events, ${conflicts} rooms with conflicts`)
    for (const { name } of KNOWN_DIVERGENCES) {
      t.diagnostic(`${explained.get(name) ?? 0} rooms differ: ${name}`)
      assert.ok(explained.has(name), `no room needs the entry: ${name}`)
    }
    assert.ok(rooms >= ROOMS_MIN)
    assert.equal(byVersion.size, 12)
    assert.ok(conflicts > rooms / 2)
  })
})
