/** Bugs to put into a store on purpose: the oracles must find each of them. */
import type { EventRow } from '#/ports/store/events.ts'
import type { Plan } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'

export interface PlantedBug {
  /** Makes the wrapper for one simulation. */
  readonly plant: () => (store: Store) => Store
  /** What an oracle says about it. */
  readonly found: RegExp
}

/** Writes of this bug's kind that go well before the one that does not. */
const GOOD_ONES = 10

function inserts(plan: Plan): boolean {
  return plan.ops.some((op) => op.op === 'event.insert' && op.type === 'm.room.message')
}

export const PLANTED: Record<string, PlantedBug> = {
  'an acknowledged message is forgotten': {
    found: /is missing/,
    plant: () => {
      let left = GOOD_ONES
      return (store) => ({
        ...store,
        async commit(plan) {
          if (!inserts(plan) || --left !== 0) return store.commit(plan)
          return { ok: true, results: plan.ops.map(() => null), position: store.position() }
        },
      })
    },
  },
  'messages are acknowledged before they are on disk': {
    found: /is missing/,
    plant: () => (store) => ({
      ...store,
      async commit(plan) {
        if (!inserts(plan)) return store.commit(plan)
        store.commit(plan).catch(() => {})
        return { ok: true, results: plan.ops.map(() => null), position: store.position() }
      },
    }),
  },
  'transaction ids are not remembered': {
    found: /are the same message, sent once/,
    plant: () => (store) => ({
      ...store,
      commit: (plan) => store.commit({ ...plan, ops: plan.ops.filter((op) => op.op !== 'event.txn') }),
    }),
  },
  'listeners are not told of one message': {
    found: /never came|came a second time|came after|without meeting/,
    plant: () => (store) => ({
      ...store,
      onChange: (listener) => {
        let left = GOOD_ONES
        return store.onChange((changes, position) => {
          const told = changes.filter((change) => change.event?.type !== 'm.room.message' || --left !== 0)
          listener(told, position)
        })
      },
    }),
  },
  'history visibility is not looked up': {
    found: /may not see it|lacks state m.room.history_visibility/,
    plant: () => (store) => ({
      ...store,
      state: {
        ...store.state,
        at: (room, point, keys) =>
          store.state.at(
            room,
            point,
            keys.filter(([type]) => type !== 'm.room.history_visibility'),
          ),
      },
    }),
  },
  'state that changed in a gap is not told': {
    found: /is .* to the client|lacks state|summary/,
    plant: () => (store) => ({
      ...store,
      state: {
        ...store.state,
        difference: async (...args) => (await store.state.difference(...args)).slice(1),
      },
    }),
  },
  'account data of one type is not told': {
    found: /stored is/,
    plant: () => (store) => ({
      ...store,
      accountData: {
        ...store.accountData,
        since: async (...args) =>
          (await store.accountData.since(...args)).filter((row) => row.type !== 'org.example.b'),
      },
    }),
  },
  'a read fails now and then': {
    found: /was answered 500/,
    plant: () => {
      let count = 0
      return (store) => ({
        ...store,
        rooms: {
          ...store.rooms,
          membership: async (...args) => {
            if (++count % 50 === 0) throw new Error('planted')
            return store.rooms.membership(...args)
          },
        },
      })
    },
  },
  'a read never ends': {
    /* A job hangs as well as a request. */
    found: /was never answered|deadlock|jobs are left/,
    plant: () => {
      let count = 0
      return (store) => ({
        ...store,
        rooms: {
          ...store.rooms,
          membershipsOf: (...args) =>
            ++count % 10 === 0 ? new Promise(() => {}) : store.rooms.membershipsOf(...args),
        },
      })
    },
  },
  'the joined count is not kept': {
    found: /summary|the database is damaged/,
    plant: () => (store) => ({
      ...store,
      commit: (plan) =>
        store.commit({
          ...plan,
          ops: plan.ops.map((op) =>
            op.op === 'room.head' && op.room !== 'new' ? { ...op, joinedDelta: 0 } : op,
          ),
        }),
    }),
  },
  'receipts of others are not told': {
    found: /receipt .* to the client/,
    plant: () => (store) => ({
      ...store,
      onChange: (listener) =>
        store.onChange((changes, position) =>
          listener(
            changes.filter((change) => change.stream !== 'receipts'),
            position,
          ),
        ),
    }),
  },
  'private receipts are told to all': {
    found: /receipt m\.read/,
    plant: () => (store) => ({
      ...store,
      onChange: (listener) =>
        store.onChange((changes, position) => {
          const told = changes.map((change) =>
            change.receipt?.kind === 'm.read.private'
              ? { ...change, receipt: { ...change.receipt, kind: 'm.read' as const } }
              : change,
          )
          listener(told, position)
        }),
    }),
  },
  'a thread is read with the room': {
    found: /unread is|the database is damaged|stands at undefined/,
    plant: () => (store) => ({
      ...store,
      commit: (plan) =>
        store.commit({
          ...plan,
          ops: plan.ops.map((op) => (op.op === 'receipt.put' ? { ...op, thread: '' } : op)),
        }),
    }),
  },
  'what is unread counts once more': {
    found: /unread is/,
    plant: () => (store) => ({
      ...store,
      push: {
        ...store.push,
        countsToKeep: async (...args) => {
          const kept = await store.push.countsToKeep(...args)
          const { main } = kept.counts
          const more = main.notifications > 0 ? 1 : 0
          const counts = { ...kept.counts, main: { ...main, notifications: main.notifications + more } }
          return { ...kept, counts }
        },
      },
    }),
  },
  'whom a user ignores is forgotten': {
    found: /and ignores them/,
    plant: () => (store) => ({
      ...store,
      accountData: {
        ...store.accountData,
        get: async (user, room, type) =>
          type === 'm.ignored_user_list' ? undefined : store.accountData.get(user, room, type),
      },
    }),
  },
  'names of rooms are not known': {
    found: /the list/,
    plant: () => (store) => ({
      ...store,
      roomFacts: {
        ...store.roomFacts,
        of: async (rooms) => (await store.roomFacts.of(rooms)).map((row) => ({ ...row, name: null })),
      },
    }),
  },
  'rooms are named after the members who came last': {
    found: /is named after/,
    plant: () => (store) => ({
      ...store,
      state: {
        ...store.state,
        someMembers: async (...args) => (await store.state.someMembers(...args)).reverse(),
      },
      many: {
        ...store.many,
        members: async (...args) => (await store.many.members(...args)).map((rows) => rows.reverse()),
      },
    }),
  },
  'redactions do not reach those who are told from memory': {
    found: /after its redaction was acknowledged/,
    plant: () => {
      const kept = new Map<number, EventRow>()
      const old = (rows: EventRow[]): EventRow[] =>
        rows.map((row) => {
          if (row.redactedBy === null && row.stateKey === null) kept.set(row.nid, row)
          return kept.get(row.nid) ?? row
        })
      return (store) => ({
        ...store,
        events: { ...store.events, timeline: async (page) => old(await store.events.timeline(page)) },
      })
    },
  },
}
