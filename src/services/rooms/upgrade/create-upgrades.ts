/** Room upgrades in one piece, for the composition root. */
import type { World } from '#/base/world.ts'
import type { Store } from '#/ports/store/store.ts'
import type { JobScheduler } from '../../jobs/scheduler.ts'
import type { Signer } from '../../keys/signer.ts'
import type { AliasService } from '../directory/aliases.ts'
import type { MemberProfile } from '../membership.ts'
import type { RoomWriter } from '../room-writer.ts'
import { AFTERMATH_KIND, Aftermath } from './aftermath.ts'
import { CARRIED_AT_ONCE_MAX } from './limits.ts'
import type { CopyRules } from './settings.ts'
import { UpgradeService } from './upgrade.ts'

export function createUpgrades(deps: {
  store: Store
  writer: RoomWriter
  signer: Signer
  world: World
  profile: MemberProfile
  aliases: AliasService
  jobs: JobScheduler
  copyRules: CopyRules
  carriedAtOnce: number | undefined
}): UpgradeService {
  const { store, writer, world, aliases, jobs, copyRules } = deps
  const { carriedAtOnce = CARRIED_AT_ONCE_MAX } = deps
  const poke = (): void => jobs.poke()
  const aftermath = new Aftermath({ store, writer, world, aliases, copyRules, carriedAtOnce, poke })
  jobs.handle(AFTERMATH_KIND, aftermath.handler)
  return new UpgradeService({ ...deps, aftermath, carriedAtOnce, onJob: poke })
}
