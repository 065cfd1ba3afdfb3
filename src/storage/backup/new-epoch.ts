import { StoreError } from '#/base/store-error.ts'
import { metaText, putMeta } from '../migrations/index.ts'
import type { Sql } from '../sql/sql.ts'
import { RESTORE_POSITION_MAX, RESTORE_POSITIONS_AHEAD } from './limits.ts'

export interface NewEpoch {
  readonly epoch: number
  readonly position: number
}

/** The epoch and position that a restored database goes on with. */
export function nextEpoch(before: NewEpoch): NewEpoch {
  if (before.position > RESTORE_POSITION_MAX) {
    throw new StoreError(
      'refused',
      `positions have reached ${before.position}; no further restore is possible`,
    )
  }
  return { epoch: before.epoch + 1, position: before.position + RESTORE_POSITIONS_AHEAD }
}

/** Starts a new epoch in an embedded database, so that nothing given out before is given out again. */
export function* startEpoch(): Sql<NewEpoch> {
  const epoch = Number(yield* metaText('epoch'))
  const position = Number(yield* metaText('position'))
  const next = nextEpoch({ epoch, position })
  yield* putMeta('epoch', String(next.epoch))
  yield* putMeta('position', String(next.position))
  return next
}
