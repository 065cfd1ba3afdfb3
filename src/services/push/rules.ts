/** The push rules of users: reading and changing them. https://spec.matrix.org/v1.19/client-server-api/#push-rules-api */
import { KeyedLock } from '#/base/async/keyed-lock.ts'
import { SingleFlight } from '#/base/async/single-flight.ts'
import { WeightedLru } from '#/base/weighted-lru.ts'
import type { Change, Op } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import { defaultPushRules } from '#/protocol/push-rules/default-rules.ts'
import { type CompiledPushRules, compilePushRules } from '#/protocol/push-rules/evaluate.ts'
import {
  DEFAULT_PROFILE,
  isCustom,
  mutedRoom,
  NO_ROOM_PROFILE,
  type Profile,
  profileOf,
  type RoomProfile,
  roomProfilesOf,
} from '#/protocol/push-rules/profile.ts'
import {
  findRule,
  onPresentDefaults,
  type RulePlace,
  withChange,
  withoutRule,
  withRoomCopied,
  withRule,
} from '#/protocol/push-rules/rule-edit.ts'
import type { PushAction, PushRule, PushRuleKind, PushRuleset } from '#/protocol/push-rules/ruleset.ts'
import { type IgnoredUsers, ignoredIn } from '../accounts/ignored-users.ts'
import { kindActions } from './actions.ts'
import {
  MUTED_ROOMS_SMALL,
  PUSH_RULES_BYTES_MAX,
  PUSH_RULES_TRIED_MAX,
  type PushRuleLimits,
  RULES_CACHE_BYTES,
} from './limits.ts'

const TYPE = 'm.push_rules'
const IGNORED = 'm.ignored_user_list'

/** What rules weigh in memory, roughly: those of a user, each character of their JSON, an ignored user. */
const RULES_BYTES = 1000
const BYTES_PER_CHAR = 4
const UNTOUCHED_BYTES = 300
const IGNORED_BYTES = 100

/** What is kept ready of a user's rules. */
export interface KnownRules {
  /** Actions, as JSON, of an event of this kind for which no rule of the user's own looks at more. */
  usualActions(kind: number, roomId: string): string
  readonly ruleset: PushRuleset
  readonly compiled: CompiledPushRules
  readonly profile: Profile
  readonly rooms: ReadonlyMap<string, RoomProfile>
  /** Whether every event of the user's rooms must be evaluated for them. */
  readonly custom: boolean
  /** Users whose events are nothing to this one. */
  readonly ignored: ReadonlySet<string>
}

export class PushRules {
  readonly #limits: PushRuleLimits
  readonly #store: Store
  readonly #ignored: IgnoredUsers
  readonly #lock = new KeyedLock()
  readonly #loading = new SingleFlight<string, KnownRules>()
  readonly #known = new WeightedLru<string, KnownRules>(RULES_CACHE_BYTES)
  readonly #stop: () => void
  #generation = 0
  readonly #changed: (userId: string) => Promise<void>

  /** @param deps.changed hears of users whose rules came to look at more, or no more, than profiles tell */
  constructor(deps: {
    store: Store
    ignored: IgnoredUsers
    changed: (userId: string) => Promise<void>
    limits: PushRuleLimits
  }) {
    this.#limits = deps.limits
    this.#ignored = deps.ignored
    this.#changed = deps.changed
    this.#store = deps.store
    this.#stop = deps.store.onChange((changes) => this.#take(changes))
  }

  close(): void {
    this.#stop()
  }

  /** All rules of a user, made ready. */
  of(userId: string): Promise<KnownRules> {
    const known = this.#known.get(userId)
    return known ? Promise.resolve(known) : this.#loading.run(userId, () => this.#load(userId))
  }

  /** One rule. Throws M_NOT_FOUND. */
  async rule(userId: UserId, kind: PushRuleKind, ruleId: string): Promise<PushRule> {
    return existing((await this.of(userId)).ruleset, kind, ruleId)
  }

  /** Operations for the plan that sets a piece of account data on which it depends who is notified. */
  async accountDataOps(userId: string, type: string, content: JsonObject): Promise<Op[]> {
    if (type !== IGNORED) return []
    const { ruleset, custom } = await this.of(userId)
    const now =
      isCustom(ruleset, await this.#roomsHere(userId, ruleset)) || ignoredIn(userId, content).size > 0
    return now === custom ? [] : [{ op: 'push.custom', user: userId, custom: now }]
  }

  /**
   * Makes or changes a rule of the user's own. Throws M_INVALID_PARAM for one that is too large, M_UNKNOWN when the
   * rule to put it beside is not there.
   */
  async put(userId: UserId, kind: PushRuleKind, rule: PushRule, place: RulePlace): Promise<void> {
    this.#checkRule(rule)
    return this.#change(userId, (rules) => {
      const changed = withRule(rules, kind, rule, place)
      if (changed) return changed
      throw new MatrixError('M_UNKNOWN', `There is no rule of yours named ${place.before ?? place.after}.`)
    })
  }

  /** Takes a rule of the user's own away. Throws M_NOT_FOUND, also for the server's own rules. */
  delete(userId: UserId, kind: PushRuleKind, ruleId: string): Promise<void> {
    return this.#change(userId, (rules) => {
      if (existing(rules, kind, ruleId).default) {
        throw new MatrixError('M_NOT_FOUND', 'This is a rule of the server: it can be disabled, not deleted.')
      }
      return withoutRule(rules, kind, ruleId)
    })
  }

  enable(userId: UserId, kind: PushRuleKind, ruleId: string, enabled: boolean): Promise<void> {
    return this.#change(userId, (rules) => {
      existing(rules, kind, ruleId)
      return withChange(rules, kind, ruleId, { enabled })
    })
  }

  setActions(
    userId: UserId,
    kind: PushRuleKind,
    ruleId: string,
    actions: readonly PushAction[],
  ): Promise<void> {
    return this.#change(userId, (rules) => {
      this.#checkRule({ ...existing(rules, kind, ruleId), actions })
      return withChange(rules, kind, ruleId, { actions })
    })
  }

  /**
   * Copies the rules that look at one room to another that takes its place. Those that the user has for it already
   * stay; nothing is copied where there would be too many.
   */
  async copyRoom(userId: UserId, from: string, to: string): Promise<void> {
    const { ruleset } = await this.of(userId)
    if (withRoomCopied(ruleset, from, to) === ruleset) return
    try {
      await this.#change(userId, (rules) => withRoomCopied(rules, from, to))
    } catch (error) {
      /* The new room is entered all the same. */
      if (!(error instanceof MatrixError)) throw error
    }
  }

  #change(userId: UserId, change: (rules: PushRuleset) => PushRuleset): Promise<void> {
    return this.#lock.run(userId, async () => {
      const before = await this.#load(userId)
      const ruleset = change(before.ruleset)
      checkSize(ruleset, this.#limits.rules)
      const content = JSON.stringify({ global: ruleset })
      if (Buffer.byteLength(content) > PUSH_RULES_BYTES_MAX) throw tooMany(this.#limits.rules)
      const profile = profileOf(ruleset)
      const custom = isCustom(ruleset, await this.#roomsHere(userId, ruleset)) || before.ignored.size > 0
      const result = await this.#store.commit({
        lane: userId,
        ops: [
          {
            op: 'push.rules',
            user: userId,
            content,
            custom,
            profile: profile === before.profile ? undefined : profile,
            rooms: changedRooms(before.rooms, roomProfilesOf(ruleset)),
          },
        ],
      })
      if (!result.ok) throw new Error(`a change of push rules met the conflict ${result.conflict}`)
      if (custom !== before.custom) await this.#changed(userId)
    })
  }

  /** As Synapse measures: the id by itself, and what the rule asks and does as JSON. */
  #checkRule({ rule_id: ruleId, conditions, pattern, actions }: PushRule): void {
    const { idBytes, ruleBytes } = this.#limits
    if (Buffer.byteLength(ruleId) > idBytes) {
      throw new MatrixError('M_INVALID_PARAM', `The id of a push rule has at most ${idBytes} bytes.`)
    }
    const asked = JSON.stringify(conditions ?? pattern ?? [])
    if (Buffer.byteLength(asked + JSON.stringify(actions)) > ruleBytes) {
      throw new MatrixError('M_INVALID_PARAM', `A push rule has at most ${ruleBytes} bytes.`)
    }
  }

  async #load(userId: string): Promise<KnownRules> {
    const generation = this.#generation
    const row = await this.#store.accountData.get(userId, 0, TYPE)
    const ignored = await this.#ignored.ignoredBy(userId)
    const ruleset = row && rulesetOf(userId as UserId, row.content)
    const known = ruleset
      ? stored(ruleset, await this.#roomsHere(userId, ruleset), ignored)
      : new Untouched(userId as UserId, ignored)
    if (this.#generation === generation) {
      const rules = row ? RULES_BYTES + BYTES_PER_CHAR * row.content.length : UNTOUCHED_BYTES
      this.#known.set(userId, known, rules + IGNORED_BYTES * ignored.size)
    }
    return known
  }

  /** Which of the rooms that rules mute by their id are known to be here. With many, those of the user. */
  async #roomsHere(userId: string, ruleset: PushRuleset): Promise<(roomId: string) => boolean> {
    const muted = new Set(ruleset.override.map((rule) => (rule.enabled ? mutedRoom(rule) : undefined)))
    muted.delete(undefined)
    const here = new Set<string>()
    if (muted.size > MUTED_ROOMS_SMALL) {
      for (const { roomId } of await this.#store.rooms.membershipsOf(userId, true)) here.add(roomId)
    } else {
      for (const roomId of muted) if (await this.#store.rooms.byId(roomId!)) here.add(roomId!)
    }
    return (roomId) => here.has(roomId)
  }

  #take(changes: readonly Change[]): void {
    for (const { stream, user, room } of changes) {
      if (stream !== 'account_data' || user === undefined || room !== 0) continue
      this.#generation++
      this.#known.delete(user)
    }
  }
}

function existing(rules: PushRuleset, kind: PushRuleKind, ruleId: string): PushRule {
  const rule = findRule(rules, kind, ruleId)
  if (!rule) throw new MatrixError('M_NOT_FOUND', 'There is no such push rule.')
  return rule
}

/** The rules of users who never changed any differ only in whom they name, so they are made when they are needed. */
class Untouched implements KnownRules {
  readonly #userId: UserId
  readonly ignored: ReadonlySet<string>
  readonly profile = DEFAULT_PROFILE
  readonly rooms = NO_ROOMS

  constructor(userId: UserId, ignored: ReadonlySet<string>) {
    this.#userId = userId
    this.ignored = ignored
  }

  get ruleset(): PushRuleset {
    return defaultPushRules(this.#userId)
  }

  get compiled(): CompiledPushRules {
    return compilePushRules(this.ruleset)
  }

  get custom(): boolean {
    return this.ignored.size > 0
  }

  usualActions(kind: number, roomId: string): string {
    return kindActions(kind, DEFAULTS, roomId)
  }
}

const NO_ROOMS: ReadonlyMap<string, RoomProfile> = new Map()
const DEFAULTS = defaultPushRules('' as UserId)

function rulesetOf(userId: UserId, content: string): PushRuleset {
  return onPresentDefaults(userId, (JSON.parse(content) as { global: PushRuleset }).global)
}

function stored(
  ruleset: PushRuleset,
  isHere: (roomId: string) => boolean,
  ignored: ReadonlySet<string>,
): KnownRules {
  return {
    ruleset,
    compiled: compilePushRules(ruleset),
    profile: profileOf(ruleset),
    rooms: roomProfilesOf(ruleset),
    custom: isCustom(ruleset, isHere) || ignored.size > 0,
    ignored,
    usualActions: (kind, roomId) => kindActions(kind, ruleset, roomId),
  }
}

function changedRooms(
  before: ReadonlyMap<string, RoomProfile>,
  after: ReadonlyMap<string, RoomProfile>,
): [string, string][] {
  const changed: [string, string][] = []
  for (const roomId of new Set([...before.keys(), ...after.keys()])) {
    const now = after.get(roomId) ?? NO_ROOM_PROFILE
    if (now !== (before.get(roomId) ?? NO_ROOM_PROFILE)) changed.push([roomId, now])
  }
  return changed
}

function checkSize(rules: PushRuleset, most: number): void {
  const own = Object.values(rules).flatMap((list) => list.filter((rule) => !rule.default))
  if (own.length > most) throw tooMany(most)
  const tried = [...rules.override, ...rules.content, ...rules.underride].filter(
    (rule) => !rule.default && mutedRoom(rule) === undefined,
  )
  if (tried.length > PUSH_RULES_TRIED_MAX) {
    throw new MatrixError(
      'M_INVALID_PARAM',
      `At most ${PUSH_RULES_TRIED_MAX} rules of your own may look at the content of events.`,
    )
  }
}

function tooMany(most: number): MatrixError {
  return new MatrixError('M_INVALID_PARAM', `You have too many push rules; at most ${most}.`)
}
