/**
 * What people outside a room are shown of it: in the directory, in the tree of a space, in a summary. Nothing else of
 * its state leaves the room. https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3publicrooms
 */
import { stringOf } from '../event/content.ts'
import { isArray, isObject, type JsonObject, member } from '../json/value.ts'
import { ALLOW_RULES_MAX, SEARCHED_CHARS_MAX } from './limits.ts'

/** The contents of state events with the empty state key, by type. */
export type ContentLookup = (type: string) => JsonObject | undefined

/** Types that a card is made of. */
export const CARD_TYPES = [
  'm.room.create',
  'm.room.name',
  'm.room.topic',
  'm.room.avatar',
  'm.room.canonical_alias',
  'm.room.join_rules',
  'm.room.history_visibility',
  'm.room.guest_access',
  'm.room.encryption',
] as const

export interface RoomCard {
  readonly name: string | undefined
  readonly topic: string | undefined
  readonly avatarUrl: string | undefined
  readonly canonicalAlias: string | undefined
  /** `invite` where the room says nothing that can be read. */
  readonly joinRule: string
  readonly worldReadable: boolean
  readonly guestCanJoin: boolean
  readonly roomType: string | undefined
  /** The algorithm, where it is one that the specification names. */
  readonly encryption: string | undefined
  /** Rooms whose members may join; empty unless the room is restricted. */
  readonly allowedRoomIds: readonly string[]
}

/** Reads a card. Members of a wrong type count as absent. */
export function cardOf(content: ContentLookup): RoomCard {
  const text = (type: string, key: string): string | undefined => {
    const found = content(type)
    const value = found && stringOf(found, key)
    return value === '' ? undefined : value
  }
  const avatar = text('m.room.avatar', 'url')
  const alias = text('m.room.canonical_alias', 'alias')
  const rules = content('m.room.join_rules')
  const joinRule = text('m.room.join_rules', 'join_rule') ?? 'invite'
  const restricted = joinRule === 'restricted' || joinRule === 'knock_restricted'
  const algorithm = text('m.room.encryption', 'algorithm')
  return {
    name: text('m.room.name', 'name'),
    topic: plainTopic(content('m.room.topic')),
    avatarUrl: avatar?.startsWith('mxc://') ? avatar : undefined,
    canonicalAlias: alias?.startsWith('#') ? alias : undefined,
    joinRule,
    worldReadable: text('m.room.history_visibility', 'history_visibility') === 'world_readable',
    guestCanJoin: text('m.room.guest_access', 'guest_access') === 'can_join',
    roomType: text('m.room.create', 'type'),
    encryption: algorithm === 'm.megolm.v1.aes-sha2' ? algorithm : undefined,
    allowedRoomIds: restricted && rules ? allowedRooms(rules) : [],
  }
}

/** Rooms that the conditions of a restricted room name, of the first `most` conditions. https://spec.matrix.org/v1.19/client-server-api/#restricted-rooms */
export function allowedRooms(joinRules: JsonObject, most = ALLOW_RULES_MAX): string[] {
  const allow = member(joinRules, 'allow')
  return (isArray(allow) ? allow : [])
    .slice(0, most)
    .map((entry) =>
      isObject(entry) && member(entry, 'type') === 'm.room_membership'
        ? stringOf(entry, 'room_id')
        : undefined,
    )
    .filter((roomId) => roomId !== undefined)
}

/** The plain text of a topic; undefined where a topic has none. https://spec.matrix.org/v1.19/client-server-api/#mroomtopic */
function plainTopic(content: JsonObject | undefined): string | undefined {
  if (content === undefined) return undefined
  const block = member(content, 'm.topic')
  const texts = isObject(block) ? member(block, 'm.text') : undefined
  if (!isArray(texts)) return stringOf(content, 'topic') || undefined
  for (const text of texts) {
    if (!isObject(text)) continue
    const mimetype = member(text, 'mimetype')
    if (mimetype === undefined || mimetype === 'text/plain') return stringOf(text, 'body') || undefined
  }
  return undefined
}

const OPEN_RULES: ReadonlySet<string> = new Set(['public', 'knock', 'knock_restricted'])

/** Whether anyone at all may see the card: strangers may join, knock or read. */
export function isOpenToStrangers(card: RoomCard): boolean {
  return card.worldReadable || OPEN_RULES.has(card.joinRule)
}

/** The text in which the directory searches: upper and lower case are one. */
export function searchTextOf(card: RoomCard): string {
  const { name = '', topic = '', canonicalAlias = '' } = card
  return [name, topic, canonicalAlias].map((text) => foldSearch(text.slice(0, SEARCHED_CHARS_MAX))).join('\n')
}

/** A text as the search compares it. */
export function foldSearch(text: string): string {
  return text.normalize('NFKC').toLowerCase().replaceAll('\0', '').toWellFormed()
}
