/** What surrounds every sync, in whatever form. */
import type { Presence } from '../ephemeral/presence.ts'
import type { PresenceName } from '../ephemeral/presence-state.ts'
import type { ActiveUser } from './active-user.ts'
import type { Feed } from './feed.ts'

export interface Syncing {
  readonly userId: string
  readonly deviceId: string
  /** What the client says of its presence; undefined to leave it as it is. */
  readonly presence: PresenceName | undefined
}

/** Runs `answer` while the user is kept in memory and counts as present. */
export async function whileSyncing(
  feed: Feed,
  presence: Presence,
  request: Syncing,
  answer: (user: ActiveUser) => Promise<string>,
): Promise<string> {
  const user = feed.known(request.userId) ?? (await feed.user(request.userId))
  user.busy++
  const reader = { userId: user.userId, rooms: user.memberships }
  const ended = presence.syncing(reader, request.deviceId, request.presence)
  try {
    return await answer(user)
  } finally {
    ended()
    user.busy--
  }
}
