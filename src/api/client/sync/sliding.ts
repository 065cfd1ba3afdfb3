/** Sliding sync. https://github.com/matrix-org/matrix-spec-proposals/pull/4186 */
import type { RateLimits } from '#/base/rate-limit.ts'
import type { LimitName } from '#/http/limit-names.ts'
import { jsonText } from '#/http/reply.ts'
import type { RequestInfo } from '#/http/request.ts'
import type { Requester } from '#/http/requester.ts'
import { type Route, route } from '#/http/route.ts'
import { type Static, t } from '#/http/schema.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { Presence } from '#/services/ephemeral/presence.ts'
import type { PresenceName } from '#/services/ephemeral/presence-state.ts'
import {
  CONN_ID_CHARS_MAX,
  FILTER_ENTRIES_MAX,
  FILTER_NAME_CHARS_MAX,
  LIST_NAME_CHARS_MAX,
  LISTS_MAX,
  POS_CHARS_MAX,
  RANGES_MAX,
  REQUIRED_STATE_MAX,
  SUBSCRIPTIONS_MAX,
  TIMELINE_ASKED_MAX,
  TXN_ID_CHARS_MAX,
} from '#/services/sync/sliding/limits.ts'
import type {
  ExtensionScope,
  ExtensionsRequest,
  ListFilters,
  ListRequest,
  RoomWish,
} from '#/services/sync/sliding/request.ts'
import { type StateWish, wishOfPairs } from '#/services/sync/sliding/required-state.ts'
import type { SlidingSyncService } from '#/services/sync/sliding/sliding-sync.ts'
import { presenceOf } from './sync.ts'

export interface SlidingRouteDeps {
  readonly slidingSync: SlidingSyncService
  readonly presence: Presence
  readonly limits: RateLimits<LimitName>
  /** Throws when the session of a requester has ended. */
  readonly stillIn: (who: Requester) => Promise<void> | undefined
}

const name = t.text(FILTER_NAME_CHARS_MAX)
const names = t.array(name, FILTER_ENTRIES_MAX)
const typesOrNone = t.array(t.nullable(name), FILTER_ENTRIES_MAX)
const range = t.array(t.int(0), 2)

const FILTERS = t.object({
  is_dm: t.opt(t.nullable(t.bool)),
  is_encrypted: t.opt(t.nullable(t.bool)),
  is_invite: t.opt(t.nullable(t.bool)),
  is_invited: t.opt(t.nullable(t.bool)),
  spaces: t.opt(t.nullable(names)),
  room_types: t.opt(t.nullable(typesOrNone)),
  not_room_types: t.opt(t.nullable(typesOrNone)),
  room_name_like: t.opt(t.nullable(name)),
  tags: t.opt(t.nullable(names)),
  not_tags: t.opt(t.nullable(names)),
})

const SCOPED = t.object({
  enabled: t.opt(t.nullable(t.bool)),
  lists: t.opt(t.nullable(t.array(t.text(LIST_NAME_CHARS_MAX), LISTS_MAX))),
  rooms: t.opt(t.nullable(t.array(name, SUBSCRIPTIONS_MAX))),
})

const EXTENSIONS = t.object({
  account_data: t.opt(t.nullable(SCOPED)),
  receipts: t.opt(t.nullable(SCOPED)),
  typing: t.opt(t.nullable(SCOPED)),
  to_device: t.opt(
    t.nullable(
      t.object({
        enabled: t.opt(t.nullable(t.bool)),
        limit: t.opt(t.nullable(t.int(0))),
        since: t.opt(t.nullable(t.text(POS_CHARS_MAX))),
      }),
    ),
  ),
  e2ee: t.opt(t.nullable(t.object({ enabled: t.opt(t.nullable(t.bool)) }))),
  'io.element.msc4308.thread_subscriptions': t.opt(
    t.nullable(t.object({ enabled: t.opt(t.nullable(t.bool)), limit: t.opt(t.nullable(t.int(1))) })),
  ),
})

const COMMON_BODY = {
  conn_id: t.opt(t.nullable(t.text(CONN_ID_CHARS_MAX))),
  txn_id: t.opt(t.nullable(t.text(TXN_ID_CHARS_MAX))),
  extensions: t.opt(t.nullable(EXTENSIONS)),
} as const

const timelineLimit = t.int(0, TIMELINE_ASKED_MAX)

/** As clients send it today: pairs of type and state key. */
const PAIRS_ROOM = {
  timeline_limit: timelineLimit,
  required_state: t.opt(t.array(t.array(name, 2), REQUIRED_STATE_MAX)),
} as const
const PAIRS_LIST = t.object({
  ...PAIRS_ROOM,
  ranges: t.opt(t.nullable(t.array(range, RANGES_MAX))),
  slow_get_all_rooms: t.opt(t.nullable(t.bool)),
  filters: t.opt(t.nullable(FILTERS)),
})
const PAIRS_SUBSCRIPTION = t.object(PAIRS_ROOM)
const PAIRS_BODY = t.object({
  ...COMMON_BODY,
  lists: t.opt(t.nullable(t.record(PAIRS_LIST))),
  room_subscriptions: t.opt(t.nullable(t.record(PAIRS_SUBSCRIPTION))),
})

/** As the merged proposal has it. */
const elements = t.array(t.object({ type: t.opt(name), state_key: t.opt(name) }), REQUIRED_STATE_MAX)
const ELEMENTS_ROOM = {
  timeline_limit: timelineLimit,
  required_state: t.object({
    include: t.opt(elements),
    exclude: t.opt(elements),
    lazy_members: t.opt(t.bool),
  }),
} as const
const ELEMENTS_LIST = t.object({ ...ELEMENTS_ROOM, range: t.opt(range), filters: t.opt(FILTERS) })
const ELEMENTS_SUBSCRIPTION = t.object(ELEMENTS_ROOM)
const PRESENCES = ['offline', 'online', 'unavailable'] as const
const setPresence = t.opt(t.oneOf(...PRESENCES))
const ELEMENTS_BODY = t.object({
  ...COMMON_BODY,
  pos: t.opt(t.text(POS_CHARS_MAX)),
  timeout: t.opt(t.int(0)),
  set_presence: t.opt(t.text(POS_CHARS_MAX)),
  lists: t.opt(t.record(ELEMENTS_LIST)),
  room_subscriptions: t.opt(t.record(ELEMENTS_SUBSCRIPTION)),
})

type Scoped = Static<typeof SCOPED> | null | undefined

function invalid(sentence: string): MatrixError {
  return new MatrixError('M_INVALID_PARAM', sentence)
}

function scopeOf(scoped: Scoped): ExtensionScope | undefined {
  if (!scoped?.enabled) return undefined
  const of = (listed: readonly string[] | null | undefined): readonly string[] | undefined =>
    !listed || listed.includes('*') ? undefined : listed
  return { lists: of(scoped.lists), rooms: of(scoped.rooms) }
}

function extensionsOf(asked: Static<typeof EXTENSIONS> | null | undefined): ExtensionsRequest {
  const accountData = scopeOf(asked?.account_data)
  const receipts = scopeOf(asked?.receipts)
  const typing = scopeOf(asked?.typing)
  const toDevice = asked?.to_device
  const threads = asked?.['io.element.msc4308.thread_subscriptions']
  return {
    ...(accountData ? { accountData } : {}),
    ...(receipts ? { receipts } : {}),
    ...(typing ? { typing } : {}),
    ...(toDevice?.enabled
      ? { toDevice: { limit: toDevice.limit ?? 100, since: toDevice.since ?? undefined } }
      : {}),
    ...(asked?.e2ee?.enabled ? { e2ee: true } : {}),
    ...(threads?.enabled ? { threadSubscriptions: { limit: threads.limit ?? 100 } } : {}),
  }
}

function filtersOf(asked: Static<typeof FILTERS> | null | undefined): ListFilters {
  return {
    isDm: asked?.is_dm ?? undefined,
    isEncrypted: asked?.is_encrypted ?? undefined,
    isInvite: asked?.is_invited ?? asked?.is_invite ?? undefined,
    spaces: asked?.spaces ?? undefined,
    roomTypes: asked?.room_types ?? undefined,
    notRoomTypes: asked?.not_room_types ?? undefined,
    roomNameLike: asked?.room_name_like ?? undefined,
    tags: asked?.tags ?? undefined,
    notTags: asked?.not_tags ?? undefined,
  }
}

/** The proposal wants M_INVALID_PARAM for another name, though it stands in the body. */
function presenceNamed(text: string | undefined): PresenceName | undefined {
  const known = PRESENCES.find((name) => name === text)
  if (text !== undefined && known === undefined) {
    throw invalid(`set_presence is one of ${PRESENCES.join(', ')}.`)
  }
  return known
}

function rangeOf(numbers: readonly number[]): readonly [number, number] {
  const [from, to] = numbers
  if (from === undefined || to === undefined) throw invalid('A range has two ends.')
  if (from > to) throw invalid('The start of a range must not be behind its end.')
  return [from, to]
}

function pairsWish(pairs: readonly (readonly string[])[] | undefined, userId: string): StateWish {
  const checked = (pairs ?? []).map(([type, stateKey]) => {
    if (type === undefined || stateKey === undefined) {
      throw invalid('An entry of `required_state` is a type and a state key.')
    }
    return [type, stateKey] as const
  })
  return wishOfPairs(checked, userId)
}

function elementsWish(asked: Static<typeof ELEMENTS_LIST>['required_state']): StateWish {
  const of = (list: Static<typeof elements> | undefined) =>
    (list ?? []).map(({ type, state_key: stateKey }) => ({ type, stateKey }))
  return { include: of(asked.include), exclude: of(asked.exclude), lazyMembers: asked.lazy_members ?? false }
}

/** The entries of an object with foreign keys, of which there may be so many. */
function entriesOf<T>(
  record: { [key: string]: T } | null | undefined,
  max: number,
  what: string,
): [string, T][] {
  const entries = Object.entries(record ?? {})
  if (entries.length > max) throw invalid(`At most ${max} ${what} may be asked for.`)
  return entries
}

function listsOf<T>(
  record: { [key: string]: T } | null | undefined,
  listOf: (list: T) => ListRequest,
): Map<string, ListRequest> {
  const lists = new Map<string, ListRequest>()
  for (const [key, list] of entriesOf(record, LISTS_MAX, 'lists')) {
    if (key.length > LIST_NAME_CHARS_MAX) throw invalid('The name of a list is too long.')
    lists.set(key, listOf(list))
  }
  return lists
}

const COMMON = t.object(COMMON_BODY)
type CommonBody = Static<typeof COMMON>

/** What both forms of a request have alike. */
function commonOf<T>(
  d: SlidingRouteDeps,
  who: Requester,
  request: RequestInfo,
  body: CommonBody & { room_subscriptions?: { [roomId: string]: T } | null | undefined },
  wish: (asked: T) => RoomWish,
) {
  const subscribed = entriesOf(body.room_subscriptions, SUBSCRIPTIONS_MAX, 'rooms')
  return {
    userId: who.userId,
    deviceId: who.deviceId ?? '',
    connId: body.conn_id ?? '',
    subscriptions: new Map(subscribed.map(([roomId, asked]) => [roomId, wish(asked)])),
    extensions: extensionsOf(body.extensions),
    signal: request.client,
    stillIn: () => d.stillIn(who),
  }
}

const facts = {
  method: 'POST',
  spec: 'MSC4186',
  use: 'sync',
  auth: 'user',
  limit: 'none',
  servlet: 'SlidingSyncRestServlet',
  emptyBody: true,
} as const

export function slidingRoutes(d: SlidingRouteDeps): Route[] {
  return [
    route({
      ...facts,
      path: '/_matrix/client/unstable/org.matrix.simplified_msc3575/sync',
      query: t.object({
        pos: t.opt(t.text(POS_CHARS_MAX)),
        timeout: t.opt(t.int(0)),
        set_presence: setPresence,
      }),
      body: PAIRS_BODY,
      async handle({ who, query, body, request }) {
        const wish = (asked: Static<typeof PAIRS_SUBSCRIPTION>): RoomWish => ({
          timelineLimit: asked.timeline_limit,
          state: pairsWish(asked.required_state, who.userId),
        })
        const text = await d.slidingSync.sync({
          ...commonOf(d, who, request, body, wish),
          pos: query.pos,
          lists: listsOf(body.lists, (list) => ({
            ...wish(list),
            ranges: list.slow_get_all_rooms ? undefined : list.ranges?.map(rangeOf),
            filters: filtersOf(list.filters),
          })),
          stable: false,
          presence: presenceOf(d, who, query.set_presence),
          txnId: body.txn_id ?? undefined,
          timeoutMs: query.timeout ?? 0,
        })
        return jsonText(text)
      },
    }),
    route({
      ...facts,
      path: '/_matrix/client/v4/sync',
      body: ELEMENTS_BODY,
      async handle({ who, body, request }) {
        const wish = (asked: Static<typeof ELEMENTS_SUBSCRIPTION>): RoomWish => ({
          timelineLimit: asked.timeline_limit,
          state: elementsWish(asked.required_state),
        })
        const text = await d.slidingSync.sync({
          ...commonOf(d, who, request, body, wish),
          pos: body.pos,
          lists: listsOf(body.lists, (list) => ({
            ...wish(list),
            ranges: list.range && [rangeOf(list.range)],
            filters: filtersOf(list.filters),
          })),
          stable: true,
          presence: presenceOf(d, who, presenceNamed(body.set_presence)),
          txnId: undefined,
          timeoutMs: body.timeout ?? 0,
        })
        return jsonText(text)
      },
    }),
  ]
}
