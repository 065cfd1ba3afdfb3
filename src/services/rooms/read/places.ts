/** Places between the events of a room, and the tokens that name them. */
import type { EventRow } from '#/ports/store/events.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { formatTopological, parsePosition, parseTopological } from './tokens.ts'

/** The gap just before the place that is named, whichever way a reader goes on. */
export interface Place {
  readonly depth: number
  readonly arrival: number
}

/** The gap just before an event. */
export function before(row: EventRow): Place {
  return { depth: row.depth, arrival: row.arrival ?? row.nid }
}

/** The gap just behind an event. */
export function behind(row: EventRow): Place {
  return { depth: row.depth, arrival: (row.arrival ?? row.nid) + 1 }
}

/** The gap from which a reader goes on after an event. */
export function onward(row: EventRow, dir: 'f' | 'b'): Place {
  return dir === 'b' ? before(row) : behind(row)
}

export function tokenOf(store: Store, { depth, arrival }: Place): string {
  return formatTopological({ epoch: store.epoch, depth, arrival })
}

/**
 * The gap that a token names; of a stream token the one behind the newest event at its position. Throws
 * M_INVALID_PARAM for what is no token of this server's present life.
 */
export async function placeOf(store: Store, room: number, token: string): Promise<Place> {
  const topological = parseTopological(token)
  if (topological?.epoch === store.epoch) return topological
  const stream = parsePosition(token)
  if (stream?.epoch !== store.epoch) {
    throw new MatrixError('M_INVALID_PARAM', 'This token is not one of this server.')
  }
  const [newest] = await store.events.timeline({ room, after: 0, upto: stream.position, limit: 1, dir: 'b' })
  return newest ? behind(newest) : { depth: 0, arrival: 0 }
}
