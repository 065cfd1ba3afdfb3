import { StoreError } from '#/base/store-error.ts'
import { inspectSchema, metaText } from '../migrations/index.ts'
import type { EngineName } from '../sql/dialect.ts'
import type { Sql } from '../sql/sql.ts'

/** Refuses a database that is empty, another program's or a newer release's; gives the server name it belongs to. */
export function* recognise(engine: EngineName): Sql<string> {
  let owner: string | undefined
  try {
    owner = yield* metaText('server_name')
  } catch {
    /* Without our table there is no owner, and the inspection says whose database it is. */
    owner = undefined
  }
  const schema = yield* inspectSchema(engine, owner ?? '')
  if (schema === undefined) throw new StoreError('refused', 'the database is empty')
  return owner ?? ''
}
