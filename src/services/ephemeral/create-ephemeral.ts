/** Receipts, typing and presence, put together. */
import type { World } from '#/base/world.ts'
import type { Store } from '#/ports/store/store.ts'
import { Presence, type PresenceOptions } from './presence.ts'
import { Receipts } from './receipts.ts'
import { Typing } from './typing.ts'
import { EphemeralVersions } from './versions.ts'

export interface Ephemeral {
  readonly receipts: Receipts
  readonly typing: Typing
  readonly presence: Presence
  readonly versions: EphemeralVersions
  close(): void
}

export function createEphemeral(deps: { store: Store; world: World; options: PresenceOptions }): Ephemeral {
  const { store, options } = deps
  const { clock, rng } = deps.world
  const versions = new EphemeralVersions(rng)
  const receipts = new Receipts({ store, clock })
  const typing = new Typing({ store, clock, versions })
  const presence = new Presence({ store, clock, versions, options })
  return {
    receipts,
    typing,
    presence,
    versions,
    close() {
      receipts.close()
      typing.close()
      presence.close()
    },
  }
}
