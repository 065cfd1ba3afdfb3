/** Everything about relations of events in one piece, for the composition root. */
import type { Route } from '#/http/route.ts'
import { RelatedEvents, type RelatedEventsDeps } from '#/services/rooms/read/related.ts'
import { relatedRoutes } from './related.ts'

export interface Relations {
  readonly routes: readonly Route[]
}

export function createRelations(deps: RelatedEventsDeps): Relations {
  const related = new RelatedEvents(deps)
  return { routes: relatedRoutes({ related }) }
}
