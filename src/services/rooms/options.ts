/** What the operator decides about rooms. */
import type { JsonObject } from '#/protocol/json/value.ts'
import type { AutoJoinOptions } from './auto-join.ts'
import type { DirectoryRule } from './directory/policy.ts'

export interface RoomOptions {
  /** `alias_creation_rules`; undefined lets everyone. */
  readonly aliasRules: readonly DirectoryRule[] | undefined
  /** `room_list_publication_rules`; undefined lets nobody. */
  readonly publicationRules: readonly DirectoryRule[] | undefined
  /** `require_membership_for_aliases` */
  readonly aliasesNeedMembership: boolean
  /** `enable_room_list_search` */
  readonly listEnabled: boolean
  /** `allow_public_rooms_without_auth` */
  readonly listWithoutAuth: boolean
  /** `encryption_enabled_by_default_for_room_type` */
  readonly encryptedByDefault: 'all' | 'invite' | 'off'
  /** `default_power_level_content_override`, by preset. */
  readonly powerLevels: ReadonlyMap<string, JsonObject | null>
  readonly autoJoin: AutoJoinOptions
  /** `forget_rooms_on_leave` */
  readonly forgetOnLeave: boolean
  /** Bans and children of a space that an upgrade carries over with the new room; by default CARRIED_AT_ONCE_MAX. */
  readonly carriedAtOnce?: number
}

/** Synapse's defaults. */
export const ROOM_OPTIONS_DEFAULT: RoomOptions = {
  aliasRules: undefined,
  publicationRules: undefined,
  aliasesNeedMembership: true,
  listEnabled: true,
  listWithoutAuth: false,
  encryptedByDefault: 'off',
  powerLevels: new Map(),
  autoJoin: {
    rooms: [],
    create: true,
    federated: true,
    preset: 'public_chat',
    inviter: undefined,
    guests: true,
  },
  forgetOnLeave: false,
}
