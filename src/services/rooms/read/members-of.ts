/** Member events of those who sent the events of a page, for clients that load members lazily. */
import { type Clock, turn } from '#/base/world.ts'
import type { EventRow } from '#/ports/store/events.ts'
import type { StatePoint } from '#/ports/store/state.ts'
import type { Store } from '#/ports/store/store.ts'
import { MEMBERS_PER_READ } from './limits.ts'

/** The member events that held at `point` for the senders of `rows`; senders without one are left out. */
export async function membersOfSenders(
  { store, clock }: { readonly store: Store; readonly clock: Clock },
  room: number,
  point: StatePoint,
  rows: readonly EventRow[],
): Promise<EventRow[]> {
  const senders = [...new Set(rows.map((row) => row.sender))]
  const members: EventRow[] = []
  for (let i = 0; i < senders.length; i += MEMBERS_PER_READ) {
    if (i > 0) await turn(clock)
    const keys = senders.slice(i, i + MEMBERS_PER_READ).map((user) => ['m.room.member', user] as const)
    for (const row of await store.state.at(room, point, keys)) members.push(row)
  }
  return members
}
