/** Puts searching together: its jobs are named, its index is turned on or off, its routes are given. */
import type { Route } from '#/http/route.ts'
import type { JobScheduler } from '#/services/jobs/scheduler.ts'
import { ensureSearch, SEARCH_INDEX_KIND, searchIndexHandler } from '#/services/search/index-jobs.ts'
import { type SearchDeps, SearchService } from '#/services/search/search.ts'
import { searchRoutes } from './search.ts'

/** To be called before anything is written and before the jobs start. */
export async function createSearch(deps: SearchDeps & { readonly jobs: JobScheduler }): Promise<Route[]> {
  const { store, clock, enabled, jobs } = deps
  jobs.handle(SEARCH_INDEX_KIND, searchIndexHandler(store, clock))
  await ensureSearch(store, clock, enabled)
  return searchRoutes({ search: new SearchService(deps) })
}
