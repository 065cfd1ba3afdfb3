/** Sending message and state events, and redactions. */
import { Lru } from '#/base/lru.ts'
import type { Clock } from '#/base/world.ts'
import type { EventOp } from '#/ports/store/events.ts'
import type { Op } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import { atLeast } from '#/protocol/auth/level.ts'
import { powerLevelsOf } from '#/protocol/auth/power-levels.ts'
import { redactionApplies } from '#/protocol/auth/redaction-applies.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { membershipOf } from '#/protocol/event/content.ts'
import type { Pdu, StateKeyPair, StateLookup } from '#/protocol/event/pdu.ts'
import { redact } from '#/protocol/event/redact.ts'
import type { EventId } from '#/protocol/ids/event-id.ts'
import { parseUserId, type UserId } from '#/protocol/ids/user-id.ts'
import { canonicalJson } from '#/protocol/json/canonical.ts'
import { isArray, type JsonObject, member } from '#/protocol/json/value.ts'
import { addedAliases, requireAliasesOf } from './directory/canonical.ts'
import { guestsOutOps } from './guests-out.ts'
import { RECENT_TXNS_MAX, REDACT_REL_TYPES_MAX } from './limits.ts'
import type { MembershipChange, MembershipService } from './membership.ts'
import { refuseUnmeant } from './own-content.ts'
import { redactRelatedOp } from './redact-related.ts'
import { checkRelation } from './relating.ts'
import type { RoomWriter } from './room-writer.ts'
import { pduOfRow } from './stored-event.ts'

/** Who sends, with the transaction that makes a repetition harmless. */
export interface Sender {
  readonly userId: UserId
  readonly deviceId: string
  /** Whether the account is suspended and may redact its own events alone. */
  readonly ownOnly?: boolean
}

/** https://spec.matrix.org/v1.16/client-server-api/#transaction-identifiers */
export interface Transaction {
  /** Method and path without the id: ids are scoped by device and endpoint. */
  readonly scope: string
  readonly txnId: string
}

/** State that decides whether a sender may see that a room exists at all. */
const MEMBER_NEEDS = (userId: string): StateKeyPair[] => [['m.room.member', userId]]

/** What a room must not lose: what it is (adv-14), and which servers it keeps out. */
const UNREDACTABLE: ReadonlySet<string> = new Set(['m.room.create', 'm.room.server_acl'])

/** MSC3912, by the name of the proposal and by the unstable one that clients use. */
const WITH_RELATIONS = ['with_rel_types', 'org.matrix.msc3912.with_relations'] as const

export class SendService {
  readonly #writer: RoomWriter
  readonly #membership: MembershipService
  readonly #store: Store
  readonly #clock: Clock
  readonly #redactionRetentionMs: number | undefined
  readonly #redactsRelated: boolean
  readonly #onJob: () => void
  /** Transactions under way, so that a repetition waits for the first instead of sending again. */
  readonly #underWay = new Map<string, Promise<string>>()
  readonly #recent = new Lru<string, string>(RECENT_TXNS_MAX)

  constructor(deps: {
    writer: RoomWriter
    membership: MembershipService
    store: Store
    clock: Clock
    /** How long originals of redacted events are kept; undefined keeps them for ever. */
    redactionRetentionMs: number | undefined
    /** Whether a redaction may take related events with it. */
    redactsRelated?: boolean
    /** Called when a job was planned. */
    onJob?: () => void
  }) {
    this.#redactsRelated = deps.redactsRelated ?? false
    this.#onJob = deps.onJob ?? (() => {})
    this.#writer = deps.writer
    this.#membership = deps.membership
    this.#store = deps.store
    this.#clock = deps.clock
    this.#redactionRetentionMs = deps.redactionRetentionMs
    this.#onJob = deps.onJob ?? (() => {})
  }

  /** Sends a message event. Returns its id; a repeated transaction id returns the first one's. */
  message(
    from: Sender,
    roomId: string,
    type: string,
    content: JsonObject,
    transaction: Transaction,
    /** Further operations of the same plan. */
    ops: readonly Op[] = [],
  ): Promise<string> {
    if (type === 'm.room.redaction' && typeof content['redacts'] === 'string') {
      return this.redact(from, roomId, content['redacts'] as EventId, content, transaction, ops)
    }
    refuseUnmeant({ roomId, sender: from.userId, type, content })
    return this.#once(from, transaction, async () => {
      const guards = await checkRelation(this.#store, { roomId, sender: from.userId, type, content })
      return this.#writer.write({
        roomId,
        draft: () => ({ type, sender: from.userId, content }),
        more: () => [...this.#txnOps(from, transaction), ...guards, ...ops],
      })
    })
  }

  /** Sets a state event. The id of the present event is returned when it says the same already. */
  async state(
    from: Sender,
    roomId: string,
    type: string,
    stateKey: string,
    content: JsonObject,
    /** Further operations of the same plan; not made when the present state says the same. */
    ops: readonly Op[] = [],
  ): Promise<string> {
    const change = type === 'm.room.member' && memberChange(from.userId, roomId, stateKey, content)
    if (change) return this.#membership.change({ ...change, ops })
    refuseUnmeant({ roomId, sender: from.userId, type, stateKey, content })
    let guards: readonly Op[] = []
    const eventId = await this.#writer.write({
      roomId,
      needs: [[type, stateKey]],
      draft: async (room) => {
        const present = room.state(type, stateKey)
        if (present?.sender === from.userId && sameContent(present, content)) {
          return { already: present.eventId }
        }
        guards = await checkRelation(this.#store, { roomId, sender: from.userId, type, content })
        if (type === 'm.room.canonical_alias' && stateKey === '') {
          await requireAliasesOf(this.#store.directory, room.nid, addedAliases(content, present?.content))
        }
        return { type, sender: from.userId, stateKey, content }
      },
      more: (_, pdu) => [...guards, ...guestsOutOps(pdu, this.#clock.now()), ...ops],
    })
    if (type === 'm.room.guest_access') this.#onJob()
    return eventId
  }

  /** Whether an event is known that somebody else has sent. */
  async isAnothers(userId: UserId, eventId: EventId): Promise<boolean> {
    const row = await this.#store.events.byId(eventId)
    return row !== undefined && row.sender !== userId
  }

  /** Redacts an event: sends the redaction, and where it applies puts the redacted form in place. */
  redact(
    from: Sender,
    roomId: string,
    targetId: EventId,
    given: JsonObject,
    transaction: Transaction,
    /** Further operations of the same plan. */
    more: readonly Op[] = [],
  ): Promise<string> {
    const { content, relTypes } = this.#withRelated(given)
    return this.#once(from, transaction, async () => {
      const row = await this.#store.events.byId(targetId)
      const room = await this.#store.rooms.byId(roomId)
      return this.#writer.write({
        roomId,
        needs: [['m.room.create', ''], ['m.room.power_levels', ''], ...MEMBER_NEEDS(from.userId)],
        draft: (live) => {
          const sender = live.state('m.room.member', from.userId)
          if (!sender || membershipOf(sender) !== 'join') {
            throw new MatrixError('M_FORBIDDEN', 'You are not in this room.')
          }
          if (!row || row.room !== room?.nid) {
            throw new MatrixError('M_INVALID_PARAM', 'There is no such event in this room.')
          }
          const { redacts: _, ...rest } = content
          return { type: 'm.room.redaction', sender: from.userId, content: rest, redacts: targetId }
        },
        more: (live, redaction) => {
          const ops: Op[] = [...this.#txnOps(from, transaction), ...more]
          const target = row && pduOfRow(row, live.rules)
          if (target && UNREDACTABLE.has(target.type)) {
            throw new MatrixError('M_FORBIDDEN', 'Events of this type are not redacted.')
          }
          if (from.ownOnly && target?.sender !== from.userId) {
            throw new MatrixError('M_USER_SUSPENDED', 'While suspended you may redact your own events only.')
          }
          /* Other servers take the word of a sender's server; that word is given for own events and by level alone. */
          const may = target && (target.sender === from.userId || mayRedactOthers(live.state, from.userId))
          if (!target || !may || !redactionApplies(redaction, target, live.state)) {
            throw new MatrixError('M_FORBIDDEN', 'You may not redact this event.')
          }
          ops.push({
            op: 'event.redact',
            target: targetId,
            by: { slot: 0 },
            json: canonicalJson(redact(live.rules, target.json)),
            keepUntil: this.#keepUntil(),
          })
          if (relTypes.length > 0) {
            const { redacts: _, ...rest } = content
            const work = { roomId, target: targetId, sender: from.userId, relTypes, content: rest }
            ops.push(redactRelatedOp(redaction.eventId, work, this.#clock.now()))
          }
          return ops
        },
      })
    }).finally(() => {
      if (relTypes.length > 0) this.#onJob()
    })
  }

  /** What a redaction says, and the kinds of relations that it takes with it (MSC3912), where that is switched on. */
  #withRelated(given: JsonObject): { content: JsonObject; relTypes: readonly string[] } {
    const name = this.#redactsRelated ? WITH_RELATIONS.find((key) => Object.hasOwn(given, key)) : undefined
    const relTypes = name && member(given, name)
    if (name === undefined || relTypes === undefined) return { content: given, relTypes: [] }
    const all = isArray(relTypes) && relTypes.length <= REDACT_REL_TYPES_MAX ? relTypes : [undefined]
    if (!all.every((relType) => typeof relType === 'string')) {
      throw new MatrixError('M_BAD_JSON', `\`${name}\` is a list of at most ${REDACT_REL_TYPES_MAX} strings.`)
    }
    const entries = Object.entries(given).filter(([key]) => !WITH_RELATIONS.some((other) => other === key))
    const content = Object.fromEntries(entries) as JsonObject
    return { content, relTypes: all as readonly string[] }
  }

  #keepUntil(): number {
    if (this.#redactionRetentionMs === undefined) return Number.MAX_SAFE_INTEGER
    return this.#clock.now() + this.#redactionRetentionMs
  }

  #txnOps(from: Sender, transaction: Transaction): EventOp[] {
    return [
      {
        op: 'event.txn',
        event: { slot: 0 },
        user: from.userId,
        device: from.deviceId,
        scope: transaction.scope,
        txnId: transaction.txnId,
        ts: this.#clock.now(),
      },
    ]
  }

  async #once(from: Sender, transaction: Transaction, send: () => Promise<string>): Promise<string> {
    const { scope, txnId } = transaction
    const name = `${from.userId}\0${from.deviceId}\0${scope}\0${txnId}`
    const known = this.#underWay.get(name) ?? this.#recent.get(name)
    if (known !== undefined) return known
    const mine = this.#sendOrFind(from, transaction, send)
    this.#underWay.set(name, mine)
    try {
      const eventId = await mine
      this.#recent.set(name, eventId)
      return eventId
    } finally {
      this.#underWay.delete(name)
    }
  }

  /*
   * Nothing is read before: the guard in the store refuses a transaction id that was used, and gives its event. Only
   * what fails is looked up, since who repeats may have lost the right to send since.
   */
  async #sendOrFind(
    from: Sender,
    { scope, txnId }: Transaction,
    send: () => Promise<string>,
  ): Promise<string> {
    try {
      return await send()
    } catch (error) {
      const before = await this.#store.events.byTxn(from.userId, from.deviceId, scope, txnId)
      if (before === undefined) throw error
      return before
    }
  }
}

/** What a member event asks for, so that it takes the same way as joining, inviting and leaving do. */
function memberChange(
  sender: UserId,
  roomId: string,
  stateKey: string,
  content: JsonObject,
): MembershipChange | undefined {
  const target = parseUserId(stateKey)
  const membership = content['membership']
  if (target === undefined || !isMembership(membership)) return undefined
  return { roomId, sender, target, membership, content }
}

function isMembership(value: unknown): value is MembershipChange['membership'] {
  return typeof value === 'string' && ['join', 'invite', 'leave', 'ban', 'knock'].includes(value)
}

function sameContent(present: Pdu, content: JsonObject): boolean {
  return canonicalJson(present.content) === canonicalJson(content)
}

/** https://spec.matrix.org/v1.16/client-server-api/#redactions: the level `redact` is asked of whoever redacts for others. */
function mayRedactOthers(state: StateLookup, userId: UserId): boolean {
  const create = state('m.room.create', '')
  if (!create) return false
  const levels = powerLevelsOf(create, state('m.room.power_levels', ''))
  return atLeast(levels.user(userId), levels.named('redact'))
}
