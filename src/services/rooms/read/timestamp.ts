/**
 * `/timestamp_to_event`: the event nearest to a time.
 * https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1roomsroomidtimestamp_to_event
 */
import { type Clock, turn } from '#/base/world.ts'
import type { EventRow, TimePage } from '#/ports/store/events.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { IgnoredUsers } from '../../accounts/ignored-users.ts'
import { accessRoom } from './access.ts'
import { TIMESTAMP_SCAN_MAX } from './limits.ts'
import { endOfHidden, visibleTo } from './visibility.ts'

/** Rows of one read. */
const READ_ROWS = 100

export class TimestampService {
  readonly #store: Store
  readonly #clock: Clock
  readonly #ignored: IgnoredUsers

  constructor(deps: { store: Store; clock: Clock; ignored: IgnoredUsers }) {
    this.#ignored = deps.ignored
    this.#store = deps.store
    this.#clock = deps.clock
  }

  /**
   * The first event at or after `ts` (ms) that the reader may see, or with `dir` b the last at or before it, by
   * `origin_server_ts`; messages of those whom they ignore are passed by. Throws M_FORBIDDEN for a room that is not the
   * reader's to see, M_NOT_FOUND without an event.
   */
  async nearest(roomId: string, userId: string, ts: number, dir: 'f' | 'b'): Promise<EventRow> {
    const { room, rules } = await accessRoom(this.#store, roomId, userId)
    const ignored = await this.#ignored.ignoredBy(userId)
    let from: TimePage['from'] = { ts, arrival: undefined }
    for (let scanned = READ_ROWS; ; scanned += READ_ROWS) {
      const rows = await this.#store.events.byTime({ room: room.nid, from, dir, limit: READ_ROWS })
      const others = rows.filter((row) => row.stateKey !== null || !ignored.has(row.sender))
      const [seen] = await visibleTo(this.#store, others, userId, rules)
      if (seen) return seen.row
      const last = rows.at(-1)
      if (!last || rows.length < READ_ROWS) break
      if (scanned >= TIMESTAMP_SCAN_MAX) {
        const end = await endOfHidden(this.#store, last, dir, userId, rules)
        if (end) return end
        break
      }
      from = { ts: last.ts, arrival: last.arrival ?? last.nid }
      await turn(this.#clock)
    }
    const side = dir === 'f' ? 'after' : 'before'
    throw new MatrixError('M_NOT_FOUND', `There is no event ${side} this time that you may see.`)
  }
}
