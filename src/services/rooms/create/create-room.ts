/** Creating a room, which exists whole or not at all. */
import { turn, type World } from '#/base/world.ts'
import type { Op } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import { deactivatedAccount, MatrixError } from '#/protocol/errors.ts'
import type { RoomAlias } from '#/protocol/ids/room-alias.ts'
import type { RoomId } from '#/protocol/ids/room-id.ts'
import { parseUserId, serverOf, type UserId } from '#/protocol/ids/user-id.ts'
import { isArray, type JsonObject, type JsonValue } from '#/protocol/json/value.ts'
import { type RoomVersionRules, rulesOf } from '#/protocol/room-version/rules.ts'
import type { Signer } from '../../keys/signer.ts'
import { addedAliases, badAlias } from '../directory/canonical.ts'
import type { Directory } from '../directory/create-directory.ts'
import type { VerifiedPdu } from '../ingest/verified.ts'
import { ADDITIONAL_CREATORS_MAX, EVENTS_PER_TURN } from '../limits.ts'
import type { MayInvite, MemberProfile, ProfileRules } from '../membership.ts'
import type { RoomOptions } from '../options.ts'
import { refuseUnmeant } from '../own-content.ts'
import { profileGuard, profileSpreadOp } from '../profile-spread.ts'
import { initialPowerLevels, PRESETS, type Preset } from './presets.ts'
import { type FirstEvent, RoomBuilder } from './room-builder.ts'
import { StagedRoom } from './staged-room.ts'

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
  /** The name of an alias to be made. */
  readonly aliasName?: string | undefined
  /** Whether the room goes into the published list. */
  readonly published?: boolean
  /** Whether it is not encrypted, whatever the operator wants of other rooms. */
  readonly plain?: boolean
}

export interface CreateRoomDeps {
  readonly store: Store
  readonly signer: Signer
  readonly world: World
  readonly profile: MemberProfile
  readonly mayInvite: MayInvite
  readonly profileRules: ProfileRules
  readonly directory: Directory
  readonly options: RoomOptions
  /** A durable job was added. */
  readonly onJob: () => void
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
    const { signer, world, directory } = this.#deps
    const rules = rulesOf(room.version)
    if (!rules) {
      throw new MatrixError(
        'M_UNSUPPORTED_ROOM_VERSION',
        `Room version ${room.version} is not supported here.`,
      )
    }
    for (const user of invitedBy(room)) {
      if (serverOf(user) !== signer.serverName) {
        throw new MatrixError('M_INVALID_PARAM', 'Users of other servers cannot be invited yet.')
      }
      await this.#deps.mayInvite(room.creator, user)
    }
    const alias = room.aliasName === undefined ? undefined : directory.aliases.wanted(room.aliasName)
    const builder = new RoomBuilder(rules, signer, world.rng, this.#nextTs(), room.creator)
    const staged = new StagedRoom(this.#deps, builder)
    try {
      return await this.#make(room, rules, staged, alias)
    } catch (error) {
      await staged.abandon()
      throw error
    }
  }

  async #make(
    room: NewRoom,
    rules: RoomVersionRules,
    staged: StagedRoom,
    alias: RoomAlias | undefined,
  ): Promise<RoomId> {
    const { profile, world } = this.#deps
    await staged.add({ type: 'm.room.create', stateKey: '', content: createContent(rules, room) })
    const creator = await profile(room.creator)
    const joined: JsonObject = { membership: 'join', ...creator }
    await staged.add({ type: 'm.room.member', stateKey: room.creator, content: joined })
    const state = firstState(rules, room, alias, this.#deps.options)
    if (state.length > EVENTS_PER_TURN) await turn(world.clock)
    for (const event of state) if (!isInvitation(event)) await staged.add(event)
    for (const event of state) if (isInvitation(event)) await this.#invite(staged, event)
    for (const user of room.invite) {
      const content: Record<string, JsonValue> = {
        membership: 'invite',
        ...(this.#deps.profileRules.onInvite ? await profile(user) : {}),
      }
      if (room.isDirect) content['is_direct'] = true
      await this.#invite(staged, { type: 'm.room.member', stateKey: user, content })
    }
    const { roomId } = staged
    const more = staged.named(this.#directoryOps(room, roomId, alias))
    const ops = staged.finish()
    const active = { op: 'account.active', user: room.creator } as const
    await this.#commit(roomId, [active, ...ops, ...more], room.creator, creator)
    return roomId
  }

  /** Writes the plan that shows the room. A profile that is not `said` any more is spread to it. */
  async #commit(roomId: RoomId, ops: readonly Op[], creator: UserId, said: JsonObject): Promise<void> {
    const { store, world, onJob } = this.#deps
    let result = await store.commit({ lane: roomId, ops: [profileGuard(creator, said), ...ops] })
    if (!result.ok && result.conflict === 'profile') {
      const spread = profileSpreadOp(creator, world.clock.now())
      result = await store.commit({ lane: roomId, ops: [...ops, spread] })
      onJob()
    }
    if (!result.ok && result.conflict === 'deactivated') throw deactivatedAccount()
    if (!result.ok) throw new MatrixError('M_ROOM_IN_USE', `${result.value ?? roomId} is taken.`)
  }

  async #invite(staged: StagedRoom, event: FirstEvent): Promise<void> {
    const { pdu, slot } = await staged.addLast(event)
    if (this.#deps.inviteOps) staged.also(await this.#deps.inviteOps(pdu, slot))
  }

  /** The alias and the publication of a new room. Throws M_FORBIDDEN when the operator's rules refuse them. */
  #directoryOps(room: NewRoom, roomId: RoomId, alias: RoomAlias | undefined): Op[] {
    const { world, directory } = this.#deps
    const { creator } = room
    const ops: Op[] = []
    if (alias !== undefined) {
      directory.aliases.requireAllowed(creator, roomId, alias)
      ops.push({ op: 'alias.put', alias, room: 'new', creator, ts: world.clock.now() })
    }
    if (room.published) {
      directory.published.requireAllowed(creator, roomId, alias === undefined ? [] : [alias])
      ops.push({ op: 'directory.publish', room: 'new', published: true })
    }
    return ops
  }
}

/** Everybody whom a new room invites, in its initial state too. */
export function invitedBy(room: Pick<NewRoom, 'invite' | 'initialState'>): UserId[] {
  const users = new Set(room.invite)
  for (const { type, stateKey, content } of room.initialState) {
    if (type !== 'm.room.member' || content['membership'] !== 'invite') continue
    const user = parseUserId(stateKey)
    if (user) users.add(user)
  }
  return [...users]
}

/** Invitations come last, because who is invited must hear of a room that is whole. */
function isInvitation({ type, content }: FirstEvent): boolean {
  return type === 'm.room.member' && content['membership'] === 'invite'
}

function createContent(rules: RoomVersionRules, room: NewRoom): JsonObject {
  const content: Record<string, JsonValue> = { ...room.creationContent, room_version: rules.version }
  delete content['creator']
  if (rules.auth.creatorInContent) content['creator'] = room.creator
  const named = rules.auth.privilegedCreators ? additionalCreators(content) : []
  if (rules.auth.privilegedCreators && PRESETS[room.preset].invitesAreEqual) {
    const all = [...new Set([...named, ...room.invite])].filter((user) => user !== room.creator)
    if (all.length > 0) content['additional_creators'] = all
  }
  return content
}

/** The further creators that a client names. Throws M_INVALID_PARAM for what is no list of user ids. */
function additionalCreators(content: JsonObject): readonly string[] {
  const named = content['additional_creators'] ?? []
  const valid = (user: JsonValue): user is string =>
    typeof user === 'string' && parseUserId(user) !== undefined
  if (!isArray(named) || named.length > ADDITIONAL_CREATORS_MAX || !named.every(valid)) {
    throw new MatrixError(
      'M_INVALID_PARAM',
      `additional_creators is a list of at most ${ADDITIONAL_CREATORS_MAX} user ids.`,
    )
  }
  return named
}

/** State of the preset, overridden by initial_state, then name and topic. */
function firstState(
  rules: RoomVersionRules,
  room: NewRoom,
  alias: RoomAlias | undefined,
  options: RoomOptions,
): FirstEvent[] {
  const facts = PRESETS[room.preset]
  const overrides = [options.powerLevels.get(room.preset) ?? {}, room.powerLevels]
  const levels = initialPowerLevels(rules, room.preset, room.creator, room.invite, overrides)
  const events = new Map<string, FirstEvent>()
  const set = (type: string, stateKey: string, content: JsonObject) =>
    events.set(`${type}\0${stateKey}`, { type, stateKey, content })
  set('m.room.power_levels', '', levels)
  if (alias !== undefined) set('m.room.canonical_alias', '', { alias })
  set('m.room.join_rules', '', { join_rule: facts.joinRule })
  set('m.room.history_visibility', '', { history_visibility: facts.historyVisibility })
  set('m.room.guest_access', '', { guest_access: facts.guestAccess })
  if (!room.plain && encrypts(options, room.preset)) {
    set('m.room.encryption', '', { algorithm: 'm.megolm.v1.aes-sha2' })
  }
  for (const { type, stateKey, content } of room.initialState) {
    refuseUnmeant({ sender: room.creator, type, stateKey, content })
    const wrong =
      type === 'm.room.canonical_alias' && stateKey === ''
        ? addedAliases(content, undefined).find((name) => name !== alias)
        : undefined
    if (wrong !== undefined) throw badAlias(wrong)
    set(type, stateKey, content)
  }
  if (room.name !== undefined) set('m.room.name', '', { name: room.name })
  if (room.topic !== undefined) {
    const text = { 'm.text': [{ body: room.topic, mimetype: 'text/plain' }] }
    set('m.room.topic', '', { topic: room.topic, 'm.topic': text })
  }
  return [...events.values()]
}

/** Whether the operator wants such rooms encrypted: all, or those that are entered by invitation. */
function encrypts({ encryptedByDefault }: RoomOptions, preset: Preset): boolean {
  return encryptedByDefault === 'all' || (encryptedByDefault === 'invite' && preset !== 'public_chat')
}
