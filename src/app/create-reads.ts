/** Builds the services of reading rooms, and their routes. */
import { aroundRoutes } from '#/api/client/rooms/around.ts'
import type { Clock } from '#/base/world.ts'
import type { Route } from '#/http/route.ts'
import type { Store } from '#/ports/store/store.ts'
import type { ClientEvents } from '#/services/rooms/read/client-events.ts'
import { ContextService } from '#/services/rooms/read/context.ts'
import { TimestampService } from '#/services/rooms/read/timestamp.ts'

export interface ReadsDeps {
  readonly store: Store
  readonly clock: Clock
  readonly clientEvents: ClientEvents
}

/** Routes that read around events and times. */
export function createReads(deps: ReadsDeps): Route[] {
  return [...aroundRoutes({ context: new ContextService(deps), timestamps: new TimestampService(deps) })]
}
