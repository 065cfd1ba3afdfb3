/** The list of published rooms. https://spec.matrix.org/v1.19/client-server-api/#published-room-directory */
import type { PublishedPlace } from '#/ports/store/directory.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { RoomId } from '#/protocol/ids/room-id.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import { foldSearch } from '#/protocol/listing/room-card.ts'
import { maySendState, powerNeeds } from '../power.ts'
import type { RoomWriter } from '../room-writer.ts'
import type { DirectoryUser } from './aliases.ts'
import { publishedChunk, readCard } from './cards.ts'
import { PUBLISHED_PAGE_MAX, ROOM_ALIASES_MAX } from './limits.ts'
import { formatPlace, parsePlace } from './place-token.ts'
import type { DirectoryPolicy } from './policy.ts'

export interface PublishedQuery {
  readonly server?: string | undefined
  readonly limit?: number | undefined
  readonly since?: string | undefined
  readonly searchTerm?: string | undefined
  readonly roomTypes?: readonly (string | null)[] | undefined
  /** A network of an application service; this server itself has none. */
  readonly network?: string | undefined
}

export interface PublishedAnswer {
  readonly chunk: readonly Record<string, unknown>[]
  readonly next_batch?: string
  readonly prev_batch?: string
  readonly total_room_count_estimate: number
}

export interface PublishedDeps {
  readonly store: Store
  readonly writer: RoomWriter
  readonly serverName: ServerName
  /** `room_list_publication_rules` */
  readonly mayPublish: DirectoryPolicy
  /** `enable_room_list_search` */
  readonly enabled: boolean
}

export class PublishedRooms {
  readonly #deps: PublishedDeps

  constructor(deps: PublishedDeps) {
    this.#deps = deps
  }

  /** Whether a room is published. Throws M_NOT_FOUND for a room that is not here. */
  async isPublished(roomId: RoomId): Promise<boolean> {
    const { store } = this.#deps
    const room = await store.rooms.byId(roomId)
    if (!room) throw notFound()
    return store.directory.isPublished(room.nid)
  }

  /** Throws M_FORBIDDEN when the operator's rules keep a room out of the list. */
  requireAllowed(userId: string, roomId: string, aliases: readonly string[]): void {
    if (!this.#deps.mayPublish(userId, roomId, aliases)) {
      throw new MatrixError('M_FORBIDDEN', 'The rules of this server do not let you publish this room.')
    }
  }

  /** Publishes a room or takes it out. Throws M_NOT_FOUND, M_FORBIDDEN. */
  async set(who: DirectoryUser, roomId: RoomId, published: boolean): Promise<void> {
    const { store, writer } = this.#deps
    const room = await store.rooms.byId(roomId)
    if (!room) throw notFound()
    const live = await writer.look(roomId, powerNeeds(who.userId))
    if (!who.isAdmin && !maySendState(live.state, who.userId, 'm.room.canonical_alias')) {
      throw new MatrixError('M_FORBIDDEN', 'You may not change whether this room is published.')
    }
    if (published) {
      const aliases = await store.directory.aliasesOf(room.nid, ROOM_ALIASES_MAX)
      this.requireAllowed(who.userId, roomId, aliases)
    }
    const op = { op: 'directory.publish', room: room.nid, published } as const
    const result = await store.commit({ lane: roomId, ops: [op] })
    if (!result.ok) throw new Error(`publishing met the conflict ${result.conflict}`)
  }

  /** A page of the list, largest rooms first. Throws M_INVALID_PARAM for a token that is not ours. */
  async page(query: PublishedQuery): Promise<PublishedAnswer> {
    const { store, serverName, enabled } = this.#deps
    if (query.server !== undefined && query.server !== serverName) {
      throw new MatrixError('M_NOT_FOUND', 'The directories of other servers cannot be read yet.')
    }
    const since = query.since === undefined ? undefined : parsePlace(query.since)
    if (query.since !== undefined && !since) {
      throw new MatrixError('M_INVALID_PARAM', 'The token in `since` is not one of this list.')
    }
    if (!enabled || query.network !== undefined) return { chunk: [], total_room_count_estimate: 0 }
    const limit = Math.min(query.limit || PUBLISHED_PAGE_MAX, PUBLISHED_PAGE_MAX)
    const dir = since?.dir ?? 'f'
    const search = query.searchTerm ? foldSearch(query.searchTerm) : undefined
    const wanted = { limit: limit + 1, dir, from: since?.place, search, types: query.roomTypes }
    const found = await store.directory.published(wanted)
    const more = found.length > limit
    const rows = dir === 'f' ? found.slice(0, limit) : found.slice(-limit)
    const chunk: Record<string, unknown>[] = []
    for (const row of rows) {
      const room = await store.rooms.byNid(row.room)
      if (room) chunk.push(publishedChunk({ ...(await readCard(store, room)), joined: row.joined }))
    }
    const total = await store.directory.publishedCount()
    return { chunk, ...ends(rows, dir, more, since !== undefined), total_room_count_estimate: total }
  }
}

/** Tokens of the neighbouring pages: behind where it goes on, and back where the reader came from. */
function ends(
  rows: readonly PublishedPlace[],
  dir: 'f' | 'b',
  more: boolean,
  came: boolean,
): { next_batch?: string; prev_batch?: string } {
  const [first, last] = [rows[0], rows.at(-1)]
  if (!first || !last) return {}
  const next = dir === 'f' ? more : came
  const prev = dir === 'b' ? more : came
  return {
    ...(next ? { next_batch: formatPlace('f', last) } : {}),
    ...(prev ? { prev_batch: formatPlace('b', first) } : {}),
  }
}

function notFound(): MatrixError<'M_NOT_FOUND'> {
  return new MatrixError('M_NOT_FOUND', 'This room is not known here.')
}
