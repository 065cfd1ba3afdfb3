/** Receipts and typing of a sliding sync. docs/decisions/0007-ephemeral.md */
import type { ReceiptRow } from '#/ports/store/receipts.ts'
import type { Store } from '#/ports/store/store.ts'
import { receiptContents } from '../../ephemeral/receipt-content.ts'
import type { Receipts } from '../../ephemeral/receipts.ts'
import type { Typing } from '../../ephemeral/typing.ts'
import type { EphemeralVersions } from '../../ephemeral/versions.ts'
import { MOVED } from '../active-user.ts'
import { membershipAt } from '../own-membership.ts'
import type { ExtensionAsk } from './extensions.ts'
import type { ExtensionScope } from './request.ts'

export interface EphemeralDeps {
  readonly receipts: Receipts
  readonly typing: Typing
  readonly versions: EphemeralVersions
}

/**
 * Receipts that moved in rooms that the client knows; of a room that is new to it, those for the events that it is
 * shown and the reader's own. Undefined where there are none.
 */
export async function receiptsPart(
  store: Store,
  { receipts }: EphemeralDeps,
  ask: ExtensionAsk,
  scope: ExtensionScope,
  since: number | undefined,
): Promise<string | undefined> {
  const { user, now } = ask
  const texts: string[] = []
  const put = (room: number, rows: readonly ReceiptRow[]): void => {
    /* There is one event for a room: where it has one place for several threads, the whole room comes first. */
    const ordered = [...rows].sort((a, b) => Number(a.thread !== '') - Number(b.thread !== ''))
    const [content] = receiptContents(ordered)
    const roomId = user.memberships.get(room)?.roomId
    if (content === undefined || roomId === undefined) return
    texts.push(`${JSON.stringify(roomId)}:{"type":"m.receipt","content":${JSON.stringify(content)}}`)
  }
  const fresh = newRooms(ask, since).filter((room) => ask.inScope(scope, room))
  for (const room of fresh) {
    const shown = new Set(ask.shown.get(room)?.map((row) => row.eventId))
    /* Nobody reads an event before it is there. */
    const from = ask.shown.get(room)?.[0]?.nid ?? now
    const rows = await receipts.since(room, user.userId, from, now)
    const own = (await store.receipts.ofUser(user.userId, room)).filter((row) => row.position <= now)
    put(room, [...own, ...rows.filter((row) => row.user !== user.userId && shown.has(row.eventId))])
  }
  if (since === undefined) return objectOf(texts)
  const known = new Set(fresh)
  for (const room of await movedRooms(store, ask, since)) {
    if (known.has(room) || !isJoined(ask, room) || !ask.inScope(scope, room)) continue
    if ((await membershipAt(store, user, room, now))?.membership !== 'join') continue
    put(room, await receipts.since(room, user.userId, since, now))
  }
  return objectOf(texts)
}

/** Who types, in rooms that the client knows and where that changed, and in rooms that are new to it. */
export function typingPart(
  { typing }: EphemeralDeps,
  ask: ExtensionAsk,
  scope: ExtensionScope,
  since: number | undefined,
): string | undefined {
  const { user } = ask
  const rooms = new Set<number>()
  for (const room of newRooms(ask, since)) if (typing.of(room).version > 0) rooms.add(room)
  if (since !== undefined && user.hasEphemeralSince(since)) {
    for (const room of typing.changedSince(since, user.memberships)) rooms.add(room)
  }
  const texts: string[] = []
  for (const room of rooms) {
    const roomId = user.memberships.get(room)?.roomId
    if (roomId === undefined || !isJoined(ask, room) || !ask.inScope(scope, room)) continue
    texts.push(`${JSON.stringify(roomId)}:{"type":"m.typing","content":${typing.of(room).content}}`)
  }
  return objectOf(texts)
}

function objectOf(texts: readonly string[]): string | undefined {
  return texts.length === 0 ? undefined : `{"rooms":{${texts.join(',')}}}`
}

/**
 * Whether the user is in a room, and the client, which has this answer, knows it: of a room that it holds for left, or
 * for an invite, it is told all when it learns of the joining.
 */
function isJoined(ask: ExtensionAsk, room: number): boolean {
  if (ask.user.memberships.get(room)?.membership !== 'join') return false
  return (ask.answered.get(room) ?? ask.known(room))?.membership === 'join'
}

/**
 * Joined rooms of which the client was told nothing by the extension, or dropped what it was told, as after a leaving
 * and joining between two answers: all that it knows, the first time.
 */
function newRooms(ask: ExtensionAsk, since: number | undefined): number[] {
  const rooms = [...ask.answered.keys()].filter(
    (room) => since === undefined || ask.initial.has(room) || ask.known(room)?.membership !== 'join',
  )
  if (since === undefined) rooms.push(...ask.knownRooms())
  return [...new Set(rooms)].filter((room) => isJoined(ask, room))
}

async function movedRooms(store: Store, { user }: ExtensionAsk, since: number): Promise<number[]> {
  const moved = user.movedSince(since)
  if (moved) return [...moved].filter(([, what]) => (what & MOVED.receipts) !== 0).map(([room]) => room)
  const latest = await store.receipts.latest(user.userId)
  return latest.filter((row) => row.latest > since).map(({ room }) => room)
}
