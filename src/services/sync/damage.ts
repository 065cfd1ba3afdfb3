/** What a sync makes of a damaged event log: a gap in one room, and every other room goes on (adv-36). */
import type { Log } from '#/base/log.ts'
import type { Store } from '#/ports/store/store.ts'
import { formatStream } from '../rooms/read/tokens.ts'
import { DamagedEvent } from '../rooms/stored-event.ts'

/**
 * Notes a room with a damaged event in the log; returns the `prev_batch` behind which the client may look for what is
 * missing. Rethrows every other error.
 */
export function gapOfDamage(
  { log, store }: { log: Log; store: Store },
  roomId: string,
  position: number,
  error: unknown,
): string {
  if (!(error instanceof DamagedEvent || error instanceof SyntaxError)) throw error
  log.error('a stored event is damaged: its room is left out of a sync; run myelin verify', {
    room_id: roomId,
    /* The parser's own errors quote the text. */
    reason: error instanceof DamagedEvent ? error.message : 'not JSON',
  })
  return formatStream({ epoch: store.epoch, position })
}
