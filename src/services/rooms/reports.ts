/**
 * Reports to the administrators. Who reports learns nothing from the answer: neither whether a room or a user exists,
 * nor of an event that they may not see. https://spec.matrix.org/v1.19/client-server-api/#reporting-content
 */
import type { Clock } from '#/base/world.ts'
import type { ReportOp } from '#/ports/store/reports.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { rulesOf } from '#/protocol/room-version/rules.ts'
import { REPORTS_PER_USER_MAX } from './limits.ts'
import { canSee } from './read/visibility.ts'

export interface Report {
  readonly reporter: string
  readonly reason: string | undefined
  readonly score?: number | undefined
}

type Facts = Pick<Extract<ReportOp, { op: 'report.put' }>, 'kind' | 'room' | 'event' | 'target'>

export class ReportService {
  readonly #store: Store
  readonly #clock: Clock

  constructor(deps: { store: Store; clock: Clock }) {
    this.#store = deps.store
    this.#clock = deps.clock
  }

  /** Reports an event. Throws M_NOT_FOUND unless the reporter is in its room and may see it. */
  async event(roomId: string, eventId: string, report: Report): Promise<void> {
    const { events, rooms } = this.#store
    const row = await events.byId(eventId)
    const room = await rooms.byId(roomId)
    const rules = room && rulesOf(room.version)
    if (!row || !room || !rules || row.room !== room.nid || row.arrival === null) throw notFound()
    const membership = await rooms.membership(room.nid, report.reporter)
    if (membership?.membership !== 'join') throw notFound()
    if (!(await canSee(this.#store, row, report.reporter, rules))) throw notFound()
    await this.#keep({ kind: 'event', room: room.nid, event: eventId, target: row.sender }, report)
  }

  /** Reports a room; of one that is not here nothing is kept. */
  async room(roomId: string, report: Report): Promise<void> {
    const room = await this.#store.rooms.byId(roomId)
    if (room) await this.#keep({ kind: 'room', room: room.nid, event: null, target: null }, report)
  }

  /** Reports a user; of one who has no account here nothing is kept. */
  async user(userId: string, report: Report): Promise<void> {
    const account = await this.#store.accounts.byUser(userId)
    if (account) await this.#keep({ kind: 'user', room: 0, event: null, target: userId }, report)
  }

  async #keep(facts: Facts, { reporter, reason, score }: Report): Promise<void> {
    const op: ReportOp = {
      op: 'report.put',
      ...facts,
      reporter,
      reason: reason ?? null,
      score: score ?? null,
      ts: this.#clock.now(),
      keep: REPORTS_PER_USER_MAX,
    }
    await this.#store.commit({ lane: reporter, ops: [op] })
  }
}

function notFound(): MatrixError {
  return new MatrixError('M_NOT_FOUND', 'There is no such event in a room that you are in.')
}
