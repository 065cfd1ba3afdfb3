/** What the configuration says of rooms. */
import type { JsonObject } from '#/protocol/json/value.ts'
import type { RoomOptions } from '#/services/rooms/options.ts'
import type { Config } from './config/config.ts'

export function roomOptions({ rooms, server, blocking, registration }: Config): RoomOptions {
  return {
    aliasRules: rooms.aliasCreationRules ?? undefined,
    publicationRules: rooms.roomListPublicationRules ?? undefined,
    aliasesNeedMembership: blocking.requireMembershipForAliases,
    listEnabled: rooms.enableRoomListSearch,
    listWithoutAuth: server.allowPublicRoomsWithoutAuth,
    encryptedByDefault: rooms.encryptionEnabledByDefaultForRoomType,
    powerLevels: rooms.defaultPowerLevelContentOverride as ReadonlyMap<string, JsonObject | null>,
    autoJoin: {
      rooms: registration.autoJoinRooms ?? [],
      create: registration.autocreateAutoJoinRooms,
      federated: registration.autocreateAutoJoinRoomsFederated,
      preset: registration.autocreateAutoJoinRoomPreset ?? 'public_chat',
      inviter: registration.autoJoinMxidLocalpart ?? undefined,
      guests: registration.autoJoinRoomsForGuests,
    },
    forgetOnLeave: rooms.forgetRoomsOnLeave,
  }
}
