/** Reads the rooms that make_vectors.py wrote. */

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { parsePdu } from '#/protocol/event/parse.ts'
import type { Pdu } from '#/protocol/event/pdu.ts'
import type { EventId } from '#/protocol/ids/event-id.ts'
import { type RoomId, roomIdOfCreate } from '#/protocol/ids/room-id.ts'
import type { JsonObject, JsonValue } from '#/protocol/json/value.ts'
import { type RoomVersionRules, rulesOf } from '#/protocol/room-version/rules.ts'
import type { Rejection } from '#/protocol/state/facts.ts'
import { type StateMap, stateMapKey } from '#/protocol/state/state-map.ts'

export interface VectorRoom {
  readonly line: number
  readonly rules: RoomVersionRules
  readonly roomId: RoomId
  readonly events: ReadonlyMap<EventId, Pdu>
  readonly rejections: ReadonlyMap<EventId, Rejection>
  readonly sets: readonly StateMap[]
  /** The state after Synapse's resolution. */
  readonly resolved: StateMap
}

type Row = readonly [
  type: string,
  sender: string,
  stateKey: string,
  content: JsonObject,
  ts: number,
  depth: number,
  prev: readonly number[],
  auth: readonly number[],
  rejected: 0 | 1,
]

interface Line {
  readonly v: string
  readonly e: readonly Row[]
  readonly s: readonly (readonly number[])[]
  readonly r: readonly number[]
  readonly i: string
}

const FILE = new URL('rooms.jsonl.gz', import.meta.url)

/** All rooms, one after the other. Event ids are computed here and held against Synapse's. */
export function* readRooms(): Generator<VectorRoom> {
  const lines = gunzipSync(readFileSync(FILE)).toString().trimEnd().split('\n')
  for (let i = 1; i < lines.length; i += 1) yield readRoom(JSON.parse(lines[i] as string) as Line, i + 1)
}

function readRoom(line: Line, number: number): VectorRoom {
  const rules = rulesOf(line.v)
  assert.ok(rules)
  const events: Pdu[] = []
  const rejections = new Map<EventId, Rejection>()
  let roomId = '!room:a' as RoomId
  for (const row of line.e) {
    const parsed = parsePdu(rules, eventJson(rules, row, events, roomId))
    if (!parsed.ok) assert.fail(`line ${number}: ${parsed.rule}: ${parsed.why}`)
    const event = parsed.value
    if (rules.roomIdIsCreateHash && events.length === 0) roomId = roomIdOfCreate(event.eventId)
    if (row[8] === 1) rejections.set(event.eventId, 'by-state')
    events.push(event)
  }
  const ids = createHash('sha256')
  for (const { eventId } of events) ids.update(`${eventId}\n`)
  assert.equal(ids.digest('hex'), line.i, `line ${number}: event ids`)
  const state = (numbers: readonly number[]): StateMap =>
    new Map(
      numbers.map((n) => {
        const event = events[n] as Pdu
        return [stateMapKey(event.type, event.stateKey as string), event.eventId] as const
      }),
    )
  return {
    line: number,
    rules,
    roomId,
    events: new Map(events.map((event) => [event.eventId, event])),
    rejections,
    sets: line.s.map(state),
    resolved: state(line.r),
  }
}

function eventJson(rules: RoomVersionRules, row: Row, events: readonly Pdu[], roomId: RoomId): JsonObject {
  const [type, sender, stateKey, content, ts, depth, prev, auth] = row
  const references = (numbers: readonly number[]): JsonValue =>
    numbers.map((n) => {
      const id = (events[n] as Pdu).eventId
      return rules.eventReferences === 'pairs' ? [id, { sha256: 'x' }] : id
    })
  const isCreate = events.length === 0
  return {
    type,
    sender,
    state_key: stateKey,
    content,
    origin_server_ts: ts,
    depth,
    prev_events: references(prev),
    auth_events: references(auth),
    hashes: { sha256: 'x' },
    signatures: {},
    ...(isCreate && rules.roomIdIsCreateHash ? {} : { room_id: roomId }),
    ...(rules.eventIds === 'embedded' ? { event_id: embeddedId(events.length, sender, ts) } : {}),
  }
}

/** Ids of versions 1 and 2 are chosen by their sender; the script chose them like this. */
function embeddedId(position: number, sender: string, ts: number): string {
  return `$${position}${'abcxyz'[ts % 6]}:${sender.slice(sender.indexOf(':') + 1)}`
}
