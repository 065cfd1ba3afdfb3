/** Aliases and published rooms in one piece, for the composition root. */
import type { World } from '#/base/world.ts'
import type { Store } from '#/ports/store/store.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import type { RoomOptions } from '../options.ts'
import type { RoomWriter } from '../room-writer.ts'
import { HierarchyService } from '../spaces/hierarchy.ts'
import { AliasService } from './aliases.ts'
import { directoryPolicy } from './policy.ts'
import { PublishedRooms } from './published.ts'
import { SummaryService } from './summary.ts'

export interface Directory {
  readonly aliases: AliasService
  readonly published: PublishedRooms
  readonly hierarchy: HierarchyService
  readonly summary: SummaryService
  readonly publicRoomsWithoutAuth: boolean
}

export function createDirectory(deps: {
  store: Store
  writer: RoomWriter
  world: World
  serverName: ServerName
  options: RoomOptions
}): Directory {
  const { options, world, ...rest } = deps
  const { store } = deps
  const { aliasRules, publicationRules, aliasesNeedMembership, listEnabled, listWithoutAuth } = options
  const aliases = new AliasService({
    ...rest,
    clock: world.clock,
    mayCreate: aliasRules ? directoryPolicy(aliasRules) : () => true,
    requireMembership: aliasesNeedMembership,
  })
  return {
    aliases,
    hierarchy: new HierarchyService({ store, world }),
    summary: new SummaryService({ store, aliases }),
    published: new PublishedRooms({
      ...rest,
      mayPublish: directoryPolicy(publicationRules ?? []),
      enabled: listEnabled,
    }),
    publicRoomsWithoutAuth: listWithoutAuth,
  }
}
