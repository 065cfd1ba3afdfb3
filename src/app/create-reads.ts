/** Builds the services of reading rooms, and their routes. */
import { aroundRoutes } from '#/api/client/rooms/around.ts'
import { oldSyncRoutes } from '#/api/client/sync/old-sync.ts'
import type { Clock } from '#/base/world.ts'
import type { Requester } from '#/http/requester.ts'
import type { Route } from '#/http/route.ts'
import type { Store } from '#/ports/store/store.ts'
import type { IgnoredUsers } from '#/services/accounts/ignored-users.ts'
import type { ClientEvents } from '#/services/rooms/read/client-events.ts'
import { ContextService } from '#/services/rooms/read/context.ts'
import { MessagesService } from '#/services/rooms/read/messages.ts'
import { RoomReads } from '#/services/rooms/read/room-reads.ts'
import { TimestampService } from '#/services/rooms/read/timestamp.ts'
import type { Feed } from '#/services/sync/feed.ts'
import { EventStreamService } from '#/services/sync/old/event-stream.ts'
import { SnapshotService } from '#/services/sync/old/snapshots.ts'
import type { EphemeralDeps } from '#/services/sync/v3/ephemeral.ts'
import type { DefaultAccountData } from '#/services/sync/v3/sync.ts'

export interface ReadsDeps {
  readonly store: Store
  readonly clock: Clock
  readonly clientEvents: ClientEvents
  readonly ignored: IgnoredUsers
  readonly feed: Feed
  readonly defaultAccountData: DefaultAccountData
  readonly ephemeral: EphemeralDeps
  /** Whether a user is not to see an invite by somebody. */
  readonly hidesInvite: (userId: string, sender: string) => Promise<boolean>
  /** Throws when the session of a request has ended since. */
  readonly stillIn: (who: Requester) => Promise<void> | undefined
}

export interface Reads {
  readonly reads: RoomReads
  readonly messages: MessagesService
  readonly routes: readonly Route[]
  /** Stops listening to the store. */
  close(): void
}

/** Builds what reads rooms, with its routes. */
export function createReads(deps: ReadsDeps): Reads {
  const reads = new RoomReads(deps)
  const messages = new MessagesService(deps)
  const eventStream = new EventStreamService(deps)
  const snapshots = new SnapshotService({ ...deps, reads, messages })
  const { epoch } = deps.store
  return {
    reads,
    messages,
    routes: [
      ...aroundRoutes({ context: new ContextService(deps), timestamps: new TimestampService(deps) }),
      ...oldSyncRoutes({ reads, snapshots, eventStream, epoch, stillIn: deps.stillIn }),
    ],
    close: () => eventStream.close(),
  }
}
