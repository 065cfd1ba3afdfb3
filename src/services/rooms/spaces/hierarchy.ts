/**
 * The tree of a space, a page at a time, depth first. https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1roomsroomidhierarchy
 * A walk is kept in memory between its pages and is bound to the user and the parameters that began it; after a
 * restart, or when it was not gone on with, the client begins anew.
 */
import { WeightedLru } from '#/base/weighted-lru.ts'
import type { World } from '#/base/world.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { RoomId } from '#/protocol/ids/room-id.ts'
import { readCard, summaryOf } from '../directory/cards.ts'
import { maySeeCard } from '../directory/outside.ts'
import { childrenOf, type SpaceChild } from './children.ts'
import {
  HIERARCHY_DEPTH_MAX,
  HIERARCHY_LOOKS_MAX,
  HIERARCHY_PAGE_MAX,
  HIERARCHY_WAITING_MAX,
  HIERARCHY_WALK_MS,
  HIERARCHY_WALKS_BYTES,
} from './limits.ts'

export interface HierarchyQuery {
  readonly userId: string
  readonly roomId: RoomId
  readonly suggestedOnly: boolean
  readonly maxDepth?: number | undefined
  readonly limit?: number | undefined
  /** `next_batch` of the page before. */
  readonly from?: string | undefined
}

export interface HierarchyPage {
  readonly rooms: readonly Record<string, unknown>[]
  readonly next_batch?: string
}

interface Step {
  readonly roomId: string
  readonly depth: number
}

/** What a walk is bound to. */
type Bounds = Required<Pick<HierarchyQuery, 'userId' | 'roomId' | 'suggestedOnly'>> & {
  readonly maxDepth: number
}

interface Walk extends Bounds {
  /** Rooms to come, the next one last. */
  readonly waiting: readonly Step[]
  readonly seen: ReadonlySet<string>
  /** Milliseconds of the monotonic clock. */
  readonly until: number
}

/** A room id with its place in a list or a set, roughly. */
const STEP_BYTES = 150
const TOKEN_BYTES = 16

export class HierarchyService {
  readonly #store: Store
  readonly #world: World
  readonly #walks = new WeightedLru<string, Walk>(HIERARCHY_WALKS_BYTES)

  constructor(deps: { store: Store; world: World }) {
    this.#store = deps.store
    this.#world = deps.world
  }

  /** Throws M_FORBIDDEN when the user may not see the first room, M_INVALID_PARAM for a token of another walk. */
  async page(query: HierarchyQuery): Promise<HierarchyPage> {
    const { userId, roomId, suggestedOnly, from } = query
    const maxDepth = Math.min(query.maxDepth ?? HIERARCHY_DEPTH_MAX, HIERARCHY_DEPTH_MAX)
    const bounds = { userId, roomId, suggestedOnly, maxDepth }
    const walk = from === undefined ? undefined : this.#walk(from, bounds)
    const waiting = walk ? [...walk.waiting] : [{ roomId: roomId as string, depth: 0 }]
    const seen = new Set(walk?.seen)
    const limit = Math.min(query.limit ?? HIERARCHY_PAGE_MAX, HIERARCHY_PAGE_MAX)
    const rooms: Record<string, unknown>[] = []
    for (let looks = 0; looks < HIERARCHY_LOOKS_MAX && rooms.length < limit; ) {
      const step = waiting.pop()
      if (!step) break
      if (seen.has(step.roomId)) continue
      looks++
      seen.add(step.roomId)
      const found = await this.#room(step.roomId, bounds)
      if (!found) {
        if (step.depth === 0) throw new MatrixError('M_FORBIDDEN', 'You may not see this room.')
        continue
      }
      rooms.push({ ...found.summary, children_state: found.children })
      if (step.depth < maxDepth) descend(waiting, seen, found.children, step.depth + 1)
    }
    if (waiting.every((step) => seen.has(step.roomId))) return { rooms }
    return {
      rooms,
      next_batch: this.#keep({ ...bounds, waiting, seen, until: this.#now() + HIERARCHY_WALK_MS }),
    }
  }

  /** A room with its children, or undefined when it is not here or the user may not see it. */
  async #room(
    roomId: string,
    { userId, suggestedOnly }: Bounds,
  ): Promise<{ summary: Record<string, unknown>; children: readonly SpaceChild[] } | undefined> {
    const room = await this.#store.rooms.byId(roomId)
    const found = room && (await readCard(this.#store, room))
    if (!room || !found || !(await maySeeCard(this.#store, found, userId))) return undefined
    const isSpace = found.card.roomType === 'm.space'
    const { clock } = this.#world
    const children = isSpace ? await childrenOf(this.#store, clock, room.nid, suggestedOnly) : []
    return { summary: summaryOf(found), children }
  }

  #walk(token: string, bounds: Bounds): Walk {
    const walk = this.#walks.get(token)
    const same =
      walk &&
      walk.userId === bounds.userId &&
      walk.roomId === bounds.roomId &&
      walk.suggestedOnly === bounds.suggestedOnly &&
      walk.maxDepth === bounds.maxDepth
    if (!same || walk.until < this.#now()) {
      throw new MatrixError('M_INVALID_PARAM', 'The token in `from` does not go on with this tree.')
    }
    return walk
  }

  #keep(walk: Walk): string {
    const token = this.#world.rng.bytes(TOKEN_BYTES).toString('base64url')
    this.#walks.set(token, walk, (walk.waiting.length + walk.seen.size) * STEP_BYTES)
    return token
  }

  #now(): number {
    return this.#world.clock.monotonic()
  }
}

/** Puts the children on the heap so that the first of them comes next. Throws M_TOO_LARGE for too wide a tree. */
function descend(
  waiting: Step[],
  seen: ReadonlySet<string>,
  children: readonly SpaceChild[],
  depth: number,
): void {
  for (const child of children.toReversed()) {
    if (!seen.has(child.state_key)) waiting.push({ roomId: child.state_key, depth })
  }
  if (waiting.length > HIERARCHY_WAITING_MAX) {
    throw new MatrixError('M_TOO_LARGE', 'This space has too many rooms to be shown at once.')
  }
}
