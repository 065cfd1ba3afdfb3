/**
 * What the database says happened in a room, and a plain model of who may see what of it. The rooms of one server are
 * lines: the state before an event is what the events before it made.
 */
import type { DatabaseSync } from 'node:sqlite'

/** Of the room versions that are tried, those that know knocking. */
export const KNOCK_VERSIONS: ReadonlySet<string> = new Set(['10', '11', '12'])

export interface TruthEvent {
  readonly nid: number
  readonly eventId: string
  readonly type: string
  readonly sender: string
  readonly stateKey: string | null
  readonly redactedBy: number | null
  readonly depth: number
  // biome-ignore lint/suspicious/noExplicitAny: content of any event
  readonly content: any
  /** The content before a redaction, as far as that is still known; what it became afterwards else. */
  // biome-ignore lint/suspicious/noExplicitAny: content of any event
  readonly whole: any
  /** Whether a purge took it away. */
  readonly purged: boolean
}

interface Row {
  nid: number
  room_id: string
  event_id: string
  type: string
  sender: string
  state_key: string | null
  redacted_by: number | null
  depth: number
  json: string
  original: string | null
  purged: number
}

const COLUMNS = `e.nid, r.room_id, e.event_id, e.type, e.sender, e.state_key, e.redacted_by, e.depth, e.json,
  o.json AS original, e.arrival`
const JOINS = `JOIN rooms r ON r.nid = e.room LEFT JOIN event_originals o ON o.event = e.nid
  WHERE e.arrival IS NOT NULL AND e.rejected_rule IS NULL`
const EVENTS = `SELECT ${COLUMNS}, 0 AS purged FROM events e ${JOINS}
  UNION ALL SELECT ${COLUMNS}, 1 AS purged FROM sim_purged e ${JOINS} ORDER BY arrival`

/** Has a database keep what is purged, for the truth alone. */
export function keepPurged(database: DatabaseSync): void {
  const columns =
    'nid room event_id type sender state_key redacted_by depth json arrival rejected_rule'.split(' ')
  const old = columns.map((column) => `OLD.${column}`)
  database.exec(`CREATE TABLE IF NOT EXISTS sim_purged AS SELECT ${columns.join()} FROM events WHERE 0`)
  database.exec(`CREATE TRIGGER IF NOT EXISTS sim_purging AFTER DELETE ON events BEGIN
    INSERT INTO sim_purged VALUES (${old.join()}); END`)
}

type Membership = string

export class RoomTruth {
  readonly roomId: string
  readonly events: TruthEvent[] = []
  readonly byId = new Map<string, number>()
  /** Current state: event by `type NUL state_key`. */
  readonly state = new Map<string, TruthEvent>()
  /** History visibility before each event and, at the end, after all. */
  readonly #visibility: string[] = ['shared']
  /** By user: index of the event that set a membership, and the membership. */
  readonly #members = new Map<string, { readonly index: number; readonly membership: Membership }[]>()

  constructor(roomId: string) {
    this.roomId = roomId
  }

  add(event: TruthEvent): void {
    const index = this.events.length
    this.events.push(event)
    this.byId.set(event.eventId, index)
    let visibility = this.#visibility[index]!
    if (event.stateKey !== null) this.state.set(`${event.type}\0${event.stateKey}`, event)
    if (event.type === 'm.room.history_visibility' && event.stateKey === '') {
      visibility = String(event.content.history_visibility ?? 'shared')
    }
    if (event.type === 'm.room.member' && event.stateKey !== null) {
      const entry = { index, membership: event.content.membership as string }
      const list = this.#members.get(event.stateKey)
      if (list) list.push(entry)
      else this.#members.set(event.stateKey, [entry])
    }
    this.#visibility.push(visibility)
  }

  /** Membership of a user before the event at `index`. */
  membershipBefore(user: string, index: number): Membership {
    return this.#members.get(user)?.findLast((entry) => entry.index < index)?.membership ?? 'leave'
  }

  /**
   * Whether an event after the one at `index` set a join rule that the room's version does not know. The auth rules
   * then refuse every join, also of who is in the room, and a new name is one.
   */
  letNobodyIn(index: number): boolean {
    const version = String(this.state.get('m.room.create\0')?.content.room_version ?? '1')
    if (KNOCK_VERSIONS.has(version)) return false
    return this.events
      .slice(index)
      .some(({ type, content }) => type === 'm.room.join_rules' && content.join_rule === 'knock')
  }

  get members(): Iterable<string> {
    return this.#members.keys()
  }

  membership(user: string): Membership | undefined {
    return this.#members.get(user)?.at(-1)?.membership
  }

  /** Whether a user is invited in answer to a knock, perhaps more than once. */
  answersKnock(user: string): boolean {
    const list = this.#members.get(user) ?? []
    const before = list.findLast((entry) => entry.membership !== 'invite')
    return list.at(-1)?.membership === 'invite' && before?.membership === 'knock'
  }

  /** How often a user came in. */
  entries(user: string): number {
    const list = this.#members.get(user) ?? []
    return list.filter(
      (entry, i) => entry.membership === 'join' && (i === 0 || list[i - 1]!.membership !== 'join'),
    ).length
  }

  /** The member event of a user that holds now, as index. */
  memberIndex(user: string): number {
    return this.#members.get(user)?.at(-1)?.index ?? -1
  }

  users(membership: string): string[] {
    return [...this.#members.keys()].filter((user) => this.membership(user) === membership).sort()
  }

  /** Whether a user was in the room at some time from an event to `position`, so that they may know it as state. */
  inAfter(user: string, index: number, position: number): boolean {
    if (this.membershipBefore(user, index + 1) === 'join') return true
    return (this.#members.get(user) ?? []).some(
      (entry) =>
        entry.index > index && entry.membership === 'join' && this.events[entry.index]!.nid <= position,
    )
  }

  /** Whether an event may be shown to a user; `/sync` tells everybody of their own memberships. */
  mayShow(user: string, index: number, position: number): boolean {
    const event = this.events[index]
    const own = event?.type === 'm.room.member' && event.stateKey === user
    return own || this.visible(user, index, position)
  }

  /** Whether a user may see an event when the server's newest position is `position`. */
  visible(user: string, index: number, position: number): boolean {
    const before = this.membershipBefore(user, index)
    const after = this.membershipBefore(user, index + 1)
    const joinedLater = (this.#members.get(user) ?? []).some(
      (entry) =>
        entry.index > index && entry.membership === 'join' && this.events[entry.index]!.nid <= position,
    )
    for (const visibility of [this.#visibility[index], this.#visibility[index + 1]]) {
      for (const membership of [before, after]) {
        if (visibility === 'world_readable' || membership === 'join') return true
        if (visibility === 'shared' && joinedLater) return true
        if (visibility === 'invited' && membership === 'invite') return true
      }
    }
    return false
  }
}

/** All rooms of a server by id. */
export function readTruth(database: DatabaseSync): Map<string, RoomTruth> {
  const rooms = new Map<string, RoomTruth>()
  for (const row of database.prepare(EVENTS).all() as unknown as Row[]) {
    let room = rooms.get(row.room_id)
    if (!room) {
      room = new RoomTruth(row.room_id)
      rooms.set(row.room_id, room)
    }
    room.add({
      nid: row.nid,
      eventId: row.event_id,
      type: row.type,
      sender: row.sender,
      stateKey: row.state_key,
      redactedBy: row.redacted_by,
      depth: row.depth,
      content: contentOf(row.json),
      whole: contentOf(row.original ?? row.json),
      purged: row.purged === 1,
    })
  }
  return rooms
}

function contentOf(json: string): unknown {
  return (JSON.parse(json) as { content: unknown }).content
}
