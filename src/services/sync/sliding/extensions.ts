/** Extensions of sliding sync: what is not events of rooms. */
import type { AccountDataRow } from '#/ports/store/account-data.ts'
import type { EventRow } from '#/ports/store/events.ts'
import type { Store } from '#/ports/store/store.ts'
import { formatStream } from '../../rooms/read/tokens.ts'
import { subscriptionGroups, type ThreadSubscriptions } from '../../rooms/thread-subscriptions.ts'
import { type ActiveUser, MOVED, NO_ROOM } from '../active-user.ts'
import type { E2eeSync } from '../e2ee.ts'
import type { Inbox } from '../inbox.ts'
import type { Inboxes } from '../inboxes.ts'
import type { DefaultAccountData } from '../v3/sync.ts'
import type { SentRoom, Told } from './connections.ts'
import { type EphemeralDeps, receiptsPart, typingPart } from './ephemeral-extensions.ts'
import { THREAD_SUBSCRIPTIONS_GIVEN_MAX } from './limits.ts'
import type { ExtensionScope, SlidingRequest } from './request.ts'

export interface ExtensionDeps {
  readonly store: Store
  readonly ephemeral: EphemeralDeps
  /** Undefined where users do not subscribe to threads. */
  readonly threadSubscriptions: ThreadSubscriptions | undefined
  readonly defaultAccountData: DefaultAccountData
  readonly e2ee: E2eeSync
  readonly inboxes: Inboxes
}

/** Messages that the client asks for: those of its device after a position. */
export interface Mail {
  readonly inbox: Inbox
  readonly since: number
}

/** What extensions look at. */
export interface ExtensionAsk {
  readonly request: SlidingRequest
  readonly user: ActiveUser
  readonly told: Told
  readonly mail: Mail | undefined
  /** Inclusive end of what is told. */
  readonly now: number
  /** Version of typing up to which this answer tells. */
  readonly typingUpto: number
  /** What the client knew of a room before this answer. */
  readonly known: (room: number) => SentRoom | undefined
  /** Rooms that the client knew before this answer. */
  readonly knownRooms: () => Iterable<number>
  /** Rooms of this answer. */
  readonly answered: ReadonlyMap<number, SentRoom>
  /** Events in the timelines of rooms of this answer. */
  readonly shown: ReadonlyMap<number, readonly EventRow[]>
  /** Rooms that this answer tells from the beginning: the client drops what it had of them. */
  readonly initial: ReadonlySet<number>
  /** Whether an extension that is meant for certain lists and rooms speaks of a room. */
  readonly inScope: (scope: ExtensionScope, room: number) => boolean
}

export interface ExtensionsAnswer {
  /** The object as JSON text. */
  readonly json: string
  /** Whether it has news. */
  readonly empty: boolean
  /** What was told, for the next time. */
  readonly told: ReadonlyMap<string, number>
}

/** Makes the object of an extension, for what was told up to a position before; undefined for no news. */
type Make = (scope: ExtensionScope, since: number | undefined) => Promise<string | undefined>

/** Members of the answer's `extensions`, each with its news. */
export async function extensionsAnswer(deps: ExtensionDeps, ask: ExtensionAsk): Promise<ExtensionsAnswer> {
  const { extensions } = ask.request
  const parts: string[] = []
  const told = new Map<string, number>()
  let empty = true
  /* What was told for other lists and rooms is not known to be enough for these. */
  const tell = async (name: string, scope: ExtensionScope | undefined, upto: number, make: Make) => {
    if (scope === undefined) return
    const key = `${name} ${JSON.stringify(scope)}`
    const text = await make(scope, ask.told.extensions.get(key))
    told.set(key, upto)
    if (text === undefined) return
    parts.push(`"${name}":${text}`)
    empty = false
  }
  const { typingUpto, now } = ask
  await tell('account_data', extensions.accountData, now, (scope, since = 0) =>
    accountData(deps, ask, scope, since),
  )
  await tell('receipts', extensions.receipts, now, (scope, since) =>
    receiptsPart(deps.store, deps.ephemeral, ask, scope, since),
  )
  await tell('typing', extensions.typing, typingUpto, async (scope, since) =>
    typingPart(deps.ephemeral, ask, scope, since),
  )
  if (extensions.threadSubscriptions && deps.threadSubscriptions) {
    const { limit } = extensions.threadSubscriptions
    const since = ask.told.extensions.get(THREADS) ?? 0
    const text = await subscriptions(deps.store, deps.threadSubscriptions, ask, since, limit)
    told.set(THREADS, now)
    if (text !== undefined) {
      parts.push(`"${THREADS}":${text}`)
      empty = false
    }
  }
  if (extensions.toDevice && ask.mail) {
    const { inbox, since } = ask.mail
    const limit = Math.max(1, extensions.toDevice.limit)
    const { texts, reached } = await deps.inboxes.page(inbox, since, now, limit)
    const next = JSON.stringify(formatStream({ epoch: deps.store.epoch, position: reached }))
    parts.push(`"to_device":{"next_batch":${next},"events":[${texts.join(',')}]}`)
    if (texts.length > 0) empty = false
  }
  if (extensions.e2ee) {
    const since = ask.told.extensions.get('e2ee')
    const e2ee = await deps.e2ee.part(ask.user, ask.request.deviceId, since, now)
    told.set('e2ee', now)
    parts.push(`"e2ee":{${e2ee.members}}`)
    if (e2ee.news) empty = false
  } else if (ask.told.extensions.has('e2ee')) {
    /* Who leaves it out for once misses nothing. */
    told.set('e2ee', ask.told.extensions.get('e2ee')!)
  }
  return { json: `{${parts.join(',')}}`, empty, told }
}

const THREADS = 'io.element.msc4308.thread_subscriptions'

/** Threads that the user began or ceased to follow, the newest; where there are more, the token from which on. MSC4308. */
async function subscriptions(
  store: Store,
  threads: ThreadSubscriptions,
  { user, now }: ExtensionAsk,
  since: number,
  limit: number,
): Promise<string | undefined> {
  const moved = user.movedSince(since)
  if (moved && ((moved.get(NO_ROOM) ?? 0) & MOVED.threads) === 0) return undefined
  const most = Math.min(limit, THREAD_SUBSCRIPTIONS_GIVEN_MAX)
  const rows = await threads.since(user.userId, since, now, most + 1)
  if (rows.length === 0) return undefined
  const groups = subscriptionGroups(rows.slice(0, most))
  const last = rows.length > most ? rows[most - 1] : undefined
  const older = last && formatStream({ epoch: store.epoch, position: last.position - 1 })
  return JSON.stringify(older === undefined ? groups : { ...groups, prev_batch: older })
}

/** Account data that changed; all of a room that is new to the client, and all there is for the first time. */
async function accountData(
  deps: ExtensionDeps,
  ask: ExtensionAsk,
  scope: ExtensionScope,
  since: number,
): Promise<string | undefined> {
  const { user, now } = ask
  const fresh = new Set<number>()
  for (const room of ask.answered.keys()) if (since === 0 || !ask.known(room)) fresh.add(room)
  if (since === 0) for (const room of ask.knownRooms()) fresh.add(room)
  const rows: AccountDataRow[] = []
  if (since === 0) {
    rows.push(...(await deps.store.accountData.ofRooms(user.userId, [NO_ROOM])))
    rows.push(...defaults(deps, user.userId, rows))
  } else if (user.dataChangedSince(since)) {
    for (const row of await deps.store.accountData.since(user.userId, since, now)) {
      if (row.room === NO_ROOM || (!fresh.has(row.room) && ask.known(row.room))) rows.push(row)
    }
  }
  if (fresh.size > 0) rows.push(...(await deps.store.accountData.ofRooms(user.userId, [...fresh])))
  const global: string[] = []
  const rooms = new Map<string, string[]>()
  for (const row of rows) {
    const text = `{"type":${JSON.stringify(row.type)},"content":${row.content}}`
    const roomId = user.memberships.get(row.room)?.roomId
    if (row.room === NO_ROOM) global.push(text)
    else if (roomId !== undefined && ask.inScope(scope, row.room)) {
      const texts = rooms.get(roomId)
      if (texts) texts.push(text)
      else rooms.set(roomId, [text])
    }
  }
  if (global.length === 0 && rooms.size === 0) return undefined
  const byRoom = [...rooms].map(([roomId, texts]) => `${JSON.stringify(roomId)}:[${texts.join(',')}]`)
  return `{"global":[${global.join(',')}],"rooms":{${byRoom.join(',')}}}`
}

/** Account data that exists before anyone wrote it. */
function defaults(deps: ExtensionDeps, userId: string, stored: readonly AccountDataRow[]): AccountDataRow[] {
  const types = new Set(stored.map((row) => row.type))
  return deps.defaultAccountData(userId, types).map(({ type, content }) => ({
    room: NO_ROOM,
    type,
    content: JSON.stringify(content),
    position: 0,
  }))
}
