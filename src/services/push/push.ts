/** Builds the services of push rules, counts and notifications. */
import type { Clock } from '#/base/world.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import type { IgnoredUsers } from '../accounts/ignored-users.ts'
import type { ClientEvents } from '../rooms/read/client-events.ts'
import type { ReadStore } from '../rooms/read/expiry.ts'
import { Followers } from './followers.ts'
import type { PushRuleLimits } from './limits.ts'
import { LiveEvents } from './live-events.ts'
import { Notifications } from './notifications.ts'
import { Pushers } from './pushers.ts'
import { PushRules } from './rules.ts'

export interface PushServices {
  readonly rules: PushRules
  readonly live: LiveEvents
  readonly notifications: Notifications
  readonly pushers: Pushers
  /** To be called when it may depend on something new who follows rooms. */
  changed(userId: string): Promise<void>
  close(): void
}

/** Builds push rules, counts and what follows live events for them. */
export function createPush(deps: {
  store: ReadStore
  clock: Clock
  serverName: ServerName
  clientEvents: ClientEvents
  ignored: IgnoredUsers
  ruleLimits: PushRuleLimits
}): PushServices {
  const { store, clock, serverName, clientEvents, ignored, ruleLimits: limits } = deps
  const followers = new Followers()
  const changed = (userId: string): Promise<void> => followers.changed(userId, store)
  const rules = new PushRules({ store, ignored, changed, limits })
  return {
    rules,
    live: new LiveEvents({ store, clock, serverName, rules, followers }),
    notifications: new Notifications({ store, clientEvents, rules }),
    pushers: new Pushers({ store, clock, changed }),
    changed,
    close: () => rules.close(),
  }
}
