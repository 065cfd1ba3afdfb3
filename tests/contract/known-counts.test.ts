/** Unread counts kept ready, against the store's own after every step of random histories. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Op } from '#/ports/store/plan.ts'
import type { RoomCounts } from '#/ports/store/push.ts'
import type { Store } from '#/ports/store/store.ts'
import { KIND_RULES } from '#/protocol/push-rules/event-kind.ts'
import { DEFAULT_PROFILE } from '#/protocol/push-rules/profile.ts'
import { KnownCounts } from '#/services/push/known-counts.ts'
import { COUNTED_EVENTS_KEPT } from '#/services/push/limits.ts'
import { onEveryEngine } from './engines.ts'
import { accepted, insert, newRoom, user } from './plans.ts'

const bit = (rule: string): number => 1 << KIND_RULES.indexOf(rule)
const MESSAGE = bit('.m.rule.message')
const KINDS = [
  MESSAGE,
  bit('.m.rule.is_room_mention') | MESSAGE,
  bit('.m.rule.suppress_notices') | MESSAGE,
  0,
]
const THREADS = ['main', 'main', 'main', '$one', '$two', '$three']

/** A small generator of numbers, the same on every run. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state * 1103515245 + 12345) % 2147483648
    return Math.floor((state / 2147483648) * below)
  }
}

/** A store that tells how often it was asked for counts. */
function watched(store: Store): { store: Store; asked: () => number } {
  let asked = 0
  const countsToKeep: Store['push']['countsToKeep'] = (...args) => {
    asked++
    return store.push.countsToKeep(...args)
  }
  return { store: { ...store, push: { ...store.push, countsToKeep } }, asked: () => asked }
}

interface Scene {
  readonly store: Store
  readonly room: number
  readonly lane: string
  readonly names: readonly string[]
  readonly below: (below: number) => number
  /** Row ids of the room's events. */
  readonly events: number[]
}

async function newScene(store: Store, seed: number): Promise<Scene> {
  const { room, lane } = await newRoom(store)
  return { store, room, lane, names: [user('a'), user('b'), user('c')], below: numbers(seed), events: [] }
}

async function send({ store, room, lane, names, below, events }: Scene): Promise<void> {
  const level = below(3)
  const action = { user: names[below(3)]!, notify: level > 0, highlight: level > 1, actions: '["notify"]' }
  const { results } = await accepted(store, lane, insert({ room }), {
    op: 'push.event',
    event: { slot: 0 },
    room,
    thread: THREADS[below(THREADS.length)]!,
    kind: KINDS[below(4)]!,
    loud: false,
    readBy: below(8) === 0 ? names[below(3)] : undefined,
    joined: undefined,
    actions: below(3) === 0 ? [action] : [],
    queue: [],
  })
  events.push(results[0] as number)
}

/** Something besides an event, of all that moves counts. */
async function other(scene: Scene): Promise<void> {
  const { store, room, lane, names, below, events } = scene
  const name = names[below(3)]!
  const at = events[below(2) === 0 ? events.length - 1 : below(events.length)]!
  const [row] = await store.events.byNids([at])
  const ops: (() => Op[])[] = [
    () => [
      {
        op: 'receipt.put',
        room,
        user: name,
        kind: below(3) === 0 ? 'm.read.private' : 'm.read',
        thread: ['', '', 'main', '$one', '$two'][below(5)]!,
        eventId: row!.eventId,
        event: at,
        ts: 1,
      },
    ],
    () => [
      {
        op: 'push.rules',
        user: name,
        content: '{}',
        custom: false,
        profile: below(2) === 0 ? DEFAULT_PROFILE : DEFAULT_PROFILE.replaceAll('1', '0'),
        rooms: [[lane, ['--', '0-', '-0', '-1'][below(4)]!]],
      },
    ],
    () => [
      insert({ room }),
      { op: 'event.redact', target: row!.eventId, by: { slot: 0 }, json: '{}', keepUntil: 2 ** 50 },
    ],
    () => {
      const membership = (['join', 'leave'] as const)[below(2)]!
      const event = { slot: 0 }
      return [
        insert({ room }),
        { op: 'room.membership', room, user: name, membership, event, sender: name, stripped: null },
      ]
    },
    () => [{ op: 'push.clear', user: name }],
    () => [{ op: 'room.purge', room, before: 0, limit: 10 }],
  ]
  const which = Math.max(0, below(ops.length + 4) - 4)
  await accepted(store, which === 1 || which === 4 ? name : lane, ...ops[which]!())
}

async function equal({ store, room, names }: Scene, known: KnownCounts, what: string): Promise<void> {
  const upto = store.position()
  for (const name of names) {
    const expected = await store.push.counts(name, room, upto)
    assert.deepEqual(await known.counts(name, room, upto), expected, `${what}, ${name}`)
  }
}

onEveryEngine('counts kept ready', (bench) => {
  it('are those of the store, whatever happens', async () => {
    for (const seed of [1, 2, 3]) {
      const { store, asked } = watched(bench().store)
      using known = new KnownCounts(store)
      const scene = await newScene(store, seed)
      await send(scene)
      let compared = 0
      for (let step = 0; step < 200; step++) {
        if (scene.below(4) > 0) await send(scene)
        else await other(scene)
        /* Now and then several things happen between two looks, once more events than are kept. */
        if (step === 100) for (let i = 0; i <= COUNTED_EVENTS_KEPT; i++) await send(scene)
        if (scene.below(3) === 0) continue
        compared += scene.names.length
        await equal(scene, known, `seed ${seed}, step ${step}`)
      }
      assert.ok(asked() < compared / 2, `the store was asked ${asked()} times for ${compared} counts`)
    }
  })

  it('are not kept when they changed while the store was asked', async () => {
    const { store } = bench()
    const scene = await newScene(store, 4)
    for (let i = 0; i < 5; i++) await send(scene)
    let meanwhile = async (): Promise<void> => {}
    const slow: Store = {
      ...store,
      push: {
        ...store.push,
        async countsToKeep(...args) {
          const found = await store.push.countsToKeep(...args)
          await meanwhile()
          return found
        },
      },
    }
    using known = new KnownCounts(slow)
    const [name] = scene.names as [string]
    const { room } = scene
    const ask = (): Promise<RoomCounts> => known.counts(name, room, store.position())
    meanwhile = async () => {
      meanwhile = async () => {}
      const row = { op: 'receipt.put', room, user: name, kind: 'm.read', thread: '', ts: 1 } as const
      await accepted(store, name, { ...row, eventId: '$', event: scene.events.at(-1)! })
      await send(scene)
    }
    await ask()
    await equal(scene, known, 'a receipt and an event came meanwhile')
    await send(scene)
    await equal(scene, known, 'behind it')
  })

  it('are let go of where the time of messages is over, and of all together without a name', async () => {
    const { store, asked } = watched(bench().store)
    using known = new KnownCounts(store)
    const scene = await newScene(store, 5)
    await send(scene)
    const [name] = scene.names as [string]
    const over = await known.counts(name, scene.room, store.position(), 5000)
    assert.deepEqual(over.main, { notifications: 0, highlights: 0 })
    assert.equal(asked(), 0)
  })
})
