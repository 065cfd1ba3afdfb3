/** What a user's account data says of their rooms: which are direct, and how they are tagged. */
import { Lru } from '#/base/lru.ts'
import type { AccountDataRow } from '#/ports/store/account-data.ts'
import type { Store } from '#/ports/store/store.ts'
import type { InviteFilter } from '#/protocol/invites/invite-filter.ts'
import { isObject } from '#/protocol/json/value.ts'
import type { InviteGuard } from '../../accounts/invite-guard.ts'
import type { ActiveUser } from '../active-user.ts'
import { NO_ROOM } from '../active-user.ts'
import { LABELS_KNOWN_MAX } from './limits.ts'

export interface Labels {
  /** Everything up to it is taken. */
  readonly position: number
  /** Grows whenever direct rooms, tags or the wish for invites change. */
  readonly version: number
  /** Ids of rooms that are direct. */
  readonly direct: ReadonlySet<string>
  /** Tags by the room's row id. */
  readonly tags: ReadonlyMap<number, ReadonlySet<string>>
  /** Which invites the user wants to see. */
  readonly invites: InviteFilter
}

export class LabelsCache {
  readonly #store: Store
  readonly #guard: InviteGuard
  readonly #known = new Lru<string, Labels>(LABELS_KNOWN_MAX)

  constructor(store: Store, guard: InviteGuard) {
    this.#store = store
    this.#guard = guard
  }

  /** The labels as they are at the store's position. */
  async of(user: ActiveUser): Promise<Labels> {
    const now = this.#store.position()
    const known = this.#known.get(user.userId)
    if (known && !user.dataChangedSince(known.position)) return known
    const labels = known ? await this.#moved(user.userId, known, now) : await this.#load(user.userId, now)
    const newer = this.#known.peek(user.userId)
    if (newer && newer.position > labels.position) return newer
    this.#known.set(user.userId, labels)
    return labels
  }

  async #load(userId: string, now: number): Promise<Labels> {
    const direct = await this.#store.accountData.get(userId, NO_ROOM, 'm.direct')
    const tags = new Map<number, ReadonlySet<string>>()
    for (const row of await this.#store.accountData.ofType(userId, 'm.tag')) tags.set(row.room, tagsOf(row))
    const invites = await this.#guard.filterOf(userId)
    return { position: now, version: now, direct: directOf(direct), tags, invites }
  }

  async #moved(userId: string, known: Labels, now: number): Promise<Labels> {
    let { version, direct, tags, invites } = known
    for (const row of await this.#store.accountData.since(userId, known.position, now)) {
      if (row.room === NO_ROOM && row.type === 'm.direct') direct = directOf(row)
      else if (row.type === 'm.tag') tags = new Map(tags).set(row.room, tagsOf(row))
      else if (row.room === NO_ROOM && this.#guard.concerns(row.type)) {
        invites = await this.#guard.filterOf(userId)
      } else continue
      version = now
    }
    return { position: now, version, direct, tags, invites }
  }
}

/** Room ids named in `m.direct`: an object of lists by user. Anything else in it is passed over. */
function directOf(row: AccountDataRow | undefined): Set<string> {
  const rooms = new Set<string>()
  if (!row) return rooms
  for (const list of Object.values(JSON.parse(row.content) as Record<string, unknown>)) {
    if (!Array.isArray(list)) continue
    for (const room of list) if (typeof room === 'string') rooms.add(room)
  }
  return rooms
}

function tagsOf(row: AccountDataRow): Set<string> {
  const { tags } = JSON.parse(row.content) as { tags?: unknown }
  return new Set(isObject(tags as never) ? Object.keys(tags as object) : [])
}
