/**
 * Events as JSON text for clients. The part that is the same for everybody is made once per event and kept with its
 * row; age, transaction id and the reader's own membership are added for each reader.
 */
import { type Clock, turn } from '#/base/world.ts'
import type { EventRow } from '#/ports/store/events.ts'
import type { Store } from '#/ports/store/store.ts'
import { clientEvent } from '#/protocol/event/client-format.ts'
import { clientText } from '#/protocol/event/client-text.ts'
import { relationOf } from '#/protocol/event/relation.ts'
import type { JsonObject, JsonValue } from '#/protocol/json/value.ts'
import type { RoomVersionRules } from '#/protocol/room-version/rules.ts'
import type { ErasedUsers } from '../../accounts/erased-users.ts'
import { DamagedEvent, pduOfRow } from '../stored-event.ts'
import { type Bundles, canHaveBundle } from './bundles.ts'
import { isErasedForm, withoutErased } from './erased-events.ts'
import { EVENTS_AT_ONCE } from './limits.ts'

/** Who reads. Without a device there are no transaction ids. */
export interface Viewer {
  readonly userId: string
  readonly deviceId?: string | undefined
}

export interface ViewOptions {
  readonly rules: RoomVersionRules
  /** `/sync` names the room outside of the event. */
  readonly withoutRoomId: boolean
  /** The event as servers exchange it, instead of the client format. */
  readonly federationFormat?: boolean
  /** Where what is missing is read; absent: where everybody reads. */
  readonly reads?: Store
  /** The reader's membership at an event, where it is known. */
  readonly membershipAt?: (row: EventRow) => string | undefined
}

/** The common part: an object without its closing brace, and the members of `unsigned` that everybody sees. */
interface Shared {
  readonly head: string
  /** `room_id`, which stands between both parts where it is wanted. */
  readonly room: string
  readonly tail: string
  readonly unsigned: string
  /** The kind of the event's relation to another one. */
  readonly relType: string | undefined
}

/** What became of events that were made together. */
type Made = ReadonlyMap<EventRow, Shared | DamagedEvent>

/** Which bundles of aggregations events get: all, those without threads, or none. */
type Bundling = 'all' | 'without threads' | 'none'

export class ClientEvents {
  readonly #store: Store
  readonly #clock: Clock
  readonly #bundles: Bundles
  readonly #erased: ErasedUsers | undefined
  readonly #shared = new WeakMap<EventRow, Shared | Promise<Made>>()
  readonly #preparing = new WeakMap<EventRow, Promise<void>>()

  constructor(deps: { store: Store; clock: Clock; bundles: Bundles; erased?: ErasedUsers }) {
    this.#erased = deps.erased
    this.#bundles = deps.bundles
    this.#store = deps.store
    this.#clock = deps.clock
  }

  /** One JSON text per row, in order, aggregations of what relates to it included. All rows are of rooms with the given rules. */
  view(rows: readonly EventRow[], viewer: Viewer, options: ViewOptions): Promise<string[]> {
    return this.#view(rows, viewer, options, 'all')
  }

  async #view(
    stored: readonly EventRow[],
    viewer: Viewer,
    options: ViewOptions,
    bundling: Bundling,
  ): Promise<string[]> {
    const erased = await this.#erased?.among(senders(stored))
    const rows = erased?.size
      ? await withoutErased(options.reads ?? this.#store, erased, stored, viewer.userId, options)
      : stored
    const reads = options.reads ?? this.#store
    const [{ parts, bundles }, txns] = await Promise.all([
      this.#sharedAndBundles(rows, viewer, options, bundling),
      this.#transactions(rows, viewer, reads),
    ])
    const now = this.#clock.now()
    return rows.map((row, index) => {
      return textOf(row, parts[index]!, options, now, txns.get(row.nid), bundles.get(row.nid))
    })
  }

  /**
   * `view` without a wait, for messages of others to which nothing relates; undefined where it is not known that they
   * are, as before `prepare`.
   */
  ready(rows: readonly EventRow[], viewer: Viewer, options: ViewOptions): string[] | undefined {
    const now = this.#clock.now()
    const texts: string[] = []
    for (const row of rows) {
      const shared = this.#shared.get(row)
      if (shared === undefined || shared instanceof Promise || row.sender === viewer.userId) return undefined
      if (this.#erased?.isNot(row.sender) === false) return undefined
      if (canHaveBundle({ row, relType: shared.relType }) && !this.#bundles.isBare(row)) return undefined
      texts.push(textOf(row, shared, options, now, undefined, undefined))
    }
    return texts
  }

  /** Makes what `ready` needs of events. Whoever asks for the same events meanwhile waits for the same. */
  prepare(rows: readonly EventRow[], { rules, reads = this.#store }: ViewOptions): Promise<unknown> {
    const missing = rows.filter((row) => !this.#preparing.has(row))
    if (missing.length > 0) {
      const preparing = this.#prepare(missing, rules, reads)
      for (const row of missing) this.#preparing.set(row, preparing)
      const done = (): void => {
        for (const row of missing) this.#preparing.delete(row)
      }
      preparing.then(done, done)
    }
    const [first] = rows
    if (first && rows.length === 1) return this.#preparing.get(first)!
    return Promise.all(rows.map((row) => this.#preparing.get(row)))
  }

  async #prepare(rows: readonly EventRow[], rules: RoomVersionRules, reads: Store): Promise<void> {
    await this.#erased?.among(senders(rows))
    const parts = await this.#sharedOf(rows, rules, reads)
    const candidates = rows.map((row, index) => ({ row, relType: parts[index]!.relType }))
    await this.#bundles.prepare(candidates.filter(canHaveBundle), reads)
  }

  /**
   * The same texts for everybody, without `room_id`, without age and without what the state held before: for state that
   * is sent as a whole.
   */
  async plain(rows: readonly EventRow[], rules: RoomVersionRules): Promise<string[]> {
    const texts: string[] = []
    for (const [index, row] of rows.entries()) {
      if (index > 0 && index % EVENTS_AT_ONCE === 0) await turn(this.#clock)
      const { head, tail } = partsOf(row, rules)
      const redaction = await this.#redactionOf(row, rules)
      texts.push(redaction === '' ? `${head}${tail}}` : `${head}${tail},"unsigned":{${redaction.slice(1)}}}`)
    }
    return texts
  }

  async #sharedAndBundles(
    rows: readonly EventRow[],
    viewer: Viewer,
    options: ViewOptions,
    bundling: Bundling,
  ): Promise<{ parts: readonly Shared[]; bundles: ReadonlyMap<number, string> }> {
    const parts = await this.#sharedOf(rows, options.rules, options.reads ?? this.#store)
    return { parts, bundles: await this.#bundlesOf(rows, parts, viewer, options, bundling) }
  }

  async #bundlesOf(
    rows: readonly EventRow[],
    parts: readonly Shared[],
    viewer: Viewer,
    options: ViewOptions,
    bundling: Bundling,
  ): Promise<ReadonlyMap<number, string>> {
    if (bundling === 'none') return NO_BUNDLES
    const candidates = rows
      .map((row, index) => ({ row, relType: parts[index]!.relType }))
      .filter(canHaveBundle)
    if (candidates.length === 0) return NO_BUNDLES
    return this.#bundles.of(candidates, {
      userId: viewer.userId,
      rules: options.rules,
      threads: bundling === 'all',
      reads: options.reads ?? this.#store,
      render: (children, withBundles) => {
        const memberships = new Map(children.map((child) => [child.row.nid, child.membership]))
        const membershipAt = (row: EventRow) => memberships.get(row.nid)
        const inner = withBundles ? 'without threads' : 'none'
        const childRows = children.map((child) => child.row)
        return this.#view(childRows, viewer, { ...options, membershipAt }, inner)
      },
    })
  }

  /** Many readers who wake at once wait for one making. */
  async #sharedOf(rows: readonly EventRow[], rules: RoomVersionRules, store: Store): Promise<Shared[]> {
    const parts: Shared[] = []
    for (let i = 0; i < rows.length; i += EVENTS_AT_ONCE) {
      if (i > 0) await turn(this.#clock)
      const some = rows.slice(i, i + EVENTS_AT_ONCE)
      this.#make(
        some.filter((row) => !this.#shared.has(row)),
        rules,
        store,
      )
      /* Looked up before any is waited for: those that fail are forgotten then. */
      const found = some.map((row) => ({ row, known: this.#shared.get(row)! }))
      for (const { row, known } of found) {
        const made = known instanceof Promise ? (await known).get(row)! : known
        if (made instanceof Error) throw made
        parts.push(made)
      }
    }
    return parts
  }

  #make(rows: readonly EventRow[], rules: RoomVersionRules, store: Store): void {
    if (rows.length === 0) return
    const making = this.#share(rows, rules, store)
    for (const row of rows) this.#shared.set(row, making)
    const settle = (made?: Made): void => {
      for (const row of rows) {
        const shared = made?.get(row)
        if (shared && !(shared instanceof Error)) this.#shared.set(row, shared)
        else this.#shared.delete(row)
      }
    }
    making.then(settle, () => settle())
  }

  async #share(rows: readonly EventRow[], rules: RoomVersionRules, store: Store): Promise<Made> {
    const changes = rows.filter((row) => row.stateKey !== null && !isErasedForm(row))
    const nids = changes.map((row) => row.nid)
    const found = nids.length === 0 ? [] : await store.state.replaced(nids)
    const before = new Map(found.map(({ by, event }) => [by, event]))
    const made = new Map<EventRow, Shared | DamagedEvent>()
    for (const row of rows) {
      try {
        const parts = partsOf(row, rules)
        const unsigned = previousText(before.get(row.nid), rules) + (await this.#redactionOf(row, rules))
        made.set(row, { ...parts, unsigned })
      } catch (error) {
        /* It is the failure of whoever asks for this event, and of nobody who asks for others. */
        if (!(error instanceof DamagedEvent)) throw error
        made.set(row, error)
      }
    }
    return made
  }

  /** `redacted_because` of a redacted event, with a comma before it. */
  async #redactionOf(row: EventRow, rules: RoomVersionRules): Promise<string> {
    if (row.redactedBy === null) return ''
    const [redaction] = await this.#store.events.byNids([row.redactedBy])
    if (!redaction) return ''
    const because = JSON.stringify(clientEvent(pduOfRow(redaction, rules)))
    return `,"redacted_because":${because},"redacted_by":${JSON.stringify(redaction.eventId)}`
  }

  async #transactions(rows: readonly EventRow[], viewer: Viewer, store: Store): Promise<Map<number, string>> {
    const own = rows.filter((row) => row.sender === viewer.userId)
    if (own.length === 0 || viewer.deviceId === undefined) return new Map()
    const nids = own.map((row) => row.nid)
    const txns = await store.events.txnsOf(viewer.userId, viewer.deviceId, nids)
    return new Map(txns.map((txn) => [txn.event, txn.txnId]))
  }
}

/** The text for one reader: what is the same for all, and what is not. */
function textOf(
  row: EventRow,
  shared: Shared,
  options: ViewOptions,
  now: number,
  txn: string | undefined,
  bundle: string | undefined,
): string {
  let unsigned = `"age":${Math.max(0, now - row.ts)}${shared.unsigned}`
  if (txn !== undefined) unsigned += `,"transaction_id":${JSON.stringify(txn)}`
  const membership = options.membershipAt?.(row)
  if (membership !== undefined) unsigned += `,"membership":${JSON.stringify(membership)}`
  if (bundle !== undefined) unsigned += `,"m.relations":${bundle}`
  return `${headOf(row, shared, options)},"unsigned":{${unsigned}}}`
}

const NO_BUNDLES: ReadonlyMap<number, string> = new Map()

function senders(rows: readonly EventRow[]): string[] {
  return rows.map((row) => row.sender)
}

function open(event: JsonObject): string {
  return JSON.stringify(event).slice(0, -1)
}

/** What is the same of an event for everybody and at all times. Throws DamagedEvent. */
function partsOf(row: EventRow, rules: RoomVersionRules): Omit<Shared, 'unsigned'> {
  const text = clientText(row, rules)
  if (text) {
    const { head, room, tail, content } = text
    return { head, room, tail, relType: relationOf(content)?.relType }
  }
  const pdu = pduOfRow(row, rules)
  return {
    head: open(clientEvent(pdu, { withoutRoomId: true })),
    room: `,"room_id":${JSON.stringify(pdu.roomId)}`,
    tail: '',
    relType: relationOf(pdu.content)?.relType,
  }
}

/** `prev_content` and `replaces_state`, what the key held before, with a comma before them. */
function previousText(row: EventRow | undefined, rules: RoomVersionRules): string {
  if (!row) return ''
  const text = clientText(row, rules)
  const { sender } = text ?? pduOfRow(row, rules)
  const content = text?.contentText ?? JSON.stringify(pduOfRow(row, rules).content)
  const about = `"prev_sender":${JSON.stringify(sender)},"replaces_state":${JSON.stringify(row.eventId)}`
  return `,"prev_content":${content},${about}`
}

/** The event without `unsigned`, open at its end, in the form that is asked for. */
function headOf(row: EventRow, { head, room, tail }: Shared, options: ViewOptions): string {
  if (!options.federationFormat) return options.withoutRoomId ? head + tail : head + room + tail
  const { unsigned: _, ...event } = JSON.parse(row.json) as Record<string, JsonValue>
  return open({ ...event, event_id: row.eventId })
}
