/**
 * Random rooms for tests: forks with changes of power levels, bans, kicks, joins, leaves, invites, join rules
 * and topics, sent by people who may and by people who may not, some authorised by outdated state.
 */

import { checkAuthEvents } from '../../auth/check-auth-events.ts'
import { checkAuthRules } from '../../auth/check-auth-rules.ts'
import { selectAuthKeys } from '../../auth/select.ts'
import type { Pdu } from '../../event/pdu.ts'
import type { EventId } from '../../ids/event-id.ts'
import { createEventIdOf, type RoomId } from '../../ids/room-id.ts'
import type { JsonObject } from '../../json/value.ts'
import type { RoomVersionRules } from '../../room-version/rules.ts'
import { factsOf, type Rejection } from '../facts.ts'
import { resolveState } from '../resolve.ts'
import { type StateMap, type StateMapKey, stateMapKey } from '../state-map.ts'
import { makeEvent } from './make-event.ts'
import { type Random, seededRandom } from './random.ts'

export interface RandomRoom {
  readonly rules: RoomVersionRules
  readonly roomId: RoomId
  readonly events: ReadonlyMap<EventId, Pdu>
  readonly rejections: ReadonlyMap<EventId, Rejection>
  /** States to resolve, some of them wrong as a faulty or hostile server might give them. */
  readonly sets: readonly StateMap[]
}

export interface RandomRoomOptions {
  readonly seed: number
  readonly rules: RoomVersionRules
  /** Events beyond the first few, at most. */
  readonly eventsMax: number
}

interface Action {
  readonly type: string
  readonly sender: string
  readonly stateKey?: string
  readonly content: JsonObject
}

interface Branch {
  state: Map<StateMapKey, EventId>
  depth: number
  tip: EventId
  ts: number
}

const USERS = ['@alice:a', '@bob:a', '@carol:b', '@dave:b', '@eve:c']
const LEVELS = [0, 0, 50, 50, 75, 100, -1]

/** Makes a room; equal options make equal rooms. */
export function makeRandomRoom(options: RandomRoomOptions): RandomRoom {
  return new Maker(options).make()
}

class Maker {
  readonly #random: Random
  readonly #rules: RoomVersionRules
  readonly #eventsMax: number
  readonly #events = new Map<EventId, Pdu>()
  readonly #rejections = new Map<EventId, Rejection>()
  readonly #history: StateMap[] = []
  #roomId = '!room:a' as RoomId
  readonly #first: string[]

  constructor(options: RandomRoomOptions) {
    this.#random = seededRandom(options.seed)
    this.#rules = options.rules
    this.#eventsMax = options.eventsMax
    this.#first = USERS.slice(0, 2 + this.#random(4))
  }

  make(): RandomRoom {
    let branches = [this.#begin()]
    for (let left = 1 + this.#random(this.#eventsMax); left > 0; left -= 1) {
      const dice = this.#random(100)
      if (dice < 12 && branches.length < 5) branches.push(this.#fork(this.#pick(branches)))
      else if (dice < 18 && branches.length > 1) branches = this.#merge(branches)
      else this.#step(this.#pick(branches))
    }
    if (branches.length === 1) {
      branches.push(this.#fork(branches[0] as Branch))
      for (const branch of branches) this.#step(branch)
    }
    const sets = branches.map((branch) => this.#maybeWrong(branch.state))
    const { rules } = { rules: this.#rules }
    return { rules, roomId: this.#roomId, events: this.#events, rejections: this.#rejections, sets }
  }

  #begin(): Branch {
    const creator = USERS[0] as string
    const branch: Branch = { state: new Map(), depth: 0, tip: '$none' as EventId, ts: 1000 }
    const content: JsonObject = {
      room_version: this.#rules.version,
      ...(this.#rules.auth.creatorInContent ? { creator } : {}),
      ...(this.#rules.auth.privilegedCreators && this.#random(3) === 0
        ? { additional_creators: [USERS[1] as string] }
        : {}),
      ...(this.#random(12) === 0 ? { 'm.federate': false } : {}),
    }
    this.#send(branch, { type: 'm.room.create', sender: creator, stateKey: '', content })
    this.#send(branch, member(creator, creator, 'join'))
    if (this.#random(8) > 0) this.#send(branch, this.#levels(creator))
    if (this.#random(8) > 0) this.#send(branch, joinRules(creator, 'public'))
    for (const user of this.#first.slice(1)) this.#send(branch, member(user, user, 'join'))
    return branch
  }

  #fork(branch: Branch): Branch {
    return { ...branch, state: new Map(branch.state) }
  }

  /** Two branches become one, with the resolved state. */
  #merge(branches: readonly Branch[]): Branch[] {
    const [a, b, ...rest] = branches as [Branch, Branch, ...Branch[]]
    const room = { rules: this.#rules, roomId: this.#roomId }
    const resolved = resolveState(room, [a.state, b.state], factsOf(this.#events, this.#rejections))
    if ('need' in resolved) throw new Error('facts of a complete room lack events')
    const depth = Math.max(a.depth, b.depth)
    return [{ state: new Map(resolved.done), depth, tip: a.tip, ts: Math.max(a.ts, b.ts) }, ...rest]
  }

  #step(branch: Branch): void {
    this.#send(branch, this.#action())
    if (this.#random(4) === 0) this.#history.push(new Map(branch.state))
  }

  #action(): Action {
    const sender = this.#user()
    const target = this.#user()
    const dice = this.#random(22)
    if (dice < 5) return { type: 'm.room.topic', sender, stateKey: '', content: { topic: `${dice}` } }
    if (dice < 9) return this.#levels(sender)
    if (dice < 11) return member(sender, target, 'ban')
    if (dice < 13) return member(sender, target, 'leave')
    if (dice < 15) return member(sender, sender, 'leave')
    if (dice < 18) return member(sender, sender, 'join')
    if (dice < 19) return member(sender, target, 'invite')
    if (dice < 21) return joinRules(sender, this.#pick(['public', 'invite', 'knock', 'private']))
    const odd = this.#pick(['m.room.power_levels', 'm.room.join_rules', 'm.room.name', 'm.room.aliases'])
    return { type: odd, sender, stateKey: this.#pick(['', 'x', sender, 'a', 'b']), content: {} }
  }

  #levels(sender: string): Action {
    const privileged = this.#rules.auth.privilegedCreators
    const users: Record<string, number> = privileged ? {} : { [USERS[0] as string]: 100 }
    for (const user of USERS.slice(1)) if (this.#random(3) > 0) users[user] = this.#pick(LEVELS)
    if (!privileged && this.#random(6) === 0) users[USERS[0] as string] = this.#pick(LEVELS)
    const content: JsonObject = {
      users,
      ...(this.#random(4) === 0 ? { users_default: this.#pick([0, 50]) } : {}),
      ...(this.#random(4) === 0 ? { state_default: this.#pick([0, 50, 100]) } : {}),
      ...(this.#random(5) === 0 ? { events: { 'm.room.topic': this.#pick(LEVELS) } } : {}),
      ...(this.#random(6) === 0 ? { ban: this.#pick(LEVELS), kick: this.#pick(LEVELS) } : {}),
    }
    return { type: 'm.room.power_levels', sender, stateKey: '', content }
  }

  /** Makes an event in a branch; what fails by the branch's state is kept as rejected. */
  #send(branch: Branch, action: Action): void {
    const { type, sender, stateKey, content } = action
    const outdated = this.#history.length > 0 && this.#random(12) === 0
    const from = outdated ? this.#pick(this.#history) : branch.state
    const auth = selectAuthKeys(this.#rules, type, sender, stateKey, content)
      .map(([authType, key]) => from.get(stateMapKey(authType, key)))
      .filter((id) => id !== undefined)
    branch.depth += 1
    // Clocks go wrong: time may stand still or run backwards.
    branch.ts += this.#random(3) === 0 ? 0 : this.#random(20) - 4
    const isCreate = type === 'm.room.create'
    const id = this.#id(sender)
    if (isCreate && this.#rules.roomIdIsCreateHash) this.#roomId = `!${id.slice(1)}` as RoomId
    const event = makeEvent({
      id,
      type,
      sender,
      content,
      ts: branch.ts,
      depth: branch.depth,
      prev: isCreate ? [] : [branch.tip],
      auth,
      roomId: this.#roomId,
      rules: this.#rules,
      ...(stateKey === undefined ? {} : { stateKey }),
    })
    const rejection = this.#judge(event, branch.state)
    this.#events.set(event.eventId, event)
    if (rejection !== undefined) this.#rejections.set(event.eventId, rejection)
    branch.tip = event.eventId
    // A wrong state from elsewhere may hold an event that we had rejected.
    if (rejection === undefined || (rejection === 'by-state' && this.#random(10) === 0)) {
      branch.state.set(stateMapKey(type, stateKey as string), event.eventId)
    }
  }

  #judge(event: Pdu, state: StateMap): Rejection | undefined {
    if (event.type === 'm.room.create') return undefined
    const own = checkAuthEvents(event, this.#events, (id) => this.#rejections.has(id))
    if ('need' in own || !own.done.ok) return 'by-auth-events'
    const verdict = checkAuthRules(event, (type, key) => {
      const implied = event.rules.roomIdIsCreateHash && type === 'm.room.create'
      const id = implied ? createEventIdOf(event.roomId) : state.get(stateMapKey(type, key))
      return id === undefined ? undefined : this.#events.get(id)
    })
    return verdict.ok ? undefined : 'by-state'
  }

  /** Sometimes the state is as a faulty server gives it: a key missing, or an older event for a key. */
  #maybeWrong(state: StateMap): StateMap {
    const wrong = new Map(state)
    for (const [key] of state) {
      if (this.#random(40) === 0) wrong.delete(key)
      else if (this.#history.length > 0 && this.#random(15) === 0) {
        const older = this.#pick(this.#history).get(key)
        if (older !== undefined) wrong.set(key, older)
      }
    }
    return wrong
  }

  #id(sender: string): EventId {
    const name = `${this.#random(1 << 30).toString(36)}${this.#events.size}`
    const domain = this.#rules.eventIds === 'embedded' ? `:${sender.split(':')[1]}` : ''
    return `$${name}${domain}` as EventId
  }

  #user(): string {
    return this.#pick(USERS)
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#random(items.length)] as T
  }
}

function member(sender: string, target: string, membership: string): Action {
  return { type: 'm.room.member', sender, stateKey: target, content: { membership } }
}

function joinRules(sender: string, rule: string): Action {
  return { type: 'm.room.join_rules', sender, stateKey: '', content: { join_rule: rule } }
}
