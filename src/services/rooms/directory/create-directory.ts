/** Aliases and published rooms in one piece, for the composition root. */
import type { Clock } from '#/base/world.ts'
import type { Store } from '#/ports/store/store.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import type { RoomOptions } from '../options.ts'
import type { RoomWriter } from '../room-writer.ts'
import { AliasService } from './aliases.ts'
import { directoryPolicy } from './policy.ts'
import { PublishedRooms } from './published.ts'

export interface Directory {
  readonly aliases: AliasService
  readonly published: PublishedRooms
  readonly publicRoomsWithoutAuth: boolean
}

export function createDirectory(deps: {
  store: Store
  writer: RoomWriter
  clock: Clock
  serverName: ServerName
  options: RoomOptions
}): Directory {
  const { options, ...rest } = deps
  const { aliasRules, publicationRules, aliasesNeedMembership, listEnabled, listWithoutAuth } = options
  return {
    aliases: new AliasService({
      ...rest,
      mayCreate: aliasRules ? directoryPolicy(aliasRules) : () => true,
      requireMembership: aliasesNeedMembership,
    }),
    published: new PublishedRooms({
      ...rest,
      mayPublish: directoryPolicy(publicationRules ?? []),
      enabled: listEnabled,
    }),
    publicRoomsWithoutAuth: listWithoutAuth,
  }
}
