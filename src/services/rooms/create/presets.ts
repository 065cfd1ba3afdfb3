/** What a new room begins with. https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3createroom */
import type { UserId } from '#/protocol/ids/user-id.ts'
import type { JsonObject, JsonValue } from '#/protocol/json/value.ts'
import type { RoomVersionRules } from '#/protocol/room-version/rules.ts'

export type Preset = 'private_chat' | 'public_chat' | 'trusted_private_chat'

interface PresetFacts {
  readonly joinRule: string
  readonly historyVisibility: string
  readonly guestAccess: string
  /** Level needed to invite. */
  readonly invite: number
  /** Whether invited users have the creator's power. */
  readonly invitesAreEqual: boolean
}

export const PRESETS: Record<Preset, PresetFacts> = {
  private_chat: {
    joinRule: 'invite',
    historyVisibility: 'shared',
    guestAccess: 'can_join',
    invite: 0,
    invitesAreEqual: false,
  },
  trusted_private_chat: {
    joinRule: 'invite',
    historyVisibility: 'shared',
    guestAccess: 'can_join',
    invite: 0,
    invitesAreEqual: true,
  },
  public_chat: {
    joinRule: 'public',
    historyVisibility: 'shared',
    guestAccess: 'forbidden',
    invite: 50,
    invitesAreEqual: false,
  },
}

/** Level of a creator before version 12, where creators have no level in the event. */
const CREATOR_LEVEL = 100

/** Content of the first m.room.power_levels event. */
export function initialPowerLevels(
  rules: RoomVersionRules,
  preset: Preset,
  creator: UserId,
  invited: readonly UserId[],
  overrides: readonly JsonObject[],
): JsonObject {
  const users: Record<string, JsonValue> = {}
  if (!rules.auth.privilegedCreators) {
    users[creator] = CREATOR_LEVEL
    if (PRESETS[preset].invitesAreEqual) for (const user of invited) users[user] = CREATOR_LEVEL
  }
  return {
    users,
    users_default: 0,
    events: {
      'm.room.name': 50,
      'm.room.power_levels': 100,
      'm.room.history_visibility': 100,
      'm.room.canonical_alias': 50,
      'm.room.avatar': 50,
      /* A creator of version 12 stands above all levels; 150 keeps the upgrade of the room to creators. */
      'm.room.tombstone': rules.auth.privilegedCreators ? 150 : 100,
      'm.room.server_acl': 100,
      'm.room.encryption': 100,
    },
    events_default: 0,
    state_default: 50,
    ban: 50,
    kick: 50,
    redact: 50,
    invite: PRESETS[preset].invite,
    historical: 100,
    ...Object.assign({}, ...overrides),
  }
}
