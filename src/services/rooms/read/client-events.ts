/**
 * Events as JSON text for clients. The part that is the same for everybody is made once per event and kept with its
 * row; age, transaction id and the reader's own membership are added for each reader.
 */
import { type Clock, turn } from '#/base/world.ts'
import type { EventRow } from '#/ports/store/events.ts'
import type { Store } from '#/ports/store/store.ts'
import { clientEvent } from '#/protocol/event/client-format.ts'
import { relationOf } from '#/protocol/event/relation.ts'
import type { JsonObject, JsonValue } from '#/protocol/json/value.ts'
import type { RoomVersionRules } from '#/protocol/room-version/rules.ts'
import type { ErasedUsers } from '../../accounts/erased-users.ts'
import { pduOfRow } from '../stored-event.ts'
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
  /** The reader's membership at an event, where it is known. */
  readonly membershipAt?: (row: EventRow) => string | undefined
}

/** The common part: an object without its closing brace, and the members of `unsigned` that everybody sees. */
interface Shared {
  readonly roomId: string
  /** Without the room. */
  readonly head: string
  readonly unsigned: string
  /** The kind of the event's relation to another one. */
  readonly relType: string | undefined
}

/** What held the keys of some state events before them, by their row ids. */
type Before = ReadonlyMap<number, EventRow>

/** Which bundles of aggregations events get: all, those without threads, or none. */
type Bundling = 'all' | 'without threads' | 'none'

export class ClientEvents {
  readonly #store: Store
  readonly #clock: Clock
  readonly #bundles: Bundles
  readonly #erased: ErasedUsers | undefined
  readonly #shared = new WeakMap<EventRow, Promise<Shared>>()

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
      ? await withoutErased(this.#store, erased, stored, viewer.userId, options)
      : stored
    const parts = await this.#sharedOf(rows, options.rules)
    const bundles = await this.#bundlesOf(rows, parts, viewer, options, bundling)
    const txns = await this.#transactions(rows, viewer)
    const now = this.#clock.now()
    return rows.map((row, index) => {
      const shared = parts[index]!
      let unsigned = `"age":${Math.max(0, now - row.ts)}${shared.unsigned}`
      const txn = txns.get(row.nid)
      if (txn !== undefined) unsigned += `,"transaction_id":${JSON.stringify(txn)}`
      const membership = options.membershipAt?.(row)
      if (membership !== undefined) unsigned += `,"membership":${JSON.stringify(membership)}`
      const bundle = bundles.get(row.nid)
      if (bundle !== undefined) unsigned += `,"m.relations":${bundle}`
      return `${headOf(row, shared, options)},"unsigned":{${unsigned}}}`
    })
  }

  /**
   * The same texts for everybody, without `room_id`, without age and without what the state held before: for state that
   * is sent as a whole.
   */
  async plain(rows: readonly EventRow[], rules: RoomVersionRules): Promise<string[]> {
    const texts: string[] = []
    for (const [index, row] of rows.entries()) {
      if (index > 0 && index % EVENTS_AT_ONCE === 0) await turn(this.#clock)
      const unsigned: Record<string, JsonValue> = {}
      await this.#addRedaction(row, rules, unsigned)
      texts.push(JSON.stringify(clientEvent(pduOfRow(row, rules), { withoutRoomId: true, unsigned })))
    }
    return texts
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
  async #sharedOf(rows: readonly EventRow[], rules: RoomVersionRules): Promise<Shared[]> {
    const parts: Shared[] = []
    for (let i = 0; i < rows.length; i += EVENTS_AT_ONCE) {
      if (i > 0) await turn(this.#clock)
      const some = rows.slice(i, i + EVENTS_AT_ONCE)
      this.#make(
        some.filter((row) => !this.#shared.has(row)),
        rules,
      )
      for (const row of some) parts.push(await this.#shared.get(row)!)
    }
    return parts
  }

  #make(rows: readonly EventRow[], rules: RoomVersionRules): void {
    const keyed = rows.filter((row) => row.stateKey !== null && !isErasedForm(row))
    const before = keyed.length === 0 ? undefined : this.#before(keyed)
    for (const row of rows) {
      const making = this.#share(row, rules, before)
      this.#shared.set(row, making)
      making.catch(() => this.#shared.delete(row))
    }
  }

  async #share(row: EventRow, rules: RoomVersionRules, before: Promise<Before> | undefined): Promise<Shared> {
    /* Waited for before anything can fail, so that no rejection is left alone. */
    const previous = row.stateKey === null ? undefined : (await before)?.get(row.nid)
    const pdu = pduOfRow(row, rules)
    const unsigned: Record<string, JsonValue> = {}
    addPrevious(row, previous, rules, unsigned)
    await this.#addRedaction(row, rules, unsigned)
    return {
      roomId: pdu.roomId,
      head: open(clientEvent(pdu, { withoutRoomId: true })),
      relType: relationOf(pdu.content)?.relType,
      unsigned: Object.keys(unsigned).length === 0 ? '' : `,${JSON.stringify(unsigned).slice(1, -1)}`,
    }
  }

  /** `redacted_because` of a redacted event. */
  async #addRedaction(
    row: EventRow,
    rules: RoomVersionRules,
    unsigned: Record<string, JsonValue>,
  ): Promise<void> {
    if (row.redactedBy === null) return
    const [redaction] = await this.#store.events.byNids([row.redactedBy])
    if (!redaction) return
    unsigned['redacted_because'] = clientEvent(pduOfRow(redaction, rules))
    unsigned['redacted_by'] = redaction.eventId
  }

  /** The events that held the keys of state events before them. */
  async #before(rows: readonly EventRow[]): Promise<Before> {
    const replaced = await this.#store.state.replaced(rows.map((row) => row.nid))
    return new Map(replaced.map(({ by, event }) => [by, event]))
  }

  async #transactions(rows: readonly EventRow[], viewer: Viewer): Promise<Map<number, string>> {
    const own = rows.filter((row) => row.sender === viewer.userId)
    if (own.length === 0 || viewer.deviceId === undefined) return new Map()
    const nids = own.map((row) => row.nid)
    const txns = await this.#store.events.txnsOf(viewer.userId, viewer.deviceId, nids)
    return new Map(txns.map((txn) => [txn.event, txn.txnId]))
  }
}

const NO_BUNDLES: ReadonlyMap<number, string> = new Map()

/** `prev_content` and `replaces_state`: what the key held before. */
function addPrevious(
  row: EventRow,
  before: EventRow | undefined,
  rules: RoomVersionRules,
  unsigned: Record<string, JsonValue>,
): void {
  if (before === undefined || before.nid === row.nid) return
  const previous = pduOfRow(before, rules)
  unsigned['prev_content'] = previous.content
  unsigned['prev_sender'] = previous.sender
  unsigned['replaces_state'] = previous.eventId
}

function senders(rows: readonly EventRow[]): string[] {
  return rows.map((row) => row.sender)
}

function open(event: JsonObject): string {
  return JSON.stringify(event).slice(0, -1)
}

/** The event without `unsigned`, open at its end, in the form that is asked for. */
function headOf(row: EventRow, shared: Shared, options: ViewOptions): string {
  if (!options.federationFormat) {
    return options.withoutRoomId ? shared.head : `${shared.head},"room_id":${JSON.stringify(shared.roomId)}`
  }
  const { unsigned: _, ...event } = JSON.parse(row.json) as Record<string, JsonValue>
  return open({ ...event, event_id: row.eventId })
}
