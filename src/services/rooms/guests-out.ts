/**
 * Guests leave a room that no longer lets them in, as a durable job.
 * https://spec.matrix.org/v1.19/client-server-api/#guest-access
 */
import type { Op } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { Pdu } from '#/protocol/event/pdu.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import { member } from '#/protocol/json/value.ts'
import { rulesOf } from '#/protocol/room-version/rules.ts'
import type { JobHandler } from '../jobs/scheduler.ts'
import { GUESTS_PER_READ } from './limits.ts'
import type { MembershipService } from './membership.ts'
import { pduOfRow } from './stored-event.ts'

export const GUESTS_OUT_KIND = 'rooms.guests_out'

/** Whether guests may join by this m.room.guest_access event; without one they may not. */
export function guestsMayJoin(event: Pdu | undefined): boolean {
  return event !== undefined && member(event.content, 'guest_access') === 'can_join'
}

/** The operations that belong into the plan of a state event: guests leave when it shuts them out. */
export function guestsOutOps(event: Pdu, now: number): Op[] {
  return isGuestAccess(event) && !guestsMayJoin(event) ? [guestsOutJob(event.roomId, now)] : []
}

/** The same for the plan that redacts an event: without its content nobody is let in. */
export function guestsOutOfRedacted(event: Pdu, now: number): Op[] {
  return isGuestAccess(event) ? [guestsOutJob(event.roomId, now)] : []
}

function isGuestAccess({ type, stateKey }: Pdu): boolean {
  return type === 'm.room.guest_access' && stateKey === ''
}

function guestsOutJob(roomId: string, now: number): Op {
  return { op: 'job.put', kind: GUESTS_OUT_KIND, key: roomId, dueTs: now, data: '{}' }
}

/** Lets the guests of this server leave, unless they may stay by now; running twice does nothing more. */
export function guestsOutHandler(deps: { store: Store; membership: MembershipService }): JobHandler {
  const { store, membership } = deps
  return async (job) => {
    const room = await store.rooms.byId(job.key)
    const rules = room && rulesOf(room.version)
    if (!room || !rules) return undefined
    const [row] = await store.state.current(room.nid, [['m.room.guest_access', '']])
    if (guestsMayJoin(row && pduOfRow(row, rules))) return undefined
    let after = ''
    for (;;) {
      const guests = await store.rooms.guestsJoined(room.nid, after, GUESTS_PER_READ)
      for (const guest of guests) {
        const user = guest as UserId
        try {
          await membership.change({ roomId: job.key, sender: user, target: user, membership: 'leave' })
        } catch (error) {
          /* Gone already, or a room without the way out; nobody else waits for this one. */
          if (!(error instanceof MatrixError) || error.errcode !== 'M_FORBIDDEN') throw error
        }
      }
      const last = guests.at(-1)
      if (last === undefined || guests.length < GUESTS_PER_READ) return undefined
      after = last
    }
  }
}
