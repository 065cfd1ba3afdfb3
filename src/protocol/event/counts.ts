import { ALLOW, refuse, type Verdict } from '../errors.ts'
import { AUTH_EVENTS_MAX, PREV_EVENTS_MAX } from '../limits.ts'
import type { Pdu } from './pdu.ts'

/**
 * Limits on references, for events that arrive by `/send` and `/get_missing_events` and for those we make. Not for
 * `/backfill`, `/state` and auth chains, which hold older events that broke them. A failure means: drop.
 */
export function checkReferenceCounts(pdu: Pdu): Verdict {
  if (pdu.prevEvents.length > PREV_EVENTS_MAX) {
    return refuse('format.prev_events_count', `${pdu.prevEvents.length} prev_events`)
  }
  if (pdu.authEvents.length > AUTH_EVENTS_MAX) {
    return refuse('format.auth_events_count', `${pdu.authEvents.length} auth_events`)
  }
  return ALLOW
}
