/** Notification counts against a count by hand, profiles over time, pushers and their queues. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Op } from '#/ports/store/plan.ts'
import type { PushAction, PusherRow, PushOp } from '#/ports/store/push.ts'
import type { Store } from '#/ports/store/store.ts'
import { KIND_RULES } from '#/protocol/push-rules/event-kind.ts'
import { DEFAULT_PROFILE, NO_ROOM_PROFILE, outcomeFor } from '#/protocol/push-rules/profile.ts'
import { PROFILE_STEPS_MAX, PUSH_QUEUE_MAX } from '#/storage/limits.ts'
import { onEveryEngine } from './engines.ts'
import { accepted, fresh, insert, newRoom, refused, user } from './plans.ts'

type Count = Extract<PushOp, { op: 'push.event' }>

const bit = (rule: string): number => 1 << KIND_RULES.indexOf(rule)
const MESSAGE = bit('.m.rule.message')
const ROOM_MENTION = bit('.m.rule.is_room_mention') | MESSAGE
const NOTICE = bit('.m.rule.suppress_notices') | MESSAGE
const KINDS = [MESSAGE, ROOM_MENTION, NOTICE, 0]

const count = (room: number, more: Partial<Count> = {}): Count => ({
  op: 'push.event',
  event: { slot: 0 },
  room,
  thread: 'main',
  kind: MESSAGE,
  loud: more.kind === ROOM_MENTION,
  readBy: undefined,
  joined: undefined,
  actions: [],
  queue: [],
  ...more,
})

async function event(store: Store, room: number, lane: string, more: Partial<Count> = {}): Promise<number> {
  const { results } = await accepted(store, lane, insert({ room }), count(room, more))
  return results[0] as number
}

const action = (name: string, level: number): PushAction => ({
  user: name,
  notify: level > 0,
  highlight: level > 1,
  actions: '["notify"]',
})

const receipt = (room: number, name: string, at: number, thread = ''): Op => ({
  op: 'receipt.put',
  room,
  user: name,
  kind: 'm.read',
  thread,
  eventId: `$${at}`,
  event: at,
  ts: 1,
})

const rules = (name: string, more: Partial<Extract<PushOp, { op: 'push.rules' }>>): Op => ({
  op: 'push.rules',
  user: name,
  content: '{}',
  custom: false,
  profile: undefined,
  rooms: [],
  ...more,
})

const join = (room: number, name: string, membership: 'join' | 'leave' = 'join'): Op[] => [
  insert({ room }),
  { op: 'room.membership', room, user: name, membership, event: { slot: 0 }, sender: name, stripped: null },
]

const pusher = (name: string, pushkey: string, more: Partial<PusherRow> = {}): PusherRow => ({
  user: name,
  appId: 'app',
  pushkey,
  kind: 'http',
  device: 'D',
  data: '{}',
  ts: 1,
  ...more,
})

async function seen(store: Store, name: string, room: number): Promise<Record<string, string>> {
  const { main, threads } = await store.push.counts(name, room, store.position())
  const text = (one: { notifications: number; highlights: number }) =>
    `${one.notifications}/${one.highlights}`
  return { main: text(main), ...Object.fromEntries(threads.map((one) => [one.thread, text(one)])) }
}

/** What one event is to one user, kept one by one. */
interface Noted {
  readonly nid: number
  readonly thread: string
  readonly kind: number
  level: number
}

/** A small generator of numbers, the same on every run. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state * 1103515245 + 12345) % 2147483648
    return Math.floor((state / 2147483648) * below)
  }
}

onEveryEngine('push', (bench) => {
  it('counts the same as counting event by event, whatever the rules, receipts and threads', async () => {
    const { store } = bench()
    const { room, lane } = await newRoom(store)
    const below = numbers(7)
    const names = [user('a'), user('b'), user('c')]
    const noted = new Map(names.map((name) => [name, [] as Noted[]]))
    const marks = new Map(names.map((name) => [name, new Map<string, number>()]))
    const profiles = new Map(names.map((name) => [name, { all: DEFAULT_PROFILE, room: NO_ROOM_PROFILE }]))
    const threads = ['main', 'main', '$one', '$two']
    const all: number[] = []
    for (let step = 0; step < 150; step++) {
      const name = names[below(3)]!
      const did = below(10)
      if (did < 6) {
        const thread = threads[below(4)]!
        const kind = KINDS[below(4)]!
        const special = below(3) === 0 ? { user: name, level: below(3) } : undefined
        const readBy = below(6) === 0 ? names[below(3)] : undefined
        const actions = special ? [action(special.user, special.level)] : []
        const nid = await event(store, room, lane, { thread, kind, actions, readBy })
        all.push(nid)
        for (const one of names) {
          const { all: profile, room: ofRoom } = profiles.get(one)!
          const level = special?.user === one ? special.level : outcomeFor(kind, profile, ofRoom)
          noted.get(one)!.push({ nid, thread, kind, level })
        }
        if (readBy !== undefined) marks.get(readBy)!.set(thread, nid)
      } else if (did < 8 && all.length > 0) {
        const at = all[below(all.length)]!
        const thread = ['', 'main', '$one', '$two'][below(4)]!
        await accepted(store, name, receipt(room, name, at, thread))
        marks.get(name)!.set(thread, Math.max(marks.get(name)!.get(thread) ?? 0, at))
      } else if (did === 8) {
        const profile = below(2) === 0 ? DEFAULT_PROFILE : DEFAULT_PROFILE.replaceAll('1', '0')
        const ofRoom = ['--', '0-', '-0', '-1'][below(4)]!
        profiles.set(name, { all: profile, room: ofRoom })
        await accepted(store, name, rules(name, { profile, rooms: [[lane, ofRoom]] }))
      } else if (all.length > 0) {
        const target = all[below(all.length)]!
        const [row] = await store.events.byNids([target])
        await accepted(store, lane, insert({ room }), {
          op: 'event.redact',
          target: row!.eventId,
          by: { slot: 0 },
          json: '{}',
          keepUntil: 2 ** 50,
        })
        for (const list of noted.values()) for (const one of list) if (one.nid === target) one.level = 0
      }
      for (const who of names) {
        const mine = marks.get(who)!
        const expected: Record<string, string> = {}
        for (const thread of ['main', '$one', '$two']) {
          const from = Math.max(mine.get('') ?? 0, mine.get(thread) ?? 0)
          const unread = noted.get(who)!.filter((one) => one.thread === thread && one.nid > from)
          const loud = unread.filter((one) => one.level > 1).length
          const heard = unread.filter((one) => one.level > 0).length
          if (thread === 'main' || heard > 0) expected[thread] = `${heard}/${loud}`
        }
        assert.deepEqual(await seen(store, who, room), expected, `step ${step}`)
      }
    }
    const many = await store.push.countsOfRooms(names[0]!, [room, 2 ** 40], store.position())
    assert.deepEqual(many[0], await store.push.counts(names[0]!, room, store.position()))
    assert.deepEqual(many[1]?.main, { notifications: 0, highlights: 0 })
  })

  it('counts up to a position', async () => {
    const { store } = bench()
    const { room, lane } = await newRoom(store)
    const name = user()
    const first = await event(store, room, lane)
    await event(store, room, lane)
    assert.equal((await store.push.counts(name, room, first)).main.notifications, 1)
  })

  it('forgets the oldest of too many changes of the rules', async () => {
    const { store } = bench()
    const { room, lane } = await newRoom(store)
    const name = user()
    const before = (await bench().counts())['push_profiles']!
    await event(store, room, lane)
    const off = DEFAULT_PROFILE.replaceAll('1', '0')
    for (let i = 0; i < PROFILE_STEPS_MAX + 10; i++) {
      await accepted(store, name, rules(name, { profile: i % 2 === 0 ? off : DEFAULT_PROFILE }))
    }
    assert.equal((await bench().counts())['push_profiles']! - before, PROFILE_STEPS_MAX)
    await event(store, room, lane)
    assert.deepEqual(await seen(store, name, room), { main: '1/0' })
  })

  it('knows for whom more is to be done than to count', async () => {
    const { store } = bench()
    const { room, lane } = await newRoom(store)
    const [plain, custom, pushed] = [user('plain'), user('custom'), user('pushed')]
    for (const name of [plain, custom, pushed]) await accepted(store, lane, ...join(room, name))
    await accepted(store, custom, rules(custom, { custom: true }))
    await accepted(store, pushed, {
      op: 'pusher.put',
      pusher: pusher(pushed, fresh('key')),
      append: false,
      max: 5,
    })
    const rows = await store.push.followers(room)
    assert.deepEqual(
      rows.sort((a, b) => (a.user < b.user ? -1 : 1)),
      [
        { user: custom, custom: true, pushers: 0 },
        { user: pushed, custom: false, pushers: 1 },
      ],
    )
    assert.equal(await store.push.user(plain), undefined)
    await accepted(store, custom, { op: 'push.custom', user: custom, custom: false })
    assert.equal(await store.push.user(custom), undefined)
    await accepted(store, lane, ...join(room, pushed, 'leave'))
    assert.deepEqual(await store.push.followers(room), [])
  })

  it('lists what notified a user over all rooms in pages, newest first, and marks what was read', async () => {
    const { store } = bench()
    const name = user()
    const rooms = [await newRoom(store), await newRoom(store), await newRoom(store)]
    for (const { room, lane } of rooms) await accepted(store, lane, ...join(room, name))
    const heard: number[] = []
    const loud: number[] = []
    for (let i = 0; i < 60; i++) {
      const { room, lane } = rooms[(i * i) % 3]!
      const kind = KINDS[i % 4]!
      const actions = i % 7 === 0 ? [action(name, i % 3)] : []
      const nid = await event(store, room, lane, { kind, actions, thread: i % 5 === 0 ? '$t' : 'main' })
      const level = i % 7 === 0 ? i % 3 : outcomeFor(kind, DEFAULT_PROFILE, NO_ROOM_PROFILE)
      if (level > 0) heard.unshift(nid)
      if (level > 1) loud.unshift(nid)
    }
    const own = await accepted(store, rooms[0]!.lane, insert({ room: rooms[0]!.room, sender: name }), {
      ...count(rooms[0]!.room),
      readBy: name,
    })
    assert.ok(own.results[0])
    for (const [wanted, only] of [
      [heard, false],
      [loud, true],
    ] as const) {
      for (const [limit, scan] of [
        [100, 1000],
        [7, 1000],
        [7, 10],
      ] as const) {
        const found: number[] = []
        let before: number | undefined = store.position() + 1
        for (let pages = 0; before !== undefined && pages < 100; pages++) {
          const page: Awaited<ReturnType<Store['push']['notifications']>> = await store.push.notifications(
            name,
            before,
            limit,
            scan,
            only,
          )
          assert.ok(page.rows.length <= limit)
          assert.ok(page.next === undefined || page.next < before)
          found.push(...page.rows.map((row) => row.event))
          before = page.next
        }
        assert.deepEqual(found, wanted, `${only} ${limit} ${scan}`)
      }
    }
    const page = await store.push.notifications(name, store.position() + 1, 100, 1000, false)
    for (const row of page.rows) assert.equal(row.read, row.room === rooms[0]!.room && row.thread === 'main')
  })

  it('keeps pushers of users and devices, and few of each', async () => {
    const { store } = bench()
    const [a, b] = [user('a'), user('b')]
    const key = fresh('key')
    const put = (row: PusherRow, append = false): Op => ({ op: 'pusher.put', pusher: row, append, max: 2 })
    await accepted(store, a, put(pusher(a, key)))
    await accepted(store, b, put(pusher(b, key), true))
    assert.equal((await store.push.pushers(a)).length, 1)
    await accepted(store, b, put(pusher(b, key, { data: '{"lang":"de"}' })))
    assert.deepEqual(await store.push.pushers(a), [])
    assert.deepEqual(await store.push.pushers(b), [pusher(b, key, { data: '{"lang":"de"}' })])
    await accepted(store, b, put(pusher(b, fresh('key'), { device: 'E' })))
    assert.deepEqual(await refused(store, b, put(pusher(b, fresh('key')))), { conflict: 'taken' })
    assert.equal((await store.push.user(b))?.pushers, 2)
    await accepted(store, b, { op: 'device.delete', user: b, devices: ['D'] })
    assert.deepEqual(
      (await store.push.pushers(b)).map((row) => row.device),
      ['E'],
    )
    await accepted(store, b, { op: 'device.delete', user: b })
    assert.deepEqual([await store.push.pushers(b), await store.push.user(b)], [[], undefined])
  })

  it('queues for pushers no more than their limit, the newest, and without redacted events', async () => {
    const { store } = bench()
    const { room, lane } = await newRoom(store)
    const name = user()
    const key = fresh('key')
    await accepted(store, name, { op: 'pusher.put', pusher: pusher(name, key), append: false, max: 2 })
    const queue = [{ user: name, actions: '["notify"]' }]
    const last = await Promise.all(
      Array.from({ length: PUSH_QUEUE_MAX + 5 }, () => event(store, room, lane, { queue })),
    )
    const first = await store.push.queued(name, 'app', key, 0, 2)
    assert.deepEqual(
      first.map((row) => [row.seq, row.event, row.actions]),
      [
        [6, last[5], '["notify"]'],
        [7, last[6], '["notify"]'],
      ],
    )
    const [row] = await store.events.byNids([last[5]!])
    await accepted(store, lane, insert({ room }), {
      op: 'event.redact',
      target: row!.eventId,
      by: { slot: 0 },
      json: '{}',
      keepUntil: 2 ** 50,
    })
    assert.equal((await store.push.queued(name, 'app', key, 0, 1))[0]?.seq, 7)
    await accepted(store, name, { op: 'pusher.delete', user: name, appId: 'app', pushkey: key })
    assert.deepEqual(await store.push.queued(name, 'app', key, 0, 10), [])
  })

  it('leaves nothing of a user or a room that is gone', async () => {
    const { store } = bench()
    const before = await bench().counts()
    const { room, lane } = await newRoom(store)
    const [name, other] = [user('gone'), user('stays')]
    await accepted(store, lane, ...join(room, name))
    for (const one of [name, other]) {
      const pushed = pusher(one, fresh('key'))
      await accepted(store, one, { op: 'pusher.put', pusher: pushed, append: false, max: 2 })
      await accepted(store, one, rules(one, { profile: '-', rooms: [[lane, '0-']], custom: true }))
      const queue = [{ user: one, actions: '[]' }]
      const actions = [action(one, 2)]
      await event(store, room, lane, { thread: '$t', joined: one, readBy: one, queue, actions })
    }
    const target = await store.events.byNids([await event(store, room, lane)])
    await accepted(store, lane, insert({ room }), {
      op: 'event.redact',
      target: target[0]!.eventId,
      by: { slot: 0 },
      json: '{}',
      keepUntil: 2 ** 50,
    })
    await accepted(store, name, { op: 'push.clear', user: name }, { op: 'account_data.clear', user: name })
    const cleared = await bench().counts()
    for (const table of ['push_users', 'push_actions', 'pushers', 'push_queue']) {
      assert.equal(cleared[table], before[table]! + 1, table)
    }
    await accepted(store, lane, ...join(room, other), ...join(room, other, 'leave'))
    assert.equal((await bench().counts())['push_actions'], before['push_actions'])
    await accepted(store, lane, { op: 'room.delete', room })
    await accepted(store, other, { op: 'push.clear', user: other }, { op: 'account_data.clear', user: other })
    assert.deepEqual(await bench().counts(), before)
  })
})
