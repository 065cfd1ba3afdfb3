/** What was said around a result. */
import type { EventRow } from '#/ports/store/events.ts'
import type { Store } from '#/ports/store/store.ts'
import type { ClientEvents, Viewer } from '../rooms/read/client-events.ts'
import { formatTopological } from '../rooms/read/tokens.ts'
import { visibleTo } from '../rooms/read/visibility.ts'
import type { SearchResult } from './looker.ts'

export interface ContextWanted {
  /** Most events before and after. */
  readonly before: number
  readonly after: number
  readonly profiles: boolean
}

export interface ContextDeps {
  readonly store: Store
  readonly clientEvents: ClientEvents
  readonly viewer: Viewer
  readonly ignored: ReadonlySet<string>
}

interface Place {
  readonly depth: number
  readonly arrival: number
}

const placeOf = (row: EventRow): Place => ({ depth: row.depth, arrival: row.arrival ?? row.nid })
const behind = ({ depth, arrival }: Place): Place => ({ depth, arrival: arrival + 1 })

/**
 * The context of a result as JSON text. Events before it are in reverse order, as in `/context`; those that the
 * reader may not see or whose senders they ignore are left out.
 */
export async function contextOf(
  deps: ContextDeps,
  result: SearchResult,
  wanted: ContextWanted,
): Promise<string> {
  const { store, clientEvents, viewer, ignored } = deps
  const { row, rules } = result
  const at = placeOf(row)
  const side = async (dir: 'f' | 'b', from: Place, limit: number): Promise<EventRow[]> =>
    limit === 0 ? [] : store.events.topological({ room: row.room, dir, from, limit })
  const before = await side('b', at, wanted.before)
  const after = await side('f', behind(at), wanted.after)
  const seen = await visibleTo(store, [...before.toReversed(), row, ...after], viewer.userId, rules)
  const membership = new Map(seen.map((each) => [each.row, each.membership]))
  const shown = (each: EventRow): boolean =>
    membership.has(each) && (each.stateKey !== null || !ignored.has(each.sender))
  const view = (rows: readonly EventRow[]): Promise<string[]> =>
    clientEvents.view(rows.filter(shown), viewer, {
      rules,
      withoutRoomId: false,
      membershipAt: (each) => membership.get(each),
    })
  const token = (place: Place): string => JSON.stringify(formatTopological({ epoch: store.epoch, ...place }))
  const start = token(placeOf(before.at(-1) ?? row))
  const end = token(behind(placeOf(after.at(-1) ?? row)))
  const profiles = wanted.profiles
    ? await profilesOf(store, row, [row, ...before, ...after].filter(shown))
    : ''
  return `{"events_before":[${(await view(before)).join(',')}],"events_after":[${(await view(after)).join(',')}],"start":${start},"end":${end}${profiles}}`
}

/** The member `profile_info`: what the senders were called at the result. */
async function profilesOf(store: Store, at: EventRow, rows: readonly EventRow[]): Promise<string> {
  const point = (await store.state.pointBefore(at.nid)) ?? { branch: 0, pos: at.nid - 1 }
  const senders = [...new Set([at, ...rows].map(({ sender }) => sender))]
  const members = await store.state.at(
    at.room,
    point,
    senders.map((sender) => ['m.room.member', sender] as const),
  )
  const profiles = members.map((row): [string, object] => [row.stateKey ?? '', profileIn(row)])
  return `,"profile_info":${JSON.stringify(Object.fromEntries(profiles))}`
}

function profileIn(row: EventRow): object {
  const { content } = JSON.parse(row.json) as { content?: Record<string, unknown> }
  const profile: Record<string, string> = {}
  for (const key of ['displayname', 'avatar_url']) {
    const value = content?.[key]
    if (typeof value === 'string') profile[key] = value
  }
  return profile
}
