/** Everything about relations of events in one piece, for the composition root. */
import type { Route } from '#/http/route.ts'
import { RelatedEvents, type RelatedEventsDeps } from '#/services/rooms/read/related.ts'
import { type ThreadSubscriptionDeps, ThreadSubscriptions } from '#/services/rooms/thread-subscriptions.ts'
import { relatedRoutes } from './related.ts'
import { threadSubscriptionRoutes } from './thread-subscriptions.ts'

export interface RelationsDeps extends RelatedEventsDeps, ThreadSubscriptionDeps {
  /** Whether users subscribe to threads. */
  readonly subscribes: boolean
}

export interface Relations {
  readonly routes: readonly Route[]
  readonly threadSubscriptions: ThreadSubscriptions
}

export function createRelations(deps: RelationsDeps): Relations {
  const threadSubscriptions = new ThreadSubscriptions(deps)
  return {
    routes: [
      ...relatedRoutes({ related: new RelatedEvents(deps) }),
      ...(deps.subscribes ? threadSubscriptionRoutes({ threadSubscriptions }) : []),
    ],
    threadSubscriptions,
  }
}
