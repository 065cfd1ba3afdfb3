/**
 * Replacing a room by one of another version. https://spec.matrix.org/v1.19/client-server-api/#room-upgrades
 * The tombstone and the whole new room are one plan: nobody ever sees one without the other. What then remains to be
 * done in the old room is timed work, so that it happens also when the server stops in between.
 */
import { SingleFlight } from '#/base/async/single-flight.ts'
import type { World } from '#/base/world.ts'
import type { EventRow } from '#/ports/store/events.ts'
import type { Op } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { membershipOf, predecessorOf, stringOf } from '#/protocol/event/content.ts'
import type { StateKeyPair } from '#/protocol/event/pdu.ts'
import type { RoomId } from '#/protocol/ids/room-id.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import { isArray, type JsonObject, type JsonValue, member } from '#/protocol/json/value.ts'
import { type RoomVersionRules, rulesOf } from '#/protocol/room-version/rules.ts'
import type { Signer } from '../../keys/signer.ts'
import { type FirstEvent, RoomBuilder } from '../create/room-builder.ts'
import { StagedRoom } from '../create/staged-room.ts'
import { aliasesIn } from '../directory/canonical.ts'
import { ROOM_ALIASES_MAX } from '../directory/limits.ts'
import type { LiveRoom } from '../live-room.ts'
import type { MemberProfile } from '../membership.ts'
import { maySendState, powerNeeds } from '../power.ts'
import { profileSpreadOp } from '../profile-spread.ts'
import type { RoomWriter } from '../room-writer.ts'
import { pduOfRow } from '../stored-event.ts'
import type { Aftermath } from './aftermath.ts'
import { CARRIED_TYPES, carriedCreate, carriedJoinRules, carriedLevels, ORNAMENTS } from './carried.ts'

export interface UpgradeRequest {
  readonly roomId: RoomId
  readonly sender: UserId
  readonly version: string
  /** Only for versions that know them. */
  readonly additionalCreators: readonly UserId[]
}

export interface UpgradeDeps {
  readonly store: Store
  readonly writer: RoomWriter
  readonly signer: Signer
  readonly world: World
  readonly profile: MemberProfile
  readonly aftermath: Aftermath
  /** Bans and children that come with the new room. */
  readonly carriedAtOnce: number
  /** A durable job was added. */
  readonly onJob: () => void
}

/** What was read of the old room before its lock is taken. */
interface Surroundings {
  readonly request: UpgradeRequest
  readonly rules: RoomVersionRules
  readonly profile: JsonObject
  readonly aliases: readonly string[]
  /** Bans, and children of a space. */
  readonly lists: readonly FirstEvent[]
}

const NEEDS: readonly StateKeyPair[] = [
  ...CARRIED_TYPES.map((type) => [type, ''] as const),
  ['m.room.canonical_alias', ''],
  ['m.room.tombstone', ''],
]

export class UpgradeService {
  readonly #deps: UpgradeDeps
  readonly #underWay = new SingleFlight<string, RoomId>()

  constructor(deps: UpgradeDeps) {
    this.#deps = deps
  }

  /**
   * Upgrades a room and gives the id of the new one. A room that was replaced by one of this version already gives
   * that one. Throws M_UNSUPPORTED_ROOM_VERSION, M_NOT_FOUND for a room that is not here, M_FORBIDDEN.
   */
  async upgrade(request: UpgradeRequest): Promise<RoomId> {
    const { store, writer } = this.#deps
    const { roomId, sender, version } = request
    const rules = rulesOf(version)
    if (!rules) {
      throw new MatrixError('M_UNSUPPORTED_ROOM_VERSION', `Room version ${version} is not supported here.`)
    }
    const room = await store.rooms.byId(roomId)
    if (!room) throw new MatrixError('M_NOT_FOUND', 'This room is not known here.')
    const live = await writer.look(roomId, powerNeeds(sender))
    if (!maySendState(live.state, sender, 'm.room.tombstone')) {
      throw new MatrixError('M_FORBIDDEN', 'You may not replace this room by another.')
    }
    return this.#underWay.run(`${roomId}\0${version}`, () => this.#replace(request, rules, live.nid))
  }

  async #replace(request: UpgradeRequest, rules: RoomVersionRules, old: number): Promise<RoomId> {
    const { store, writer, profile, aftermath } = this.#deps
    const { roomId, sender } = request
    const around: Surroundings = {
      request,
      rules,
      profile: await profile(sender),
      aliases: await store.directory.aliasesOf(old, ROOM_ALIASES_MAX),
      lists: await listsOf(store, old, request, this.#deps.carriedAtOnce),
    }
    let replacement: RoomId | undefined
    let staged: StagedRoom | undefined
    const write = writer.write({
      roomId,
      needs: [...NEEDS, ...powerNeeds(sender)],
      draft: async (room) => {
        await staged?.abandon()
        const tombstone = room.state('m.room.tombstone', '')
        replacement = await this.#replaced(room, rules.version)
        if (tombstone && replacement) return { already: tombstone.eventId }
        staged = new StagedRoom(this.#deps, this.#builder(around))
        /* From version 12 on the room id is the hash of the create event, which therefore cannot name the tombstone. */
        if (rules.roomIdIsCreateHash) await staged.add(createEvent(around, room, undefined))
        replacement = staged.roomId
        const content = { body: 'This room has been replaced', replacement_room: replacement }
        return { type: 'm.room.tombstone', stateKey: '', sender, content }
      },
      more: async (room, tombstone) => {
        if (!staged) throw new Error('a tombstone without a new room')
        if (!rules.roomIdIsCreateHash) await staged.add(createEvent(around, room, tombstone.eventId))
        return this.#rest(staged, around, room)
      },
    })
    await write.catch(async (error: unknown) => {
      await staged?.abandon()
      throw error
    })
    if (replacement === undefined) throw new Error('an upgrade gave no room')
    this.#deps.onJob()
    await aftermath.now(replacement, { oldRoomId: roomId, sender, aliases: around.aliases })
    return replacement
  }

  #builder({ rules, request }: Surroundings): RoomBuilder {
    const { signer, world } = this.#deps
    return new RoomBuilder(rules, signer, world.rng, world.clock.now(), request.sender, 1)
  }

  /** The room that replaced this one already, when it has the version. */
  async #replaced(room: LiveRoom, version: string): Promise<RoomId | undefined> {
    const tombstone = room.state('m.room.tombstone', '')
    const named = tombstone && stringOf(tombstone.content, 'replacement_room')
    const other = named === undefined ? undefined : await this.#deps.store.rooms.byId(named)
    if (!other || other.version !== version) return undefined
    const [create] = await this.#deps.store.state.current(other.nid, [['m.room.create', '']])
    const from = create && predecessorOf(pduOfRow(create, rulesOf(version)!))
    return from?.roomId === room.roomId ? (other.roomId as RoomId) : undefined
  }

  /** Everything behind the create event, and what moves with the room. */
  async #rest(staged: StagedRoom, around: Surroundings, room: LiveRoom): Promise<Op[]> {
    const { aftermath } = this.#deps
    const { request, profile, aliases } = around
    const { sender } = request
    const joined: JsonObject = { membership: 'join', ...profile }
    await staged.add({ type: 'm.room.member', stateKey: sender, content: joined })
    for (const event of stateEvents(around, room)) {
      try {
        await staged.add(event)
      } catch (error) {
        if (!(error instanceof MatrixError) || !ORNAMENTS.has(event.type)) throw error
      }
    }
    return [
      { op: 'account.active', user: sender },
      ...staged.finish(),
      ...staged.named([{ op: 'directory.move', from: room.nid, to: 'new' }]),
      /* The profile was read a while ago; where it says the same still, nothing happens. */
      profileSpreadOp(sender, this.#deps.world.clock.now()),
      aftermath.op(staged.roomId, { oldRoomId: room.roomId, sender, aliases }),
    ]
  }
}

function createEvent(around: Surroundings, room: LiveRoom, tombstone: string | undefined): FirstEvent {
  const { rules, request } = around
  const old = room.state('m.room.create', '')
  if (!old) throw new Error('a room without a create event')
  const content = carriedCreate(rules, old, request.sender, request.additionalCreators)
  const predecessor: Record<string, JsonValue> = { room_id: room.roomId }
  if (tombstone !== undefined) predecessor['event_id'] = tombstone
  return { type: 'm.room.create', stateKey: '', content: { ...content, predecessor } }
}

/** The new room's state. The levels come last: until then the creator may do everything. */
function stateEvents(around: Surroundings, room: LiveRoom): FirstEvent[] {
  const { rules, request, aliases, lists } = around
  const events: FirstEvent[] = []
  const add = (type: string, content: JsonObject | undefined): void => {
    if (content) events.push({ type, stateKey: '', content })
  }
  for (const type of CARRIED_TYPES) {
    const old = room.state(type, '')
    add(type, old && type === 'm.room.join_rules' ? carriedJoinRules(rules, old) : old?.content)
  }
  const canonical = room.state('m.room.canonical_alias', '')
  if (canonical) add('m.room.canonical_alias', movedAliases(canonical.content, new Set(aliases)))
  events.push(...lists)
  const [create, levels] = [room.state('m.room.create', ''), room.state('m.room.power_levels', '')]
  if (create && levels) {
    const creators = [request.sender, ...request.additionalCreators]
    add('m.room.power_levels', carriedLevels(rules, { create, levels }, creators))
  }
  return events
}

/** The part of a canonical alias event that names aliases of this server, which move; undefined for none. */
function movedAliases(content: JsonObject, local: ReadonlySet<string>): JsonObject | undefined {
  const moved = aliasesIn(content).filter((alias) => local.has(alias))
  if (moved.length === 0) return undefined
  const alias = member(content, 'alias')
  const others = member(content, 'alt_aliases')
  const kept = isArray(others) ? others.filter((other) => moved.includes(other as string)) : []
  return {
    ...(moved.includes(alias as string) ? { alias: alias as string } : {}),
    ...(kept.length > 0 ? { alt_aliases: kept } : {}),
  }
}

/** The first bans and children, at most `most`; all others are the aftermath's. */
async function listsOf(
  store: Store,
  old: number,
  request: UpgradeRequest,
  most: number,
): Promise<FirstEvent[]> {
  const events: FirstEvent[] = []
  const spared = new Set<string>([request.sender, ...request.additionalCreators])
  for await (const event of carriedLists(store, old)) {
    if (event.type === 'm.room.member' && spared.has(event.stateKey)) continue
    events.push(event)
    if (events.length >= most) break
  }
  return events
}

/** Bans and children of a room as the events of another. */
export async function* carriedLists(store: Store, room: number): AsyncGenerator<FirstEvent> {
  const version = (await store.rooms.byNid(room))?.version ?? ''
  const rules = rulesOf(version)
  if (!rules) return
  for (const type of ['m.room.member', 'm.space.child']) {
    for (const row of await store.state.currentAll(room, type)) {
      /* A look at the text spares the parsing of all who are not banned. */
      if (type === 'm.room.member' && !row.json.includes('"ban"')) continue
      const event = listed(row, rules)
      if (event) yield event
    }
  }
}

function listed(row: EventRow, rules: RoomVersionRules): FirstEvent | undefined {
  const pdu = pduOfRow(row, rules)
  const { type, stateKey = '', content } = pdu
  if (type === 'm.space.child') {
    return isArray(member(content, 'via')) ? { type, stateKey, content } : undefined
  }
  if (membershipOf(pdu) !== 'ban') return undefined
  const reason = stringOf(content, 'reason')
  return { type, stateKey, content: { membership: 'ban', ...(reason === undefined ? {} : { reason }) } }
}
