/** Bodies that mean something, to be changed a little: event contents, filters, account data, rules. */
import type { Json } from '../support/api-client.ts'

/** What of the server goes into a body. */
export interface Names {
  readonly room: string
  readonly event: string
  readonly user: string
  readonly alias: string
}

/** Event contents by type. */
export function contents({ room, event, user, alias }: Names): Readonly<Record<string, Json>> {
  const text = { msgtype: 'm.text', body: 'words to be found' }
  return {
    'm.room.message': text,
    'm.room.encrypted': {
      algorithm: 'm.megolm.v1.aes-sha2',
      ciphertext: 'x',
      session_id: 's',
      device_id: 'd',
    },
    'm.reaction': { 'm.relates_to': { rel_type: 'm.annotation', event_id: event, key: '+' } },
    'm.room.redaction': { redacts: event, reason: 'why' },
    'm.room.member': { membership: 'join', displayname: 'name', avatar_url: 'mxc://a/b', reason: 'why' },
    'm.room.power_levels': {
      users: { [user]: 100 },
      users_default: 0,
      events: { 'm.room.name': 50 },
      events_default: 0,
      state_default: 50,
      ban: 50,
      kick: 50,
      redact: 50,
      invite: 0,
      notifications: { room: 50 },
    },
    'm.room.join_rules': { join_rule: 'restricted', allow: [{ type: 'm.room_membership', room_id: room }] },
    'm.room.history_visibility': { history_visibility: 'joined' },
    'm.room.guest_access': { guest_access: 'can_join' },
    'm.room.canonical_alias': { alias, alt_aliases: [alias] },
    'm.room.name': { name: 'a name' },
    'm.room.topic': {
      topic: 'a topic',
      'm.topic': { 'm.text': [{ body: 'a topic', mimetype: 'text/plain' }] },
    },
    'm.room.avatar': { url: 'mxc://a/b', info: { w: 1, h: 1 } },
    'm.room.encryption': { algorithm: 'm.megolm.v1.aes-sha2', rotation_period_ms: 1 },
    'm.room.tombstone': { body: 'moved', replacement_room: room },
    'm.room.server_acl': { allow: ['*'], deny: ['*.example'], allow_ip_literals: false },
    'm.room.pinned_events': { pinned: [event] },
    'm.room.third_party_invite': {
      display_name: 'x',
      key_validity_url: 'https://x',
      public_key: 'a',
      public_keys: [],
    },
    'm.room.retention': { max_lifetime: 1000, min_lifetime: 1 },
    'm.space.child': { via: ['test.example'], order: 'a', suggested: true },
    'm.space.parent': { via: ['test.example'], canonical: true },
    'm.poll.start': { 'm.poll': { question: { 'm.text': [{ body: 'q' }] }, answers: [] }, 'm.text': [] },
  }
}

/** Relations that a message may have. */
export function relations({ event }: Names): readonly Json[] {
  return [
    { rel_type: 'm.replace', event_id: event },
    { rel_type: 'm.thread', event_id: event, is_falling_back: true, 'm.in_reply_to': { event_id: event } },
    { rel_type: 'm.reference', event_id: event },
    { rel_type: 'm.annotation', event_id: event, key: '+' },
    { 'm.in_reply_to': { event_id: event } },
  ]
}

const eventFilter = (user: string): Json => ({
  limit: 5,
  types: ['m.room.*'],
  not_types: ['m.room.topic'],
  senders: [user],
  not_senders: [],
})

const roomEventFilter = (user: string, room: string): Json => ({
  ...eventFilter(user),
  rooms: [room],
  not_rooms: [],
  contains_url: false,
  lazy_load_members: true,
  include_redundant_members: false,
  unread_thread_notifications: true,
  related_by_senders: [user],
  related_by_rel_types: ['m.thread'],
})

/** Whole bodies by the end of a route's path. */
export function bodies({ room, event, user, alias }: Names): readonly (readonly [RegExp, Json])[] {
  const proof = { type: 'm.login.password', identifier: { type: 'm.id.user', user }, password: 'a password' }
  const messages = roomEventFilter(user, room)
  return [
    [
      /\/filter$/,
      {
        /* With what every event must have, so that answers can be held against their schemas. */
        event_fields: ['content.body', 'type', 'event_id', 'sender', 'origin_server_ts', 'state_key'],
        event_format: 'client',
        presence: eventFilter(user),
        account_data: eventFilter(user),
        room: {
          rooms: [room],
          include_leave: true,
          timeline: messages,
          state: messages,
          ephemeral: messages,
          account_data: messages,
        },
      },
    ],
    [
      /\/search$/,
      {
        search_categories: {
          room_events: {
            search_term: 'words',
            keys: ['content.body'],
            order_by: 'rank',
            filter: messages,
            event_context: { before_limit: 1, after_limit: 1, include_profile: true },
            include_state: true,
            groupings: { group_by: [{ key: 'room_id' }, { key: 'sender' }] },
          },
        },
      },
    ],
    [
      /\/createRoom$/,
      {
        preset: 'public_chat',
        visibility: 'public',
        room_alias_name: 'fuzz',
        name: 'a room',
        topic: 'its topic',
        invite: [user],
        room_version: '11',
        creation_content: { 'm.federate': false, type: 'm.space' },
        initial_state: [{ type: 'm.room.name', state_key: '', content: { name: 'first' } }],
        power_level_content_override: { users: { [user]: 50 } },
        is_direct: true,
      },
    ],
    [
      /\/sync$/,
      {
        conn_id: 'main',
        lists: {
          all: {
            ranges: [[0, 10]],
            timeline_limit: 3,
            required_state: [
              ['m.room.member', '$LAZY'],
              ['*', '*'],
            ],
            filters: {
              is_dm: false,
              spaces: [room],
              is_encrypted: false,
              room_types: [null],
              tags: ['m.favourite'],
            },
          },
        },
        room_subscriptions: { [room]: { timeline_limit: 2, required_state: [['*', '']] } },
        extensions: {
          to_device: { enabled: true },
          e2ee: { enabled: true },
          account_data: { enabled: true, rooms: ['*'] },
          receipts: { enabled: true, rooms: [room], lists: ['all'] },
          typing: { enabled: true },
        },
      },
    ],
    [
      /\/pushrules\/global\/:kind\/:ruleId$/,
      {
        actions: ['notify', { set_tweak: 'sound', value: 'default' }],
        conditions: [
          { kind: 'event_match', key: 'content.body', pattern: '*words*' },
          { kind: 'room_member_count', is: '>=2' },
          { kind: 'event_property_contains', key: 'content.m\\.mentions.user_ids', value: user },
        ],
        pattern: 'w?rds*',
      },
    ],
    [/\/account_data\/:type$/, { ignored_users: { [user]: {} }, [user]: [room], global: { content: [] } }],
    [/\/tags\/:tag$/, { order: 0.5 }],
    [/\/read_markers$/, { 'm.fully_read': event, 'm.read': event, 'm.read.private': event }],
    [/\/receipt\//, { thread_id: 'main' }],
    [/\/typing\//, { typing: true, timeout: 1000 }],
    [/\/directory\/room\//, { room_id: room }],
    [/\/publicRooms$/, { filter: { generic_search_term: 'a', room_types: [null] }, limit: 10, since: alias }],
    [/\/upgrade$/, { new_version: '12', additional_creators: [user] }],
    [/\/(account\/deactivate|devices\/:deviceId)$/, { auth: proof, erase: true }],
    [/\/account\/password$/, { auth: proof, new_password: 'a password', logout_devices: false }],
    [/\/delete_devices$/, { auth: proof, devices: ['x'] }],
    [/\/delayed_events\/:delayId$/, { action: 'restart' }],
    [
      /\/login$/,
      { type: 'm.login.password', identifier: { type: 'm.id.user', user }, password: 'a password' },
    ],
    [/\/register$/, { username: 'fuzzed', password: 'a password', auth: { type: 'm.login.dummy' } }],
    [/\/(kick|ban|unban|invite)$/, { user_id: user, reason: 'why' }],
    [/\/presence\//, { presence: 'online', status_msg: 'here' }],
    [/\/profile\//, { displayname: 'a name', avatar_url: 'mxc://a/b', 'm.tz': 'Europe/Paris' }],
    [
      /\/pushers\/set$/,
      { kind: 'http', app_id: 'a', pushkey: 'k', data: { url: 'https://a/_matrix/push/v1/notify' } },
    ],
  ]
}
