/** Writing dehydrated devices. They go with their device (`deleteDevices`). */
import type { DehydratedOp } from '#/ports/store/dehydrated.ts'
import { run, type Sql } from '../sql/sql.ts'
import type { PlanContext } from './context.ts'

function* put(_ctx: PlanContext, op: DehydratedOp): Sql<void> {
  yield* run(
    `INSERT INTO dehydrated_devices (user_id, device_id, data) VALUES (?1, ?2, ?3)
     ON CONFLICT (user_id) DO UPDATE SET device_id = excluded.device_id, data = excluded.data`,
    op.user,
    op.device,
    op.data,
  )
}

export const HANDLERS = { 'dehydrated.put': put } as const
