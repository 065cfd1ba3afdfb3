/**
 * The store as those read from it who look at many rooms side by side: what they ask of each room in one turn of the
 * event loop is one read for all, away from the thread that serves requests.
 */
import { Gather } from '#/base/async/gather.ts'
import type { Clock } from '#/base/world.ts'
import type { EventRow, TimelinePage } from '#/ports/store/events.ts'
import type { NewestOf, StateAsk, StateTextAsk, TargetsAsk, TurnsAsk } from '#/ports/store/many.ts'
import type { Replaced, StatePoint } from '#/ports/store/state.ts'
import type { ReadStore } from '../rooms/read/expiry.ts'
import { GATHERED_MAX } from './limits.ts'

interface OfUser {
  readonly user: string
  readonly room: number
}

interface OfDevice {
  readonly user: string
  readonly device: string
  readonly nids: readonly number[]
}

type Newest = NewestOf & { readonly room: number; readonly reader: string }

/** The same store, but that what is asked of rooms waits for what others ask in the same turn. */
export function gathered(store: ReadStore, clock: Clock): ReadStore {
  const { many } = store
  const gather = <Ask, Answer>(
    answer: (asks: readonly Ask[]) => Promise<readonly Answer[]>,
    groupOf?: (ask: Ask) => string,
  ): ((ask: Ask) => Promise<Answer>) => {
    const questions = new Gather<Ask, Answer>({
      clock,
      most: GATHERED_MAX,
      answer,
      ...(groupOf ? { groupOf } : {}),
    })
    return (ask) => questions.ask(ask)
  }
  const membership = gather(
    (asks: readonly OfUser[]) => many.memberships(asks[0]!.user, roomsOf(asks)),
    ({ user }) => user,
  )
  const counts = gather(
    (asks: readonly (OfUser & { readonly upto: number })[]) =>
      store.push.countsOfRooms(asks[0]!.user, roomsOf(asks), asks[0]!.upto),
    ({ user, upto }) => `${upto} ${user}`,
  )
  const timeline = gather(
    (asks: readonly TimelinePage[]) => many.timelines(roomsOf(asks), asks[0]!),
    ({ after, upto, limit }) => `${after} ${upto} ${limit}`,
  )
  const receipts = gather(
    (asks: readonly Newest[]) => many.receipts(roomsOf(asks), asks[0]!.reader, asks[0]!),
    ({ after, upto, limit, reader }) => `${after} ${upto} ${limit} ${reader}`,
  )
  const members = gather(
    (asks: readonly { readonly room: number; readonly limit: number; readonly after: number }[]) =>
      many.members(roomsOf(asks), asks[0]!.limit, asks[0]!.after),
    ({ limit, after }) => `${limit} ${after}`,
  )
  const txns = gather(
    async (asks: readonly OfDevice[]) => {
      const { user, device } = asks[0]!
      const found = await many.txns(user, device, nidsOf(asks))
      const byEvent = new Map(found.map((txn) => [txn.event, txn]))
      return asks.map(({ nids }) => nids.flatMap((nid) => byEvent.get(nid) ?? []))
    },
    ({ user, device }) => `${device} ${user}`,
  )
  const replaced = gather(async (asks: readonly { readonly nids: readonly number[] }[]) => {
    const byEvent = new Map<number, Replaced>()
    for (const found of await many.replaced(nidsOf(asks))) byEvent.set(found.by, found)
    return asks.map(({ nids }) => nids.flatMap((nid) => byEvent.get(nid) ?? []))
  })
  const pointsBefore = gather(async (asks: readonly { readonly nids: readonly number[] }[]) => {
    const points = (await many.pointsBefore(nidsOf(asks))).values()
    return asks.map(({ nids }) => nids.map((): StatePoint => points.next().value!))
  })
  const at = gather<StateAsk, EventRow[]>((asks) => many.stateAt(asks))
  const turns = gather((asks: readonly TurnsAsk[]) => many.turns(asks))
  const textAt = gather((asks: readonly StateTextAsk[]) => many.texts(asks))
  const targets = gather((asks: readonly TargetsAsk[]) => many.targets(asks))
  return {
    ...store,
    rooms: {
      ...store.rooms,
      byNid: gather((nids: readonly number[]) => many.rooms(nids)),
      head: gather((rooms: readonly number[]) => many.heads(rooms)),
      membership: (room, user) => membership({ room, user }),
    },
    events: {
      ...store.events,
      timeline: (page) => (page.dir === 'b' ? timeline(page) : store.events.timeline(page)),
      txnsOf: (user, device, nids) => txns({ user, device, nids }),
    },
    state: {
      ...store.state,
      lastChange: gather((rooms: readonly number[]) => many.lastChanges(rooms)),
      pointBefore: async (nid) => (await pointsBefore({ nids: [nid] }))[0],
      pointsBefore: (nids) => pointsBefore({ nids }),
      replaced: (nids) => replaced({ nids }),
      at: (room, point, keys) => at({ room, point, keys }),
      current: (room, keys) => at({ room, point: { branch: 0, pos: Number.MAX_SAFE_INTEGER }, keys }),
      someMembers: (room, limit, after) => members({ room, limit, after }),
      turns,
      textAt,
    },
    push: {
      ...store.push,
      counts: (user, room, upto, overBefore) =>
        overBefore === undefined
          ? counts({ user, room, upto })
          : store.push.counts(user, room, upto, overBefore),
    },
    receipts: {
      ...store.receipts,
      since: (room, reader, after, upto, limit) => receipts({ room, reader, after, upto, limit }),
    },
    relations: { ...store.relations, targets: (room, eventIds) => targets({ room, eventIds }) },
  }
}

const roomsOf = (asks: readonly { readonly room: number }[]): number[] => asks.map(({ room }) => room)

const nidsOf = (asks: readonly { readonly nids: readonly number[] }[]): number[] =>
  asks.flatMap(({ nids }) => nids)
