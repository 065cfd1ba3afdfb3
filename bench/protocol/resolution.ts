/**
 * How state resolution grows: two branches of a room whose members changed their names on both sides, with kicks and
 * changes of the power levels among them; beside Synapse's library on the same events.
 *
 *     node bench/protocol/resolution.ts [--python=venv/bin/python] [--sizes=10,100,1000,10000]
 *
 * Without --python (a virtual environment with matrix-synapse) only ours is measured. Results must be equal.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { parsePdu } from '#/protocol/event/parse.ts'
import type { Pdu } from '#/protocol/event/pdu.ts'
import type { EventId } from '#/protocol/ids/event-id.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import { ROOM_VERSIONS, type RoomVersion } from '#/protocol/room-version/rules.ts'
import { factsOf } from '#/protocol/state/facts.ts'
import { resolveState } from '#/protocol/state/resolve.ts'
import { type StateMap, type StateMapKey, stateMapKey } from '#/protocol/state/state-map.ts'

const ROUNDS = 5
/** Every so many conflicted events one is a kick, and a change of the power levels. */
const KICK_EVERY = 20

const { values: flags } = parseArgs({
  options: { python: { type: 'string' }, sizes: { type: 'string', default: '10,100,1000,10000' } },
})

interface Forked {
  readonly version: RoomVersion
  readonly events: Map<EventId, Pdu>
  readonly sets: StateMap[]
}

/** A room whose two states differ in about `conflicted` events. */
function fork(version: RoomVersion, conflicted: number): Forked {
  const rules = ROOM_VERSIONS[version]
  const events = new Map<EventId, Pdu>()
  let roomId = '!room:a'
  let ts = 1000
  const alice = '@alice:a'
  const member = (of: StateMap, user: string) => of.get(stateMapKey('m.room.member', user))
  const send = (
    state: Map<StateMapKey, EventId>,
    type: string,
    sender: string,
    key: string,
    content: JsonObject,
  ) => {
    const create = type === 'm.room.create'
    const auth = create
      ? []
      : [
          ...(rules.roomIdIsCreateHash ? [] : [state.get(stateMapKey('m.room.create', ''))]),
          state.get(stateMapKey('m.room.power_levels', '')),
          type === 'm.room.member' ? state.get(stateMapKey('m.room.join_rules', '')) : undefined,
          member(state, sender),
          type === 'm.room.member' && key !== sender ? member(state, key) : undefined,
        ].filter((id) => id !== undefined)
    ts += 1
    const json: JsonObject = {
      type,
      sender,
      state_key: key,
      content,
      origin_server_ts: ts,
      depth: ts,
      prev_events: create ? [] : [[...events.keys()].at(-1)!],
      auth_events: auth,
      hashes: { sha256: 'x' },
      signatures: {},
      ...(create && rules.roomIdIsCreateHash ? {} : { room_id: roomId }),
    }
    const parsed = parsePdu(rules, json)
    if (!parsed.ok) throw new Error(parsed.why)
    if (create) roomId = parsed.value.roomId
    events.set(parsed.value.eventId, parsed.value)
    state.set(stateMapKey(type, key), parsed.value.eventId)
  }
  const base = new Map<StateMapKey, EventId>()
  send(base, 'm.room.create', alice, '', { room_version: version })
  send(base, 'm.room.member', alice, alice, { membership: 'join' })
  send(base, 'm.room.power_levels', alice, '', { users: rules.roomIdIsCreateHash ? {} : { [alice]: 100 } })
  send(base, 'm.room.join_rules', alice, '', { join_rule: 'public' })
  const users = Array.from({ length: Math.max(1, Math.floor(conflicted / 2) - 1) }, (_, n) => `@user${n}:b`)
  for (const user of users) send(base, 'm.room.member', user, user, { membership: 'join' })
  const sets = ['left', 'right'].map((side, at) => {
    const state = new Map(base)
    for (const [n, user] of users.entries()) {
      if ((n + at) % KICK_EVERY === KICK_EVERY - 1) {
        send(state, 'm.room.member', alice, user, { membership: 'leave' })
      } else send(state, 'm.room.member', user, user, { membership: 'join', displayname: `${side} ${n}` })
      if (n % KICK_EVERY !== 0) continue
      const levels = rules.roomIdIsCreateHash ? { [user]: at } : { [alice]: 100, [user]: at }
      send(state, 'm.room.power_levels', alice, '', { users: levels })
    }
    return state
  })
  return { version, events, sets }
}

function ours({ version, events, sets }: Forked): { ms: number; resolved: string[] } {
  const first = events.values().next().value!
  const room = { rules: ROOM_VERSIONS[version], roomId: first.roomId }
  let ms = Number.POSITIVE_INFINITY
  let resolved: string[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const begun = performance.now()
    const answer = resolveState(room, sets, factsOf(events))
    ms = Math.min(ms, performance.now() - begun)
    if ('need' in answer) throw new Error('an event is missing')
    resolved = [...answer.done.values()].sort()
  }
  return { ms, resolved }
}

/** Synapse's time for the same, and its answer. */
function synapse(python: string, { version, events, sets }: Forked): { ms: number; resolved: string[] } {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-resolution-'))
  try {
    const file = join(folder, 'room.json')
    const states = sets.map((set) => [...set.values()])
    writeFileSync(
      file,
      JSON.stringify({ version, events: [...events.values()].map(({ json }) => json), states }),
    )
    const script = fileURLToPath(new URL('resolution_synapse.py', import.meta.url))
    return JSON.parse(execFileSync(python, [script, file], { encoding: 'utf8', maxBuffer: 1 << 28 }))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

for (const version of ['11', '12'] as const) {
  for (const size of flags.sizes.split(',').map(Number)) {
    const room = fork(version, size)
    const [left, right] = room.sets as [StateMap, StateMap]
    const conflicts = [...left].filter(([key, id]) => right.get(key) !== id).length * 2
    const mine = ours(room)
    let beside = ''
    if (flags.python !== undefined) {
      const theirs = synapse(flags.python, room)
      const equal = JSON.stringify(theirs.resolved) === JSON.stringify(mine.resolved)
      if (!equal) process.exitCode = 1
      beside = `  Synapse ${theirs.ms.toFixed(1).padStart(9)} ms  ${(theirs.ms / mine.ms).toFixed(1)} times  ${equal ? 'equal' : 'DIFFERENT'}`
    }
    const each = `${((mine.ms * 1000) / conflicts).toFixed(1)} us each`
    console.log(
      `version ${version}  ${String(conflicts).padStart(6)} conflicted  ${mine.ms.toFixed(2).padStart(8)} ms  ${each.padStart(12)}${beside}`,
    )
  }
}
