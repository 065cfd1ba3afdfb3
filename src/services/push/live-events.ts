/**
 * What each new event becomes for the local members of its room: operations that go into the event's own plan.
 * Work grows with those whose outcome may differ from the event's kind, not with the members.
 * See docs/decisions/0008-counts.md.
 */
import { type Clock, turn } from '#/base/world.ts'
import type { Op } from '#/ports/store/plan.ts'
import type { PushAction, PushUserRow } from '#/ports/store/push.ts'
import type { Store } from '#/ports/store/store.ts'
import { powerLevelsOf } from '#/protocol/auth/power-levels.ts'
import { clientEvent } from '#/protocol/event/client-format.ts'
import { membershipOf } from '#/protocol/event/content.ts'
import type { Pdu } from '#/protocol/event/pdu.ts'
import { domainOf } from '#/protocol/ids/domain.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import { isArray, isObject, type JsonObject, member } from '#/protocol/json/value.ts'
import { type PushContext, type PushEvent, preparePushEvent } from '#/protocol/push-rules/conditions.ts'
import { evaluatePushRules, outcomeOf, type PushOutcome } from '#/protocol/push-rules/evaluate.ts'
import { eventKind, isLoud } from '#/protocol/push-rules/event-kind.ts'
import { NO_ROOM_PROFILE, outcomeFor } from '#/protocol/push-rules/profile.ts'
import { liveActions } from '#/protocol/push-rules/rule-edit.ts'
import { MAIN_THREAD, threadRelation } from '#/protocol/push-rules/thread.ts'
import type { VerifiedPdu } from '../rooms/ingest/verified.ts'
import type { LiveRoom } from '../rooms/live-room.ts'
import type { Followers } from './followers.ts'
import { ACTIONS_BYTES_MAX, EVALUATION_MS_MAX, MENTIONS_MAX } from './limits.ts'
import type { KnownRules, PushRules } from './rules.ts'

const CREATE = ['m.room.create', ''] as const
const LEVELS = ['m.room.power_levels', ''] as const

/** An event in its room just before it is there. */
interface Happening {
  readonly room: LiveRoom
  readonly pdu: Pdu
  readonly event: PushEvent
  readonly context: PushContext
  readonly kind: number
}

export class LiveEvents {
  readonly #store: Store
  readonly #clock: Clock
  readonly #serverName: ServerName
  readonly #rules: PushRules
  readonly #followers: Followers

  constructor(deps: {
    store: Store
    clock: Clock
    serverName: ServerName
    rules: PushRules
    followers: Followers
  }) {
    this.#store = deps.store
    this.#clock = deps.clock
    this.#serverName = deps.serverName
    this.#rules = deps.rules
    this.#followers = deps.followers
  }

  /**
   * Operations for an event that is about to be written at the head of a room, in slot 0. Runs in the room's turn.
   * `before` is the state event that it takes the place of, `joined` the number of members after it.
   */
  async ops(room: LiveRoom, pdu: VerifiedPdu, before: Pdu | undefined, joined: number): Promise<Op[]> {
    const followers = await this.#followers.of(room, this.#store)
    if (isExit(pdu) && pdu.stateKey !== undefined) this.#followers.exit(room, pdu.stateKey)
    const event = preparePushEvent(clientEvent(pdu))
    const context = contextOf(room, pdu, joined)
    const happening: Happening = { room, pdu, event, context, kind: eventKind(event, context) }
    const { actions, queue } = await this.#outcomes(happening, followers)
    const entering = this.#entering(pdu, before)
    if (entering !== undefined) this.#followers.enter(room, entering)
    const local = domainOf(pdu.sender) === this.#serverName
    return [
      {
        op: 'push.event',
        event: { slot: 0 },
        room: room.nid,
        thread: await this.#threadOf(pdu),
        kind: happening.kind,
        loud: isLoud(happening.kind),
        readBy: local && pdu.stateKey === undefined ? pdu.sender : undefined,
        joined: entering,
        actions,
        queue,
      },
    ]
  }

  /** Operations for an invitation among the first events of a room, in a slot of the plan that makes it. */
  async inviteOps(pdu: VerifiedPdu, slot: number): Promise<Op[]> {
    const user = pdu.stateKey
    if (user === undefined || domainOf(user) !== this.#serverName) return []
    const known = await this.#rules.of(user)
    if (known.ignored.has(pdu.sender)) return []
    const event = preparePushEvent(clientEvent(pdu))
    const context: PushContext = {
      userId: user,
      displayName: undefined,
      memberCount: 1,
      senderPowerLevel: 0,
      notificationLevels: undefined,
    }
    const outcome = evaluatePushRules(known.compiled, event, context)
    const kind = eventKind(event, context)
    const actions = actionsText(outcome)
    const { notify, highlight } = outcome
    return [
      {
        op: 'push.event',
        event: { slot },
        room: 'new',
        thread: MAIN_THREAD,
        kind,
        loud: isLoud(kind),
        readBy: undefined,
        joined: undefined,
        actions: notify ? [{ user, notify, highlight, actions }] : [],
        queue: notify ? [{ user, actions }] : [],
      },
    ]
  }

  /** The local user who comes into the room by this event. */
  #entering(pdu: Pdu, before: Pdu | undefined): string | undefined {
    if (pdu.type !== 'm.room.member' || pdu.stateKey === undefined) return undefined
    if (membershipOf(pdu) !== 'join' || domainOf(pdu.stateKey) !== this.#serverName) return undefined
    return before && membershipOf(before) === 'join' ? undefined : pdu.stateKey
  }

  async #outcomes(
    happening: Happening,
    followers: ReadonlyMap<string, PushUserRow>,
  ): Promise<{ actions: PushAction[]; queue: { user: string; actions: string }[] }> {
    const { pdu, kind, room } = happening
    const named = await this.#named(happening)
    const actions: PushAction[] = []
    const queue: { user: string; actions: string }[] = []
    let started = this.#clock.monotonic()
    for (const user of new Set([...named, ...followers.keys()])) {
      if (user === pdu.sender) continue
      if (this.#clock.monotonic() - started > EVALUATION_MS_MAX) {
        await turn(this.#clock)
        started = this.#clock.monotonic()
      }
      const known = await this.#rules.of(user)
      const profile = known.rooms.get(room.roomId) ?? NO_ROOM_PROFILE
      const usual = outcomeFor(kind, known.profile, profile)
      const pushed = (followers.get(user)?.pushers ?? 0) > 0
      if (!named.has(user) && !known.custom) {
        if (usual > 0 && pushed) queue.push({ user, actions: known.usualActions(kind, room.roomId) })
        continue
      }
      const outcome = await this.#evaluate(happening, user, known)
      const level = levelOf(outcome)
      const text = actionsText(outcome)
      if (level !== usual) actions.push({ user, notify: level > 0, highlight: level > 1, actions: text })
      if (level > 0 && pushed) queue.push({ user, actions: text })
    }
    const own = await this.#ownOutcome(happening)
    return { actions: own === undefined ? actions : [...actions, own], queue }
  }

  /** Nobody is notified of their own events. Messages move the sender's mark besides; state does not. */
  async #ownOutcome({ pdu, kind, room }: Happening): Promise<PushAction | undefined> {
    if (pdu.stateKey === undefined || domainOf(pdu.sender) !== this.#serverName) return undefined
    const known = await this.#rules.of(pdu.sender)
    const usual = outcomeFor(kind, known.profile, known.rooms.get(room.roomId) ?? NO_ROOM_PROFILE)
    if (usual === 0) return undefined
    return { user: pdu.sender, notify: false, highlight: false, actions: '[]' }
  }

  /** Local users whom the event names: the invited one, and members who are mentioned. */
  async #named({ pdu, room }: Happening): Promise<Set<string>> {
    const named = new Set<string>()
    if (pdu.type === 'm.room.member' && pdu.stateKey !== undefined && membershipOf(pdu) === 'invite') {
      if (domainOf(pdu.stateKey) === this.#serverName) named.add(pdu.stateKey)
    }
    const mentions = member(pdu.content, 'm.mentions')
    const ids = isObject(mentions) ? member(mentions, 'user_ids') : undefined
    if (!isArray(ids)) return named
    const local = ids
      .slice(0, MENTIONS_MAX)
      .filter((id): id is string => typeof id === 'string' && domainOf(id) === this.#serverName)
    const unique = [...new Set(local)].filter((user) => user !== pdu.sender)
    await room.load(
      this.#store.state,
      unique.map((user) => ['m.room.member', user] as const),
    )
    for (const user of unique) {
      const event = room.state('m.room.member', user)
      if (event && membershipOf(event) === 'join') named.add(user)
    }
    return named
  }

  async #evaluate(happening: Happening, user: string, known: KnownRules): Promise<PushOutcome> {
    const { event, room, pdu } = happening
    if (known.ignored.has(pdu.sender)) return NOTHING
    const context = {
      ...happening.context,
      userId: user,
      displayName: await this.#displayName(room, user, known),
    }
    let started = this.#clock.monotonic()
    for (const step of known.compiled) {
      const rule = step(event, context)
      if (rule !== undefined) return outcomeOf(rule)
      if (this.#clock.monotonic() - started > EVALUATION_MS_MAX) {
        await turn(this.#clock)
        started = this.#clock.monotonic()
      }
    }
    return NOTHING
  }

  /** Only few rules ask for it. */
  async #displayName(room: LiveRoom, user: string, { ruleset }: KnownRules): Promise<string | undefined> {
    const asked = [...ruleset.override, ...ruleset.underride].some((rule) =>
      rule.conditions?.some((condition) => condition.kind === 'contains_display_name'),
    )
    if (!asked) return undefined
    await room.load(this.#store.state, [['m.room.member', user]])
    const name = member(room.state('m.room.member', user)?.content ?? {}, 'displayname')
    return typeof name === 'string' ? name : undefined
  }

  /**
   * The thread that an event is in: that of `m.thread`, or that of the event it relates to. What was stored of that
   * event has followed its own relation already.
   * https://spec.matrix.org/v1.19/client-server-api/#threaded-read-receipts
   */
  async #threadOf(pdu: Pdu): Promise<string> {
    const { root, parent } = threadRelation(pdu.content)
    if (root !== undefined) return root
    if (parent === undefined) return MAIN_THREAD
    const row = await this.#store.events.byId(parent)
    if (!row) return MAIN_THREAD
    const stored = await this.#store.push.threadOf(row.nid)
    if (stored !== undefined) return stored
    const content = member(JSON.parse(row.json) as JsonObject, 'content')
    return (isObject(content) && threadRelation(content).root) || MAIN_THREAD
  }
}

function isExit(pdu: Pdu): boolean {
  return pdu.type === 'm.room.member' && membershipOf(pdu) !== 'join'
}

const NOTHING: PushOutcome = { rule: undefined, notify: false, highlight: false, tweaks: {} }

function levelOf({ notify, highlight }: PushOutcome): 0 | 1 | 2 {
  return highlight ? 2 : notify ? 1 : 0
}

function actionsText({ rule }: PushOutcome): string {
  const text = JSON.stringify(liveActions(rule?.actions ?? []))
  return Buffer.byteLength(text) > ACTIONS_BYTES_MAX ? '["notify"]' : text
}

/** What rules may ask of the room. */
function contextOf(room: LiveRoom, pdu: Pdu, memberCount: number): PushContext {
  const levels = room.missing([LEVELS]).length === 0 ? room.state(...LEVELS) : undefined
  const notifications = levels && member(levels.content, 'notifications')
  return {
    userId: '',
    displayName: undefined,
    memberCount,
    notificationLevels: isObject(notifications) ? notifications : undefined,
    senderPowerLevel: senderLevel(room, pdu, levels),
  }
}

function senderLevel(room: LiveRoom, pdu: Pdu, levels: Pdu | undefined): number {
  const create = room.missing([CREATE]).length === 0 ? room.state(...CREATE) : undefined
  return create ? Number(powerLevelsOf(create, levels).user(pdu.sender)) : 0
}
