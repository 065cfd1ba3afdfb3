/**
 * Builds the server from its parts, without sockets, files or threads of its own: the real server, the simulator and
 * the API tests all use this.
 */

import { allRoutes } from '#/api/index.ts'
import type { Log } from '#/base/log.ts'
import type { Metrics } from '#/base/metrics.ts'
import type { RateLimits } from '#/base/rate-limit.ts'
import { StoreError } from '#/base/store-error.ts'
import type { World } from '#/base/world.ts'
import { createDispatch, type Dispatch } from '#/http/dispatch.ts'
import type { LimitName } from '#/http/limit-names.ts'
import { healthRoute, metricsRoute } from '#/http/ops-routes.ts'
import { json, type Reply } from '#/http/reply.ts'
import { requestIds } from '#/http/request-ids.ts'
import type { Passwords } from '#/ports/passwords.ts'
import type { Store } from '#/ports/store/store.ts'
import type { SigningKey } from '#/protocol/crypto/ed25519.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import { JobScheduler } from '#/services/jobs/scheduler.ts'
import { ensureSweep, SWEEP_KIND, sweepHandler } from '#/services/jobs/sweep.ts'
import { createSigner } from '#/services/keys/signer.ts'
import { CreateRoomService } from '#/services/rooms/create/create-room.ts'
import { MembershipService } from '#/services/rooms/membership.ts'
import { PROFILE_SPREAD_KIND, profileSpreadHandler } from '#/services/rooms/profile-spread.ts'
import { ClientEvents } from '#/services/rooms/read/client-events.ts'
import { MessagesService } from '#/services/rooms/read/messages.ts'
import { RoomReads } from '#/services/rooms/read/room-reads.ts'
import { RoomList } from '#/services/rooms/room-list.ts'
import { RoomWriter } from '#/services/rooms/room-writer.ts'
import { SendService } from '#/services/rooms/send.ts'
import { Feed } from '#/services/sync/feed.ts'
import { SyncService } from '#/services/sync/v3/sync.ts'

export interface AssembleDeps {
  readonly store: Store
  readonly world: World
  readonly log: Log
  readonly metrics: Metrics
  readonly limits: RateLimits<LimitName>
  readonly serverName: ServerName
  readonly signingKey: SigningKey
  readonly passwords: Passwords
}

/** Refuses what an engine cannot do just now with a sentence, instead of calling it a bug. */
export function explainStoreError(error: unknown): MatrixError | Reply | undefined {
  if (!(error instanceof StoreError)) return undefined
  if (error.kind === 'busy') {
    return new MatrixError('M_LIMIT_EXCEEDED', 'The server is overloaded. Please try again.', {
      retry_after_ms: 1000,
    })
  }
  if (error.kind === 'unavailable' || error.kind === 'closed') {
    const sentence = 'The server cannot store anything just now. Please try again later.'
    return json(503, { errcode: 'M_UNKNOWN', error: sentence })
  }
  return undefined
}
