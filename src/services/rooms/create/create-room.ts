/** Creating a room: all its first events in one plan, so that it exists whole or not at all. */
import type { World } from '#/base/world.ts'
import type { Op } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import { selectAuthKeys } from '#/protocol/auth/select.ts'
import { deactivatedAccount, MatrixError } from '#/protocol/errors.ts'
import type { EventFields } from '#/protocol/event/build.ts'
import type { Pdu, StateKeyPair } from '#/protocol/event/pdu.ts'
import type { EventId } from '#/protocol/ids/event-id.ts'
import { mintRoomId, type RoomId } from '#/protocol/ids/room-id.ts'
import { parseUserId, serverOf, type UserId } from '#/protocol/ids/user-id.ts'
import type { JsonObject, JsonValue } from '#/protocol/json/value.ts'
import { type RoomVersionRules, rulesOf } from '#/protocol/room-version/rules.ts'
import type { Signer } from '../../keys/signer.ts'
import { passLocal } from '../ingest/gate.ts'
import type { VerifiedPdu } from '../ingest/verified.ts'
import type { MayInvite, MemberProfile, ProfileRules } from '../membership.ts'
import { inRoomFormat } from '../old-format.ts'
import { countDelta, eventOps, refuseEvent } from '../write-ops.ts'
import { initialPowerLevels, PRESETS, type Preset } from './presets.ts'

export interface InitialState {
  readonly type: string
  readonly stateKey: string
  readonly content: JsonObject
}

export interface NewRoom {
  readonly creator: UserId
  readonly version: string
  readonly preset: Preset
  readonly creationContent: JsonObject
  readonly powerLevels: JsonObject
  readonly initialState: readonly InitialState[]
  readonly name?: string | undefined
  readonly topic?: string | undefined
  readonly invite: readonly UserId[]
  readonly isDirect: boolean
}

interface FirstEvent {
  readonly type: string
  readonly stateKey: string
  readonly content: JsonObject
}

/** The random part of a room id before version 12: its letters, and how many of them. */
const ROOM_ID_LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const ROOM_ID_LENGTH = 18

export interface CreateRoomDeps {
  readonly store: Store
  readonly signer: Signer
  readonly world: World
  readonly profile: MemberProfile
  readonly mayInvite: MayInvite
  readonly profileRules: ProfileRules
  /** As `MembershipService.follow`. */
  readonly follow: (userId: UserId, roomId: RoomId, said: JsonObject) => Promise<unknown>
  /** Further operations for an invitation that is in a slot of the room's first plan. */
  readonly inviteOps?: (invitation: VerifiedPdu, slot: number) => Promise<readonly Op[]>
}

export class CreateRoomService {
  readonly #deps: CreateRoomDeps

  constructor(deps: CreateRoomDeps) {
    this.#deps = deps
  }

  /** Time of the newest room; see `#nextTs`. */
  #lastTs = 0

  /**
   * The time of a new room, in milliseconds: no two are the same, because from version 12 the id of a room is the hash
   * of a create event that says little else.
   */
  #nextTs(): number {
    this.#lastTs = Math.max(this.#deps.world.clock.now(), this.#lastTs + 1)
    return this.#lastTs
  }

  /** Creates the room and invites. Returns its id when it is on disk. */
  async create(room: NewRoom): Promise<RoomId> {
    const { store, signer, world, profile, follow } = this.#deps
    const rules = rulesOf(room.version)
    if (!rules) {
      throw new MatrixError(
        'M_UNSUPPORTED_ROOM_VERSION',
        `Room version ${room.version} is not supported here.`,
      )
    }
    for (const user of room.invite) {
      if (serverOf(user) !== signer.serverName) {
        throw new MatrixError('M_INVALID_PARAM', 'Users of other servers cannot be invited yet.')
      }
    }
    for (const user of invitedBy(room)) await this.#deps.mayInvite(room.creator, user)
    const building = new RoomBuilder(rules, signer, world, this.#nextTs(), room.creator)
    building.add({ type: 'm.room.create', stateKey: '', content: createContent(rules, room) })
    const creator = await profile(room.creator)
    const joined: JsonObject = { membership: 'join', ...creator }
    building.add({ type: 'm.room.member', stateKey: room.creator, content: joined })
    for (const event of firstState(rules, room)) building.add(event)
    for (const user of room.invite) {
      const content: Record<string, JsonValue> = {
        membership: 'invite',
        ...(this.#deps.profileRules.onInvite ? await profile(user) : {}),
      }
      if (room.isDirect) content['is_direct'] = true
      const { pdu, slot } = building.add({ type: 'm.room.member', stateKey: user, content })
      if (this.#deps.inviteOps) building.also(await this.#deps.inviteOps(pdu, slot))
    }
    const { roomId, ops } = building.plan()
    const active = { op: 'account.active', user: room.creator } as const
    const result = await store.commit({ lane: roomId, ops: [active, ...ops] })
    if (!result.ok && result.conflict === 'deactivated') throw deactivatedAccount()
    if (!result.ok) throw new MatrixError('M_ROOM_IN_USE', 'A room with this id exists already.')
    await follow(room.creator, roomId, creator)
    return roomId
  }
}

/** Everybody whom a new room invites, in its initial state too. */
function invitedBy(room: NewRoom): UserId[] {
  const users = new Set(room.invite)
  for (const { type, stateKey, content } of room.initialState) {
    const user = parseUserId(stateKey)
    if (type === 'm.room.member' && content['membership'] === 'invite' && user) users.add(user)
  }
  return [...users]
}

function createContent(rules: RoomVersionRules, room: NewRoom): JsonObject {
  const content: Record<string, JsonValue> = { ...room.creationContent, room_version: rules.version }
  delete content['creator']
  if (rules.auth.creatorInContent) content['creator'] = room.creator
  if (rules.auth.privilegedCreators && PRESETS[room.preset].invitesAreEqual) {
    const named = Array.isArray(content['additional_creators']) ? content['additional_creators'] : []
    const all = [...new Set([...named, ...room.invite])].filter((user) => user !== room.creator)
    if (all.length > 0) content['additional_creators'] = all
  }
  return content
}

/** State of the preset, overridden by initial_state, then name and topic. */
function firstState(rules: RoomVersionRules, room: NewRoom): FirstEvent[] {
  const facts = PRESETS[room.preset]
  const levels = initialPowerLevels(rules, room.preset, room.creator, room.invite, room.powerLevels)
  const events = new Map<string, FirstEvent>()
  const set = (type: string, stateKey: string, content: JsonObject) =>
    events.set(`${type}\0${stateKey}`, { type, stateKey, content })
  set('m.room.power_levels', '', levels)
  set('m.room.join_rules', '', { join_rule: facts.joinRule })
  set('m.room.history_visibility', '', { history_visibility: facts.historyVisibility })
  set('m.room.guest_access', '', { guest_access: facts.guestAccess })
  for (const { type, stateKey, content } of room.initialState) set(type, stateKey, content)
  if (room.name !== undefined) set('m.room.name', '', { name: room.name })
  if (room.topic !== undefined) {
    const text = { 'm.text': [{ body: room.topic, mimetype: 'text/plain' }] }
    set('m.room.topic', '', { topic: room.topic, 'm.topic': text })
  }
  return [...events.values()]
}

/** Builds events one after another on a room that is not stored yet. */
class RoomBuilder {
  readonly #rules: RoomVersionRules
  readonly #signer: Signer
  readonly #ts: number
  readonly #sender: UserId
  readonly #state = new Map<string, Pdu>()
  readonly #ops: Op[] = []
  #roomId: RoomId | undefined
  #last: Pdu | undefined
  #slots = 0
  #joined = 0
  #invited = 0

  constructor(rules: RoomVersionRules, signer: Signer, world: World, ts: number, sender: UserId) {
    this.#rules = rules
    this.#signer = signer
    this.#ts = ts
    this.#sender = sender
    if (!rules.roomIdIsCreateHash) {
      let opaque = ''
      while (opaque.length < ROOM_ID_LENGTH)
        opaque += ROOM_ID_LETTERS[world.rng.below(ROOM_ID_LETTERS.length)]
      this.#roomId = mintRoomId(opaque, signer.serverName)
    }
  }

  readonly #lookup = (type: string, stateKey: string): Pdu | undefined =>
    this.#state.get(`${type}\0${stateKey}`)

  /** Operations that follow an event that was added. */
  also(ops: readonly Op[]): void {
    this.#ops.push(...ops)
  }

  add(event: FirstEvent): { readonly pdu: VerifiedPdu; readonly slot: number } {
    const { type, stateKey, content } = event
    const keys = selectAuthKeys(this.#rules, type, this.#sender, stateKey, content)
    const auth = new Map<EventId, Pdu>()
    for (const [authType, authKey] of keys) {
      const found = this.#lookup(authType, authKey)
      if (found) auth.set(found.eventId, found)
    }
    const authEvents = [...auth.keys()]
    const create = this.#lookup('m.room.create', '')
    if (create) auth.set(create.eventId, create)
    const fields: EventFields = {
      type,
      stateKey,
      content,
      sender: this.#sender,
      roomId: this.#roomId,
      originServerTs: this.#ts,
      prevEvents: this.#last ? [this.#last.eventId] : [],
      authEvents,
      depth: (this.#last?.depth ?? 0) + 1,
    }
    const referenced = this.#last ? [...auth.values(), this.#last] : []
    const { serverName } = this.#signer
    const built = this.#signer.event(this.#rules, inRoomFormat(this.#rules, serverName, fields, referenced))
    if (!built.ok) throw refuseEvent(built)
    const passed = passLocal(built.value, auth, this.#lookup)
    if (!passed.ok) throw refuseEvent(passed)
    const { pdu } = passed
    const before = this.#lookup(type, stateKey)
    const delta = countDelta(pdu, before)
    this.#joined += delta.joined
    this.#invited += delta.invited
    this.#state.set(`${type}\0${stateKey}`, pdu)
    const known = { state: this.#lookup, missing: (_: readonly StateKeyPair[]) => [] }
    const slot = this.#slots++
    this.#ops.push(...eventOps('new', pdu, slot, this.#signer.serverName, known))
    this.#roomId = pdu.roomId
    this.#last = pdu
    return { pdu, slot }
  }

  plan(): { roomId: RoomId; ops: Op[] } {
    const last = this.#last
    const roomId = this.#roomId
    if (!last || roomId === undefined) throw new Error('a room without events cannot be created')
    return {
      roomId,
      ops: [
        { op: 'room.create', roomId, version: this.#rules.version },
        {
          op: 'room.head',
          room: 'new',
          expect: 0,
          extremities: [last.eventId],
          depth: last.depth,
          joinedDelta: this.#joined,
          invitedDelta: this.#invited,
        },
        ...this.#ops,
      ],
    }
  }
}
