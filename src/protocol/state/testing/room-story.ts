/** A room told event by event, with names instead of ids, for readable scenarios in tests. */

import { checkAuthEvents } from '../../auth/check-auth-events.ts'
import { selectAuthKeys } from '../../auth/select.ts'
import type { Pdu } from '../../event/pdu.ts'
import type { EventId } from '../../ids/event-id.ts'
import type { RoomId } from '../../ids/room-id.ts'
import type { JsonObject } from '../../json/value.ts'
import { ROOM_VERSIONS, type RoomVersion, type RoomVersionRules } from '../../room-version/rules.ts'
import { factsOf, type Rejection } from '../facts.ts'
import { resolveState } from '../resolve.ts'
import { type StateMap, splitStateMapKey, stateMapKey } from '../state-map.ts'
import { makeEvent } from './make-event.ts'
import { type Reading, resolveByTheBook } from './reference.ts'

export interface Told {
  readonly name: string
  readonly type: string
  readonly by: string
  readonly key?: string
  readonly content?: JsonObject
  /** Names of the events of the state in which it is sent; its auth events are chosen among them. */
  readonly after: readonly string[]
  readonly ts?: number
  readonly depth?: number
  readonly id?: string
  readonly rejection?: Rejection
}

export class RoomStory {
  readonly rules: RoomVersionRules
  readonly roomId: RoomId
  readonly events = new Map<EventId, Pdu>()
  readonly rejections = new Map<EventId, Rejection>()
  readonly #byName = new Map<string, EventId>()
  readonly #create: string
  #clock = 0

  /** The room begins with a create event by @alice:a, called `create`. */
  constructor(version: RoomVersion) {
    this.rules = ROOM_VERSIONS[version]
    this.#create = '$create'
    this.roomId = (this.rules.roomIdIsCreateHash ? '!create' : '!room:a') as RoomId
    const content = this.rules.auth.creatorInContent ? { creator: '@alice:a' } : {}
    this.tell({ name: 'create', type: 'm.room.create', by: '@alice:a', key: '', content, after: [] })
  }

  /** Adds an event; throws if it fails against its own auth events, unless it is told to be rejected. */
  tell(told: Told): this {
    const { name, type, by, content = {}, key = '', rejection } = told
    const state = this.state(...told.after)
    this.#clock += 10
    const event = makeEvent({
      id: told.id ?? (name === 'create' ? this.#create : `$${name}`),
      type,
      sender: by,
      stateKey: key,
      content,
      ts: told.ts ?? this.#clock,
      depth: told.depth ?? this.#clock,
      prev: told.after.length === 0 ? [] : [this.id(told.after.at(-1) as string)],
      auth: selectAuthKeys(this.rules, type, by, key, content)
        .map(([authType, authKey]) => state.get(stateMapKey(authType, authKey)))
        .filter((id) => id !== undefined),
      roomId: this.roomId,
      rules: this.rules,
    })
    const verdict = checkAuthEvents(event, this.events, () => false)
    if (rejection === undefined && (!('done' in verdict) || !verdict.done.ok)) {
      throw new Error(`${name} is not allowed: ${JSON.stringify(verdict)}`)
    }
    this.events.set(event.eventId, event)
    this.#byName.set(name, event.eventId)
    if (rejection !== undefined) this.rejections.set(event.eventId, rejection)
    return this
  }

  member(name: string, user: string, membership: string, after: readonly string[], by = user): this {
    return this.tell({ name, type: 'm.room.member', by, key: user, content: { membership }, after })
  }

  levels(name: string, by: string, users: Record<string, number>, after: readonly string[], rest = {}): this {
    return this.tell({ name, type: 'm.room.power_levels', by, content: { users, ...rest }, after, ...rest })
  }

  id(name: string): EventId {
    const id = this.#byName.get(name)
    if (id === undefined) throw new Error(`nothing is called ${name}`)
    return id
  }

  /** The state that the named events make, the later ones above the earlier. */
  state(...names: string[]): StateMap {
    return new Map(
      names.map((name) => {
        const event = this.events.get(this.id(name)) as Pdu
        return [stateMapKey(event.type, event.stateKey as string), event.eventId] as const
      }),
    )
  }

  /** What the states resolve to: names of events by `type|state_key`. */
  resolve(...sets: StateMap[]): Record<string, string> {
    const answer = resolveState(this, sets, factsOf(this.events, this.rejections))
    if ('need' in answer) throw new Error(`needs ${answer.need.join()}`)
    return this.#named(answer.done)
  }

  /** The same by the specification written out. */
  byTheBook(reading: Reading, ...sets: StateMap[]): Record<string, string> {
    return this.#named(resolveByTheBook(this.rules.stateResolution, this, sets, reading))
  }

  #named(state: StateMap): Record<string, string> {
    const names = new Map([...this.#byName].map(([name, id]) => [id, name]))
    const entries = [...state].map(([key, id]) => {
      const { type, stateKey } = splitStateMapKey(key)
      return [stateKey === '' ? type : `${type}|${stateKey}`, names.get(id) as string]
    })
    return Object.fromEntries(entries)
  }
}
