/**
 * Plans as a server makes them: signed events with the right ids, prev and auth events, the head's guard, state
 * changes, memberships and transaction ids. One script is the owner of one room and keeps its head in memory.
 */
import type { Op, Plan } from '#/ports/store/plan.ts'
import type { Membership } from '#/ports/store/rooms.ts'
import { type SigningKey, signingKeyFromSeed } from '#/protocol/crypto/ed25519.ts'
import { buildEvent, nextDepth } from '#/protocol/event/build.ts'
import type { Pdu } from '#/protocol/event/pdu.ts'
import { redact } from '#/protocol/event/redact.ts'
import type { EventId } from '#/protocol/ids/event-id.ts'
import { mintRoomId, type RoomId } from '#/protocol/ids/room-id.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import { mintUserId, type UserId } from '#/protocol/ids/user-id.ts'
import { canonicalJson } from '#/protocol/json/canonical.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import { ROOM_VERSIONS, type RoomVersion, type RoomVersionRules } from '#/protocol/room-version/rules.ts'

export const SCRIPT_SERVER = 'test.example' as ServerName
/** Fixed, so that the same script makes the same event ids on every run. */
const KEY: SigningKey = signingKeyFromSeed('test', new Uint8Array(32).fill(7))
const START_TS = 1_700_000_000_000

/** A user of the script's server. */
export function scriptUser(localpart: string): UserId {
  return mintUserId(localpart, SCRIPT_SERVER)
}

/** An account with one device and an access token. `digest` is 64 hexadecimal digits. */
export function accountPlan(user: UserId, device: string, digest: string): Plan {
  return {
    lane: user,
    ops: [
      { op: 'account.create', user, passwordHash: null, admin: false, guest: false, ts: START_TS },
      { op: 'device.put', user, device, displayName: 'test', ts: START_TS },
      { op: 'token.put', digest, user, device, kind: 'access', expiresTs: null, pair: null },
    ],
  }
}

/** A plan and the ids of the events that it inserts, in order. */
export interface ScriptPlan {
  readonly plan: Plan
  readonly eventIds: readonly EventId[]
}

interface Head {
  readonly seq: number
  readonly last: Pdu | undefined
  readonly state: ReadonlyMap<string, Pdu>
}

interface Step {
  readonly type: string
  readonly sender: UserId
  readonly stateKey?: string
  readonly content: JsonObject
}

const keyOf = (type: string, stateKey: string): string => `${type}\0${stateKey}`

export class RoomScript {
  readonly rules: RoomVersionRules
  readonly creator: UserId
  /** Row id of the room, to be set from the result of the creation. */
  nid = 0
  roomId: RoomId
  #head: Head = { seq: 0, last: undefined, state: new Map() }
  #ts = START_TS

  constructor(name: string, version: RoomVersion = '11', creator: UserId = scriptUser('creator')) {
    this.rules = ROOM_VERSIONS[version]
    this.creator = creator
    this.roomId = mintRoomId(name.padEnd(18, '0'), SCRIPT_SERVER)
  }

  /** The plan that makes the room: create, creator's join, power levels, join rules. Its first result is the row id. */
  create(): ScriptPlan {
    const creator = this.creator
    const power = this.rules.auth.privilegedCreators ? {} : { users: { [creator]: 100 } }
    return this.#plan(
      [
        { type: 'm.room.create', sender: creator, stateKey: '', content: this.#createContent() },
        { type: 'm.room.member', sender: creator, stateKey: creator, content: { membership: 'join' } },
        { type: 'm.room.power_levels', sender: creator, stateKey: '', content: power },
        { type: 'm.room.join_rules', sender: creator, stateKey: '', content: { join_rule: 'public' } },
      ],
      (first) => [{ op: 'room.create', roomId: this.#nameRoom(first), version: this.rules.version }],
    )
  }

  /** Keeps the row id that the commit of `create()` gave as its first result. */
  created(results: readonly unknown[]): this {
    this.nid = results[0] as number
    return this
  }

  member(user: UserId, membership: Membership, sender: UserId = user): ScriptPlan {
    return this.#plan([{ type: 'm.room.member', sender, stateKey: user, content: { membership } }])
  }

  state(type: string, stateKey: string, content: JsonObject, sender: UserId = this.creator): ScriptPlan {
    return this.#plan([{ type, sender, stateKey, content }])
  }

  /** A message, with the transaction id of the device that sent it when one is given. */
  message(body: string, sender: UserId = this.creator, txn?: { device: string; txnId: string }): ScriptPlan {
    const step = { type: 'm.room.message', sender, content: { body, msgtype: 'm.text' } }
    const claim: Op[] =
      txn === undefined
        ? []
        : [
            {
              op: 'event.txn',
              event: { slot: 0 },
              user: sender,
              device: txn.device,
              scope: `PUT /send/${this.roomId}/m.room.message`,
              txnId: txn.txnId,
              ts: this.#ts,
            },
          ]
    const { plan, eventIds } = this.#plan([step])
    return { plan: { ...plan, ops: [...plan.ops, ...claim] }, eventIds }
  }

  /** Redacts an event that this script made. */
  redaction(target: Pdu): ScriptPlan {
    const content = { redacts: target.eventId }
    const { plan, eventIds } = this.#plan([{ type: 'm.room.redaction', sender: this.creator, content }])
    const json = canonicalJson(redact(this.rules, target.json))
    const keepUntil = this.#ts + 7 * 24 * 3600 * 1000
    const apply: Op = { op: 'event.redact', target: target.eventId, by: { slot: 0 }, json, keepUntil }
    return { plan: { ...plan, ops: [...plan.ops, apply] }, eventIds }
  }

  /** The newest event of the script, whether committed or not. */
  get last(): Pdu {
    if (this.#head.last === undefined) throw new Error('the room has no event yet')
    return this.#head.last
  }

  /** The head as it is now; `rewind` goes back to it after a plan that was refused. */
  get mark(): unknown {
    return this.#head
  }

  rewind(mark: unknown): void {
    this.#head = mark as Head
  }

  #createContent(): JsonObject {
    return {
      room_version: this.rules.version,
      ...(this.rules.auth.creatorInContent ? { creator: this.creator } : {}),
    }
  }

  #nameRoom(create: Pdu): RoomId {
    this.roomId = create.roomId
    return this.roomId
  }

  #plan(steps: readonly Step[], before: (first: Pdu) => Op[] = () => []): ScriptPlan {
    const { seq } = this.#head
    const ops: Op[] = []
    const pdus: Pdu[] = []
    let joinedDelta = 0
    let invitedDelta = 0
    const room = seq === 0 ? ('new' as const) : this.nid
    for (const [slot, step] of steps.entries()) {
      const former = this.#head.state.get(keyOf(step.type, step.stateKey ?? ''))
      const pdu = this.#build(step)
      pdus.push(pdu)
      ops.push(insertOp(pdu, slot, room))
      if (pdu.stateKey === undefined) continue
      ops.push({
        op: 'state.change',
        room,
        branch: 0,
        changes: [{ type: pdu.type, stateKey: pdu.stateKey, event: { slot } }],
      })
      if (pdu.type !== 'm.room.member') continue
      const membership = pdu.content['membership'] as Membership
      joinedDelta += delta('join', former, membership)
      invitedDelta += delta('invite', former, membership)
      const { sender } = pdu
      ops.push({
        op: 'room.membership',
        room,
        user: pdu.stateKey,
        membership,
        event: { slot },
        sender,
        stripped: null,
      })
    }
    const last = this.last
    const head: Op = {
      op: 'room.head',
      room,
      expect: seq,
      extremities: [last.eventId],
      depth: last.depth,
      joinedDelta,
      invitedDelta,
    }
    this.#head = { ...this.#head, seq: seq + 1 }
    const guards = [...before(pdus[0] as Pdu), head]
    return {
      plan: { lane: this.roomId, ops: [...guards, ...ops] },
      eventIds: pdus.map((pdu) => pdu.eventId),
    }
  }

  #build(step: Step): Pdu {
    const prev = this.#head.last
    const isCreate = step.type === 'm.room.create'
    const built = buildEvent(
      this.rules,
      {
        ...step,
        roomId: isCreate && this.rules.roomIdIsCreateHash ? undefined : this.roomId,
        originServerTs: this.#ts++,
        prevEvents: prev ? [prev.eventId] : [],
        authEvents: isCreate ? [] : this.#authEvents(step),
        depth: prev ? nextDepth(this.rules, [prev]) : 1,
      },
      SCRIPT_SERVER,
      KEY,
    )
    if (!built.ok) throw new Error(`${built.rule}: ${built.why}`)
    const pdu = built.value
    const state = pdu.stateKey === undefined ? this.#head.state : new Map(this.#head.state)
    if (pdu.stateKey !== undefined) (state as Map<string, Pdu>).set(keyOf(pdu.type, pdu.stateKey), pdu)
    this.#head = { ...this.#head, last: pdu, state }
    if (isCreate) this.roomId = pdu.roomId
    return pdu
  }

  /** https://spec.matrix.org/v1.16/server-server-api/#auth-events-selection */
  #authEvents(step: Step): EventId[] {
    const keys = [keyOf('m.room.power_levels', ''), keyOf('m.room.member', step.sender)]
    if (!this.rules.roomIdIsCreateHash) keys.unshift(keyOf('m.room.create', ''))
    if (step.type === 'm.room.member') {
      keys.push(keyOf('m.room.join_rules', ''))
      if (step.stateKey !== step.sender) keys.push(keyOf('m.room.member', step.stateKey ?? ''))
    }
    return keys.flatMap((key) => this.#head.state.get(key)?.eventId ?? [])
  }
}

/** The plan of one event with a relation of that event to another. */
export function relating({ plan }: ScriptPlan, room: number, target: string, relType: string): Plan {
  const insert = plan.ops.find((op) => op.op === 'event.insert')
  if (!insert) throw new Error('a plan without an event')
  const { slot, type, sender, ts, depth } = insert
  const relation: Op = {
    op: 'relation.put',
    event: { slot },
    room,
    target,
    relType,
    key: relType === 'm.annotation' ? 'k' : null,
    aggregated: true,
    type,
    sender,
    ts,
    depth,
  }
  return { ...plan, ops: [...plan.ops, relation] }
}

function insertOp(pdu: Pdu, slot: number, room: number | 'new'): Op {
  return {
    op: 'event.insert',
    slot,
    room,
    eventId: pdu.eventId,
    type: pdu.type,
    stateKey: pdu.stateKey ?? null,
    sender: pdu.sender,
    ts: pdu.originServerTs,
    depth: pdu.depth,
    json: canonicalJson(pdu.json),
    flags: 0,
    rejectedRule: null,
    authEvents: pdu.authEvents,
    live: true,
  }
}

function delta(membership: Membership, former: Pdu | undefined, now: Membership): number {
  return Number(now === membership) - Number(former?.content['membership'] === membership)
}
