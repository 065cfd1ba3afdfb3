/** The children of a space in order. https://spec.matrix.org/v1.19/client-server-api/#ordering-of-children-within-a-space */
import { type Clock, turn } from '#/base/world.ts'
import type { EventRow } from '#/ports/store/events.ts'
import type { Store } from '#/ports/store/store.ts'
import { stringOf } from '#/protocol/event/content.ts'
import { parseRoomId } from '#/protocol/ids/room-id.ts'
import { readJson } from '#/protocol/json/reader.ts'
import { isArray, isObject, type JsonObject, member } from '#/protocol/json/value.ts'
import { CHILDREN_PER_TURN, ORDER_CHARS_MAX, SPACE_CHILDREN_MAX } from './limits.ts'

/** A child as clients are shown it. */
export interface SpaceChild {
  readonly type: 'm.space.child'
  readonly state_key: string
  readonly sender: string
  readonly content: JsonObject
  readonly origin_server_ts: number
}

/** The valid children of a space, at most SPACE_CHILDREN_MAX. */
export async function childrenOf(
  store: Store,
  clock: Clock,
  space: number,
  suggestedOnly: boolean,
): Promise<SpaceChild[]> {
  const rows = await store.state.currentAll(space, 'm.space.child')
  const children: { child: SpaceChild; order: string | undefined }[] = []
  for (const [index, row] of rows.entries()) {
    if (index % CHILDREN_PER_TURN === CHILDREN_PER_TURN - 1) await turn(clock)
    const child = childOf(row)
    if (!child || (suggestedOnly && member(child.content, 'suggested') !== true)) continue
    children.push({ child, order: orderOf(child.content) })
  }
  children.sort((a, b) => compareOrder(a.order, b.order) || compareAge(a.child, b.child))
  return children.slice(0, SPACE_CHILDREN_MAX).map(({ child }) => child)
}

/** Undefined for a child that was taken out of the space, or never was well-formed. */
function childOf(row: EventRow): SpaceChild | undefined {
  const json = readJson(row.json, 'lenient')
  const content = json.ok && isObject(json.value) ? member(json.value, 'content') : undefined
  if (!isObject(content) || row.stateKey === null || parseRoomId(row.stateKey) === undefined) return undefined
  const via = member(content, 'via')
  if (!isArray(via) || !via.some((server) => typeof server === 'string')) return undefined
  return {
    type: 'm.space.child',
    state_key: row.stateKey,
    sender: row.sender,
    content,
    origin_server_ts: row.ts,
  }
}

/** An `order` that counts: printable ASCII of a bounded length. */
function orderOf(content: JsonObject): string | undefined {
  const order = stringOf(content, 'order')
  if (!order || order.length > ORDER_CHARS_MAX) return undefined
  for (let i = 0; i < order.length; i++) {
    const c = order.charCodeAt(i)
    if (c < 0x20 || c > 0x7e) return undefined
  }
  return order
}

/** Children without an order come last. */
function compareOrder(a: string | undefined, b: string | undefined): number {
  if (a === b) return 0
  if (a === undefined || b === undefined) return a === undefined ? 1 : -1
  return a < b ? -1 : 1
}

function compareAge(a: SpaceChild, b: SpaceChild): number {
  if (a.origin_server_ts !== b.origin_server_ts) return a.origin_server_ts - b.origin_server_ts
  return a.state_key < b.state_key ? -1 : Number(a.state_key > b.state_key)
}
