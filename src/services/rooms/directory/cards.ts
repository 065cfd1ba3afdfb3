/** Cards of rooms from the store, and as answers show them. */
import type { RoomRow } from '#/ports/store/rooms.ts'
import type { Store } from '#/ports/store/store.ts'
import type { StateKeyPair } from '#/protocol/event/pdu.ts'
import { CARD_TYPES, cardOf, type RoomCard } from '#/protocol/listing/room-card.ts'
import { rulesOf } from '#/protocol/room-version/rules.ts'
import { pduOfRow } from '../stored-event.ts'

const CARD_KEYS: readonly StateKeyPair[] = CARD_TYPES.map((type) => [type, ''])

export interface CardOfRoom {
  readonly room: RoomRow
  readonly card: RoomCard
  readonly joined: number
}

/** What strangers are shown of a room. Whether they may see it is the caller's question. */
export async function readCard(store: Store, room: RoomRow): Promise<CardOfRoom> {
  const rules = rulesOf(room.version)
  const rows = rules ? await store.state.current(room.nid, CARD_KEYS) : []
  const contents = new Map(rows.map((row) => [row.type, pduOfRow(row, rules!).content]))
  const head = await store.rooms.head(room.nid)
  return { room, card: cardOf((type) => contents.get(type)), joined: head?.joined ?? 0 }
}

/** A room in the published list. https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3publicrooms */
export function publishedChunk({ room, card, joined }: CardOfRoom): Record<string, unknown> {
  return {
    room_id: room.roomId,
    name: card.name,
    topic: card.topic,
    avatar_url: card.avatarUrl,
    canonical_alias: card.canonicalAlias,
    join_rule: card.joinRule,
    room_type: card.roomType,
    num_joined_members: joined,
    world_readable: card.worldReadable,
    guest_can_join: card.guestCanJoin,
  }
}

/** A room as its summary and a space's tree show it. https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1room_summaryroomidoralias */
export function summaryOf(found: CardOfRoom): Record<string, unknown> {
  const { card, room } = found
  return {
    ...publishedChunk(found),
    encryption: card.encryption,
    room_version: room.version,
    ...(card.allowedRoomIds.length > 0 ? { allowed_room_ids: card.allowedRoomIds } : {}),
  }
}
