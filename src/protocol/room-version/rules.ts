/**
 * Room versions as data: the only place that knows their numbers. Logic reads a flag. Each version is the previous
 * one plus the fields that changed. https://spec.matrix.org/v1.16/rooms/
 */
import { DEPTH_MAX_CANONICAL, DEPTH_MAX_INT64 } from '../limits.ts'

/** Which members survive a redaction. */
export interface RedactionRules {
  readonly topLevel: readonly string[]
  /** Content members kept per event type; `all` keeps the whole content; a type not named keeps nothing. */
  readonly content: Readonly<Record<string, readonly string[] | 'all'>>
  /** v11: of a member event's `third_party_invite`, only `signed` is kept. */
  readonly keepsThirdPartySigned: boolean
}

/** Authorisation rules. */
export interface AuthRules {
  /** v1-v5: rule 4, m.room.aliases is judged by the domain of its state key alone. */
  readonly aliasesRule: boolean
  /** v1-v2: rule 11, m.room.redaction needs the redact level or equal domains of event ids. */
  readonly redactionRule: boolean
  /** v1-v10: content of m.room.create needs `creator`, and that user is the room's creator. From v11: the sender. */
  readonly creatorInContent: boolean
  /** v6: the rules on changes of power levels also look at `notifications`. */
  readonly checksNotifications: boolean
  /** v7: membership `knock` and join rule `knock`. */
  readonly knock: boolean
  /** v8: join rule `restricted`, and the signature named by `join_authorised_via_users_server`. */
  readonly restricted: boolean
  /** v10: join rule `knock_restricted`. */
  readonly knockRestricted: boolean
  /** v10: power levels are integers, anything else rejects the event. */
  readonly integerPowerLevels: boolean
  /** v1-v5: power levels may be floats, truncated towards zero. */
  readonly floatPowerLevels: boolean
  /**
   * v12: creators (sender and `additional_creators`) have infinite power and may not stand in `users`; the create
   * event has no room_id, is not selected as auth event, and room ids name it.
   */
  readonly privilegedCreators: boolean
}

/** What distinguishes a room version. */
export interface RoomVersionRules {
  readonly version: string
  /** `embedded`: the member event_id; else the reference hash in standard (v3) or URL-safe (v4) base64. */
  readonly eventIds: 'embedded' | 'hash-standard' | 'hash-urlsafe'
  /** v1-v2: prev_events and auth_events are pairs of id and hashes; from v3 plain ids. */
  readonly eventReferences: 'pairs' | 'ids'
  /** v12: the room id is `!` and the reference hash of the create event. */
  readonly roomIdIsCreateHash: boolean
  /** v6: canonical JSON is enforced: integers within 2^53-1, no floats, exponents or -0. */
  readonly strictJson: boolean
  readonly depthMax: bigint
  /** v5: a key must be valid at origin_server_ts; v1-v4 ignore `valid_until_ts`. */
  readonly enforcesKeyValidity: boolean
  /** v1-v2: the server of the event id must sign besides the sender's. */
  readonly eventIdServerSigns: boolean
  readonly stateResolution: 'v1' | 'v2' | 'v2.1'
  /** v11: `redacts` is a member of the content; before, of the event. */
  readonly redactsInContent: boolean
  readonly redaction: RedactionRules
  readonly auth: AuthRules
}

const TOP_LEVEL_V11 = [
  'event_id',
  'type',
  'room_id',
  'sender',
  'state_key',
  'content',
  'hashes',
  'signatures',
  'depth',
  'prev_events',
  'auth_events',
  'origin_server_ts',
] as const
const TOP_LEVEL_V1 = [...TOP_LEVEL_V11, 'prev_state', 'origin', 'membership']

const POWER_LEVELS_KEPT = [
  'ban',
  'events',
  'events_default',
  'kick',
  'redact',
  'state_default',
  'users',
  'users_default',
]
const CONTENT_V6 = {
  'm.room.member': ['membership'],
  'm.room.create': ['creator'],
  'm.room.join_rules': ['join_rule'],
  'm.room.power_levels': POWER_LEVELS_KEPT,
  'm.room.history_visibility': ['history_visibility'],
} as const
const CONTENT_V8 = { ...CONTENT_V6, 'm.room.join_rules': ['join_rule', 'allow'] } as const
const CONTENT_V9 = {
  ...CONTENT_V8,
  'm.room.member': ['membership', 'join_authorised_via_users_server'],
} as const
const CONTENT_V11 = {
  ...CONTENT_V9,
  'm.room.create': 'all',
  'm.room.power_levels': [...POWER_LEVELS_KEPT, 'invite'],
  'm.room.redaction': ['redacts'],
} as const

const V1: RoomVersionRules = {
  version: '1',
  eventIds: 'embedded',
  eventReferences: 'pairs',
  roomIdIsCreateHash: false,
  strictJson: false,
  depthMax: DEPTH_MAX_INT64,
  enforcesKeyValidity: false,
  eventIdServerSigns: true,
  stateResolution: 'v1',
  redactsInContent: false,
  redaction: {
    topLevel: TOP_LEVEL_V1,
    content: { ...CONTENT_V6, 'm.room.aliases': ['aliases'] },
    keepsThirdPartySigned: false,
  },
  auth: {
    aliasesRule: true,
    redactionRule: true,
    creatorInContent: true,
    checksNotifications: false,
    knock: false,
    restricted: false,
    knockRestricted: false,
    integerPowerLevels: false,
    floatPowerLevels: true,
    privilegedCreators: false,
  },
}
const V2: RoomVersionRules = { ...V1, version: '2', stateResolution: 'v2' }
const V3: RoomVersionRules = {
  ...V2,
  version: '3',
  eventIds: 'hash-standard',
  eventReferences: 'ids',
  eventIdServerSigns: false,
  auth: { ...V2.auth, redactionRule: false },
}
const V4: RoomVersionRules = { ...V3, version: '4', eventIds: 'hash-urlsafe' }
const V5: RoomVersionRules = { ...V4, version: '5', enforcesKeyValidity: true }
const V6: RoomVersionRules = {
  ...V5,
  version: '6',
  strictJson: true,
  depthMax: DEPTH_MAX_CANONICAL,
  redaction: { ...V5.redaction, content: CONTENT_V6 },
  auth: { ...V5.auth, aliasesRule: false, checksNotifications: true, floatPowerLevels: false },
}
const V7: RoomVersionRules = { ...V6, version: '7', auth: { ...V6.auth, knock: true } }
const V8: RoomVersionRules = {
  ...V7,
  version: '8',
  redaction: { ...V7.redaction, content: CONTENT_V8 },
  auth: { ...V7.auth, restricted: true },
}
const V9: RoomVersionRules = {
  ...V8,
  version: '9',
  redaction: { ...V8.redaction, content: CONTENT_V9 },
}
const V10: RoomVersionRules = {
  ...V9,
  version: '10',
  auth: { ...V9.auth, knockRestricted: true, integerPowerLevels: true },
}
const V11: RoomVersionRules = {
  ...V10,
  version: '11',
  redactsInContent: true,
  redaction: { topLevel: TOP_LEVEL_V11, content: CONTENT_V11, keepsThirdPartySigned: true },
  auth: { ...V10.auth, creatorInContent: false },
}
const V12: RoomVersionRules = {
  ...V11,
  version: '12',
  roomIdIsCreateHash: true,
  stateResolution: 'v2.1',
  auth: { ...V11.auth, privilegedCreators: true },
}

/** The stable room versions of the specification. */
export const ROOM_VERSIONS = {
  '1': V1,
  '2': V2,
  '3': V3,
  '4': V4,
  '5': V5,
  '6': V6,
  '7': V7,
  '8': V8,
  '9': V9,
  '10': V10,
  '11': V11,
  '12': V12,
} as const satisfies Record<string, RoomVersionRules>

export type RoomVersion = keyof typeof ROOM_VERSIONS

/** The rules of a room version that we know, or undefined. */
export function rulesOf(version: string): RoomVersionRules | undefined {
  return Object.hasOwn(ROOM_VERSIONS, version) ? ROOM_VERSIONS[version as RoomVersion] : undefined
}
