/** Rooms and questions for tests of the authorisation rules. */
import type { Verdict } from '../../errors.ts'
import type { Pdu, StateLookup } from '../../event/pdu.ts'
import { pdu, reference } from '../../event/testing/fixtures.ts'
import type { JsonObject, JsonValue } from '../../json/value.ts'
import type { RoomVersionRules } from '../../room-version/rules.ts'
import { checkAuthRules } from '../check-auth-rules.ts'

export const CREATOR = '@creator:a.example'
export const ADMIN = '@admin:a.example'
export const MOD = '@mod:b.example'
export const USER = '@user:b.example'
export const TARGET = '@target:c.example'

/** What a test says about a room; the rest is ordinary. */
export interface RoomFacts {
  readonly create?: JsonObject
  /** Content of m.room.power_levels; absent for none. */
  readonly levels?: JsonObject
  readonly joinRule?: JsonValue
  /** Memberships; the creator is joined unless said otherwise. */
  readonly members?: Readonly<Record<string, JsonValue>>
  readonly more?: readonly Pdu[]
}

/** The levels of most tests: admin 100 (where the creator may not be named), moderator 50. */
export const LEVELS: JsonObject = { users: { [ADMIN]: 100, [MOD]: 50 } }

export class Room {
  readonly rules: RoomVersionRules
  readonly create: Pdu
  readonly #state = new Map<string, Pdu>()
  #made = 0

  constructor(rules: RoomVersionRules, facts: RoomFacts = {}) {
    this.rules = rules
    const content = { creator: CREATOR, room_version: rules.version, ...facts.create }
    const noRoom = rules.roomIdIsCreateHash ? { room_id: undefined } : {}
    this.create = pdu(rules, {
      ...this.#id(),
      ...noRoom,
      type: 'm.room.create',
      sender: CREATOR,
      state_key: '',
      content,
      prev_events: [],
    })
    this.add(this.create)
    if (facts.levels !== undefined) this.set('m.room.power_levels', '', facts.levels)
    if (facts.joinRule !== undefined) this.set('m.room.join_rules', '', { join_rule: facts.joinRule })
    for (const [user, membership] of Object.entries({ [CREATOR]: 'join', ...facts.members })) {
      if (membership !== null) this.set('m.room.member', user, { membership }, user)
    }
    for (const event of facts.more ?? []) this.add(event)
  }

  #id(): Record<string, JsonValue> {
    return this.rules.eventIds === 'embedded' ? { event_id: `$e${++this.#made}:a.example` } : {}
  }

  add(event: Pdu): Pdu {
    this.#state.set(`${event.type}\n${event.stateKey}`, event)
    return event
  }

  set(type: string, stateKey: string, content: JsonObject, sender = CREATOR): Pdu {
    return this.add(this.event(type, sender, stateKey, content))
  }

  /** An event of this room; `over` replaces members of its JSON. */
  event(
    type: string,
    sender: string,
    stateKey: string | undefined,
    content: JsonObject,
    over: Record<string, JsonValue | undefined> = {},
  ): Pdu {
    return pdu(this.rules, {
      ...this.#id(),
      room_id: this.create.roomId,
      type,
      sender,
      state_key: stateKey,
      content,
      ...over,
    })
  }

  member(sender: string, target: string, membership: JsonValue, more: JsonObject = {}): Pdu {
    return this.event('m.room.member', sender, target, { membership, ...more })
  }

  get lookup(): StateLookup {
    return (type, stateKey) => this.#state.get(`${type}\n${stateKey}`)
  }

  /** `allow`, or the number of the rule that rejects. */
  judge(event: Pdu): string {
    return numberOf(checkAuthRules(event, this.lookup), this.rules)
  }

  /** A reference to an event as this version writes it. */
  ref(event: Pdu): JsonValue {
    return reference(this.rules, event.eventId)
  }
}

/** `allow`, or the rule's number without the version. */
export function numberOf(verdict: Verdict, rules: RoomVersionRules): string {
  return verdict.ok ? 'allow' : verdict.rule.replace(`auth.v${rules.version}.`, '')
}
