/** Builds what is reported and what is sent later, with routes and jobs. */
import { type DelayedDeps, delayedRoutes } from '#/api/client/rooms/delayed.ts'
import { reportingRoutes } from '#/api/client/rooms/reporting.ts'
import type { World } from '#/base/world.ts'
import type { Route } from '#/http/route.ts'
import type { Store } from '#/ports/store/store.ts'
import type { JobScheduler } from '#/services/jobs/scheduler.ts'
import { DELAYED_KIND, DelayedEventService, type DelayedOptions } from '#/services/rooms/delayed-events.ts'
import { ReportService } from '#/services/rooms/reports.ts'
import type { SendService } from '#/services/rooms/send.ts'

export interface LaterDeps {
  readonly store: Store
  readonly world: World
  readonly limits: DelayedDeps['limits']
  readonly send: SendService
  readonly jobs: JobScheduler
  readonly options: DelayedOptions
}

export interface LaterParts {
  readonly delayed: DelayedEventService
  readonly routes: readonly Route[]
}

export function createLater(deps: LaterDeps): LaterParts {
  const { store, world, jobs, limits } = deps
  const delayed = new DelayedEventService({ ...deps, onJob: () => jobs.poke() })
  jobs.handle(DELAYED_KIND, delayed.handler())
  const reports = new ReportService({ store, clock: world.clock })
  return { delayed, routes: [...reportingRoutes({ reports }), ...delayedRoutes({ delayed, limits })] }
}
