/**
 * What is told of the events that relate to an event, in its `unsigned`: the newest edit, references, the thread.
 * https://spec.matrix.org/v1.19/client-server-api/#aggregations-of-child-events
 */
import { type Clock, turn } from '#/base/world.ts'
import type { EventRow } from '#/ports/store/events.ts'
import type { ReferenceRow, RelationTarget } from '#/ports/store/relations.ts'
import type { Store } from '#/ports/store/store.ts'
import { ANNOTATION, REPLACE, THREAD } from '#/protocol/event/relation.ts'
import type { RoomVersionRules } from '#/protocol/room-version/rules.ts'
import type { IgnoredUsers } from '../../accounts/ignored-users.ts'
import {
  BUNDLED_REFERENCES_MAX,
  BUNDLES_AT_ONCE,
  EDITS_LOOKED_AT_MAX,
  IGNORED_COUNTED_MAX,
  RELATION_TARGETS_PER_READ,
  THREAD_EVENTS_LOOKED_AT_MAX,
} from './limits.ts'
import type { RelationNews } from './relation-news.ts'
import { membershipsAt, visibleTo } from './visibility.ts'

/** An event that may get a bundle. */
export interface Candidate {
  readonly row: EventRow
  /** The kind of its own relation. */
  readonly relType: string | undefined
}

/** An event that goes into a bundle, with the reader's membership at it. */
export interface Child {
  readonly row: EventRow
  readonly membership: string
}

export interface BundleReader {
  readonly userId: string
  readonly rules: RoomVersionRules
  /** Where what relates to events is looked for. */
  readonly reads: Store
  /** Whether threads are told of; not in the bundle of a thread's own last event. */
  readonly threads: boolean
  /** JSON texts of events of the bundles, in order; `withBundles` where these have bundles of their own. */
  render(children: readonly Child[], withBundles: boolean): Promise<string[]>
}

/** Where the answer of `targets` for an event can be found, and the position it is at least as new as. */
interface Known {
  readonly at: number
  readonly reading: Promise<ReadonlyMap<string, RelationTarget>>
  /** What was read, as soon as it was. */
  targets?: ReadonlyMap<string, RelationTarget>
}

/** An event with something to tell, and what relates to it. */
interface Subject extends Candidate {
  readonly target: RelationTarget
}

interface Found {
  readonly edits: ReadonlyMap<number, EventRow>
  readonly references: ReadonlyMap<number, readonly ReferenceRow[]>
  /** Last events of threads. */
  readonly latest: ReadonlyMap<number, EventRow>
  readonly membershipAt: (nid: number) => string | undefined
  readonly ignored: ReadonlySet<string>
}

/** Whether an event can have a bundle: state events do not, nor what annotates or replaces another. */
export function canHaveBundle({ row, relType }: Candidate): boolean {
  return row.stateKey === null && relType !== ANNOTATION && relType !== REPLACE
}

export class Bundles {
  readonly #store: Store
  readonly #clock: Clock
  readonly #news: RelationNews
  readonly #ignored: IgnoredUsers
  readonly #known = new WeakMap<EventRow, Known>()

  constructor(deps: { store: Store; clock: Clock; news: RelationNews; ignored: IgnoredUsers }) {
    this.#clock = deps.clock
    this.#store = deps.store
    this.#news = deps.news
    this.#ignored = deps.ignored
  }

  /** `m.relations` as JSON text by row id, for those of the events that have any. All can have one. */
  async of(candidates: readonly Candidate[], reader: BundleReader): Promise<ReadonlyMap<number, string>> {
    const bundles = new Map<number, string>()
    const byRoom = new Map<number, Subject[]>()
    for (const subject of await this.#subjects(candidates, reader.reads)) {
      const { room } = subject.row
      const known = byRoom.get(room)
      if (known) known.push(subject)
      else byRoom.set(room, [subject])
    }
    let begun = false
    for (const [room, subjects] of byRoom) {
      for (let i = 0; i < subjects.length; i += BUNDLES_AT_ONCE) {
        if (begun) await turn(this.#clock)
        begun = true
        const some = subjects.slice(i, i + BUNDLES_AT_ONCE)
        for (const [nid, text] of await this.#ofRoom(room, some, reader)) bundles.set(nid, text)
      }
    }
    return bundles
  }

  /** Events to which others relate in a way that is summed up. One read, where it is not known since the last news. */
  async #subjects(candidates: readonly Candidate[], reads: Store): Promise<Subject[]> {
    if (candidates.length === 0) return []
    const at = this.#store.position()
    const missing = new Map<number, EventRow[]>()
    for (const { row } of candidates) {
      const known = this.#known.get(row)
      if (known && this.#news.lastIn(row.room) <= known.at) continue
      const rows = missing.get(row.room)
      if (rows) rows.push(row)
      else missing.set(row.room, [row])
    }
    for (const rows of missing.values()) {
      for (let i = 0; i < rows.length; i += RELATION_TARGETS_PER_READ) {
        this.#read(reads, rows.slice(i, i + RELATION_TARGETS_PER_READ), at)
      }
    }
    const readings = candidates.map(({ row }) => this.#known.get(row)!.reading)
    const answers = await Promise.all(readings)
    return candidates.flatMap((candidate, index) => {
      const target = answers[index]!.get(candidate.row.eventId)
      return target && isTold(target) ? [{ ...candidate, target }] : []
    })
  }

  /** Whether it is known without a wait that an event has no bundle. */
  isBare(row: EventRow): boolean {
    const known = this.#known.get(row)
    if (known?.targets === undefined || this.#news.lastIn(row.room) > known.at) return false
    const target = known.targets.get(row.eventId)
    return target === undefined || !isTold(target)
  }

  /** Finds out what `isBare` says of events. */
  async prepare(candidates: readonly Candidate[], reads: Store): Promise<void> {
    await this.#subjects(candidates, reads)
  }

  /** Asks of events of one room. */
  #read(reads: Store, rows: readonly EventRow[], at: number): void {
    const ids = rows.map((row) => row.eventId)
    const reading = reads.relations
      .targets(rows[0]!.room, ids)
      .then((targets) => new Map(targets.map((target) => [target.eventId, target])))
    const known: Known = { at, reading }
    for (const row of rows) this.#known.set(row, known)
    reading.then(
      (targets) => {
        known.targets = targets
      },
      () => {
        for (const row of rows) if (this.#known.get(row) === known) this.#known.delete(row)
      },
    )
  }

  async #ofRoom(
    room: number,
    subjects: readonly Subject[],
    reader: BundleReader,
  ): Promise<Map<number, string>> {
    const found = await this.#find(room, subjects, reader)
    const parts = new Map<number, string[]>(subjects.map(({ row }) => [row.nid, []]))
    for (const { row, target } of subjects) {
      const ids = (found.references.get(target.nid) ?? [])
        .filter((each) => found.membershipAt(each.event) !== undefined && !found.ignored.has(each.sender))
        .map((each) => `{"event_id":${JSON.stringify(each.eventId)}}`)
      if (ids.length > 0) parts.get(row.nid)!.push(`"m.reference":{"chunk":[${ids.join(',')}]}`)
    }
    await this.#addEdits(subjects, reader, found, parts)
    if (reader.threads) await this.#addThreads(subjects, reader, found, parts)
    const bundles = new Map<number, string>()
    for (const [nid, texts] of parts) if (texts.length > 0) bundles.set(nid, `{${texts.join(',')}}`)
    return bundles
  }

  async #find(room: number, subjects: readonly Subject[], reader: BundleReader): Promise<Found> {
    const { relations, events } = this.#store
    const edited = subjects.filter(({ row, target }) => target.edits > 0 && row.redactedBy === null)
    const edits = new Map<number, EventRow>()
    if (edited.length > 0) {
      const rows = await relations.edits(edited.map(({ target }) => target.nid))
      for (const { target, event } of rows) edits.set(target, event)
    }
    const references = new Map<number, readonly ReferenceRow[]>()
    for (const { target } of subjects) {
      if (target.references === 0) continue
      references.set(target.nid, await relations.references(target.nid, BUNDLED_REFERENCES_MAX))
    }
    const threads = reader.threads ? subjects.filter(isThread) : []
    const latestNids = threads.flatMap(({ target }) => target.threadLatest ?? [])
    const latest = new Map<number, EventRow>()
    if (latestNids.length > 0) {
      for (const row of await events.byNids(latestNids)) latest.set(row.nid, row)
    }
    const nids = [...edits.values(), ...latest.values()].map((row) => row.nid)
    for (const rows of references.values()) for (const row of rows) nids.push(row.event)
    const membershipAt = await membershipsAt(this.#store, room, nids, reader.userId, reader.rules)
    return { edits, references, latest, membershipAt, ignored: await this.#ignored.ignoredBy(reader.userId) }
  }

  async #addEdits(
    subjects: readonly Subject[],
    reader: BundleReader,
    found: Found,
    parts: ReadonlyMap<number, string[]>,
  ): Promise<void> {
    const owners: number[] = []
    const children: Child[] = []
    for (const { row, target } of subjects) {
      const edit = found.edits.get(target.nid)
      const membership = edit && found.membershipAt(edit.nid)
      const child =
        edit && (membership === undefined ? await this.#olderEdit(target, reader) : { row: edit, membership })
      if (child === undefined) continue
      owners.push(row.nid)
      children.push(child)
    }
    const texts = children.length === 0 ? [] : await reader.render(children, false)
    for (const [index, text] of texts.entries()) parts.get(owners[index]!)!.push(`"m.replace":${text}`)
  }

  /** For a reader who may not see the newest edit: the newest one they may see. */
  async #olderEdit(target: RelationTarget, reader: BundleReader): Promise<Child | undefined> {
    const rows = await this.#store.relations.editsOf(target.nid, EDITS_LOOKED_AT_MAX)
    return (await visibleTo(this.#store, rows, reader.userId, reader.rules))[0]
  }

  async #addThreads(
    subjects: readonly Subject[],
    reader: BundleReader,
    found: Found,
    parts: ReadonlyMap<number, string[]>,
  ): Promise<void> {
    const threads = subjects.filter(isThread)
    if (threads.length === 0) return
    const nids = threads.map(({ target }) => target.nid)
    const mine = new Set(await this.#store.relations.threadsOf(reader.userId, nids))
    const hidden = await this.#ignoredCounts(nids, found.ignored)
    const told: { subject: Subject; child: Child; count: number }[] = []
    for (const subject of threads) {
      const { target } = subject
      const row = target.threadLatest === null ? undefined : found.latest.get(target.threadLatest)
      const membership = row && found.membershipAt(row.nid)
      const shown = row && membership !== undefined && !found.ignored.has(row.sender)
      const child = shown ? { row, membership } : await this.#earlierInThread(subject, reader, found.ignored)
      if (child === undefined) continue
      /* Who may not see the end of the thread is not told how it went on. */
      const place = { depth: child.row.depth, arrival: child.row.arrival ?? child.row.nid }
      const whole =
        membership === undefined
          ? await this.#store.relations.threadCountUpTo(target.nid, place)
          : target.threadCount
      told.push({ subject, child, count: Math.max(1, whole - (hidden.get(target.nid) ?? 0)) })
    }
    const texts = await reader.render(
      told.map(({ child }) => child),
      true,
    )
    for (const [index, { subject, count }] of told.entries()) {
      const participated = subject.row.sender === reader.userId || mine.has(subject.target.nid)
      parts
        .get(subject.row.nid)!
        .push(
          `"m.thread":{"latest_event":${texts[index]!},"count":${count},"current_user_participated":${participated}}`,
        )
    }
  }

  /** How much of each thread is by users whom the reader ignores. */
  async #ignoredCounts(
    threads: readonly number[],
    ignored: ReadonlySet<string>,
  ): Promise<Map<number, number>> {
    const counts = new Map<number, number>()
    if (ignored.size === 0) return counts
    const senders = [...ignored].slice(0, IGNORED_COUNTED_MAX)
    for (const { target, count } of await this.#store.relations.threadSenders(threads, senders)) {
      counts.set(target, (counts.get(target) ?? 0) + count)
    }
    return counts
  }

  /** The last event of a thread that the reader may see, among some of the last ones. */
  async #earlierInThread(
    { row, target }: Subject,
    reader: BundleReader,
    ignored: ReadonlySet<string>,
  ): Promise<Child | undefined> {
    const rows = await this.#store.relations.page({
      room: row.room,
      target: target.eventId,
      relType: THREAD,
      dir: 'b',
      limit: THREAD_EVENTS_LOOKED_AT_MAX,
    })
    const others = rows.filter((each) => !ignored.has(each.sender))
    return (await visibleTo(this.#store, others, reader.userId, reader.rules))[0]
  }
}

/** Whether there is something to tell of what relates to an event. */
function isTold({ edits, references, threadCount }: RelationTarget): boolean {
  return edits > 0 || references > 0 || threadCount > 0
}

/** What relates to another event is no root of a thread. */
function isThread({ relType, target }: Subject): boolean {
  return relType === undefined && target.threadCount > 0
}
