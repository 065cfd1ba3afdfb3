/** What all ways of reading events share: how events are shown, and whose events are not. */
import type { Clock } from '#/base/world.ts'
import type { Store } from '#/ports/store/store.ts'
import { ErasedUsers } from '../../accounts/erased-users.ts'
import { IgnoredUsers } from '../../accounts/ignored-users.ts'
import { Bundles } from './bundles.ts'
import { ClientEvents } from './client-events.ts'
import { RelationNews } from './relation-news.ts'

export interface Reading {
  readonly ignored: IgnoredUsers
  readonly erased: ErasedUsers
  readonly clientEvents: ClientEvents
  /** Stops listening to the store. */
  close(): void
}

export function createReading({ store, clock }: { store: Store; clock: Clock }): Reading {
  const ignored = new IgnoredUsers(store)
  const erased = new ErasedUsers(store)
  const news = new RelationNews(store)
  return {
    ignored,
    erased,
    clientEvents: new ClientEvents({
      ...{ store, clock, erased },
      bundles: new Bundles({ store, clock, news, ignored }),
    }),
    close() {
      ignored.close()
      erased.close()
      news.close()
    },
  }
}
