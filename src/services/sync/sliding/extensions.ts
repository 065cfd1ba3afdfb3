/** Extensions of sliding sync: what is not events of rooms. */
import type { AccountDataRow } from '#/ports/store/account-data.ts'
import type { Store } from '#/ports/store/store.ts'
import { type ActiveUser, NO_ROOM } from '../active-user.ts'
import type { DefaultAccountData } from '../v3/sync.ts'
import type { SentRoom, Told } from './connections.ts'
import type { ExtensionScope, SlidingRequest } from './request.ts'

export interface ExtensionDeps {
  readonly store: Store
  readonly defaultAccountData: DefaultAccountData
}

/** What extensions look at. */
export interface ExtensionAsk {
  readonly request: SlidingRequest
  readonly user: ActiveUser
  readonly told: Told
  /** Inclusive end of what is told. */
  readonly now: number
  /** What the client knew of a room before this answer. */
  readonly known: (room: number) => SentRoom | undefined
  /** Rooms that the client knew before this answer. */
  readonly knownRooms: () => Iterable<number>
  /** Rooms of this answer. */
  readonly answered: ReadonlyMap<number, SentRoom>
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

/** Members of the answer's `extensions`, each with its news. */
export async function extensionsAnswer(deps: ExtensionDeps, ask: ExtensionAsk): Promise<ExtensionsAnswer> {
  const { extensions } = ask.request
  const parts: string[] = []
  const told = new Map<string, number>()
  let empty = true
  if (extensions.accountData) {
    const name = `account_data ${JSON.stringify(extensions.accountData)}`
    const text = await accountData(deps, ask, extensions.accountData, ask.told.extensions.get(name) ?? 0)
    told.set(name, ask.now)
    if (text !== undefined) {
      parts.push(`"account_data":${text}`)
      empty = false
    }
  }
  if (extensions.toDevice) {
    const next = JSON.stringify(extensions.toDevice.since ?? '0')
    parts.push(`"to_device":{"next_batch":${next},"events":[]}`)
  }
  if (extensions.e2ee) {
    parts.push('"e2ee":{"device_one_time_keys_count":{},"device_unused_fallback_key_types":[]}')
  }
  return { json: `{${parts.join(',')}}`, empty, told }
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
