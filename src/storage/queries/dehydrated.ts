/** Reading dehydrated devices. */
import type { DehydratedRow } from '#/ports/store/dehydrated.ts'
import { first, type Sql } from '../sql/sql.ts'
import { query } from './query.ts'

export const dehydratedOf = query('dehydrated.of', 'small', function* (user: string): Sql<
  DehydratedRow | undefined
> {
  const row = yield* first('SELECT device_id, data FROM dehydrated_devices WHERE user_id = ?1', user)
  return row && { device: row.device_id as string, data: row.data as string }
})
