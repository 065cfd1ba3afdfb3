/** Relations between events, their sums, and subscriptions of threads: the same on every engine. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { EventRow } from '#/ports/store/events.ts'
import type { Op } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import { onEveryEngine } from './engines.ts'
import { accepted, fresh, insert, newRoom, refused, user } from './plans.ts'

interface Related {
  readonly relType?: string
  readonly key?: string
  readonly type?: string
  readonly sender?: string
  readonly ts?: number
  readonly depth?: number
  readonly aggregated?: boolean
  readonly stateKey?: string
}

class Room {
  readonly store: Store
  readonly room: number
  readonly lane: string

  constructor(store: Store, { room, lane }: { room: number; lane: string }) {
    this.store = store
    this.room = room
    this.lane = lane
  }

  static async of(store: Store): Promise<Room> {
    return new Room(store, await newRoom(store))
  }

  async event(more: { sender?: string; type?: string } = {}): Promise<string> {
    const op = insert({ room: this.room, ...more })
    await accepted(this.store, this.lane, op)
    return op.eventId
  }

  ops(target: string, related: Related): Op[] {
    const { relType = 'm.annotation', key = null, aggregated = true, stateKey = null } = related
    const op = insert({ room: this.room, stateKey, ...related })
    const { type, sender, ts, depth } = op
    const event = { slot: 0 }
    const put = { op: 'relation.put', event, room: this.room, target, relType, key, aggregated } as const
    return [op, { ...put, type, sender, ts, depth }]
  }

  async relate(target: string, related: Related = {}): Promise<string> {
    const ops = this.ops(target, related)
    await accepted(this.store, this.lane, ...ops)
    return (ops[0] as { eventId: string }).eventId
  }

  async redact(target: string): Promise<void> {
    const by = insert({ room: this.room, type: 'm.room.redaction' })
    const op = { op: 'event.redact', target, by: { slot: 0 }, json: '{}', keepUntil: 5 } as const
    await accepted(this.store, this.lane, by, op)
  }

  async page(target: string, more: object = {}): Promise<string[]> {
    const page = { room: this.room, target, dir: 'f', limit: 100, ...more } as const
    return ids(await this.store.relations.page(page))
  }

  async tree(target: string, levels: number, more: object = {}): Promise<string[]> {
    const tree = { room: this.room, target, dir: 'f', limit: 100, levels, ...more } as const
    const nids = await this.store.relations.tree(tree)
    const rows = await this.store.events.byNids(nids)
    return nids.map((nid) => rows.find((row) => row.nid === nid)!.eventId)
  }

  async sums(target: string): Promise<number[] | undefined> {
    const [found] = await this.store.relations.targets(this.room, [target])
    return found && [found.edits, found.references, found.threadCount]
  }

  async target(eventId: string): Promise<number> {
    return (await this.store.relations.targets(this.room, [eventId]))[0]!.nid
  }
}

function ids(rows: readonly EventRow[]): string[] {
  return rows.map((row) => row.eventId)
}

onEveryEngine('relations', (bench) => {
  it('pages what relates to an event, by kind and type, both ways, and of this room alone', async () => {
    const room = await Room.of(bench().store)
    const other = await Room.of(bench().store)
    const target = await room.event()
    const made = [
      await room.relate(target, { depth: 5 }),
      await room.relate(target, { depth: 3, relType: 'm.thread' }),
      await room.relate(target, { depth: 4, type: 'm.reaction' }),
    ]
    await other.relate(target)
    const inOrder = [made[1]!, made[2]!, made[0]!]
    assert.deepEqual(await room.page(target), inOrder)
    assert.deepEqual(await room.page(target, { dir: 'b' }), inOrder.toReversed())
    assert.deepEqual(await room.page(target, { limit: 2 }), inOrder.slice(0, 2))
    assert.deepEqual(await room.page(target, { relType: 'm.annotation' }), [made[2], made[0]])
    assert.deepEqual(await room.page(target, { relType: 'm.annotation', type: 'm.reaction' }), [made[2]])
    assert.deepEqual(await room.page(target, { type: 'm.room.message' }), [made[1], made[0]])
    assert.deepEqual(await room.page(made[0]!), [])
    const place = { depth: 4, arrival: (await bench().store.events.byId(made[2]!))!.arrival! }
    assert.deepEqual(await room.page(target, { from: place }), inOrder.slice(1))
    assert.deepEqual(await room.page(target, { to: place }), inOrder.slice(0, 1))
    assert.deepEqual(await room.page(target, { from: place, dir: 'b' }), inOrder.slice(0, 1))
    assert.deepEqual(await room.page(target, { to: place, dir: 'b' }), inOrder.slice(1).toReversed())
  })

  it('chooses events by who relates to them and how', async () => {
    const { store } = bench()
    const [room, other] = [await Room.of(store), await Room.of(store)]
    const [a, b, alone] = [await room.event(), await room.event(), await room.event()]
    await room.relate(a, { sender: '@x:x', relType: 'm.thread' })
    await room.relate(b, { sender: '@x:x', relType: 'm.reference' })
    await room.relate(b, { sender: '@y:x', relType: 'm.thread' })
    await other.relate(alone)
    const chosen = async (by: object): Promise<string[]> =>
      (await store.relations.relatedBy(room.room, [a, b, alone, '$nowhere'], by)).sort()
    assert.deepEqual(await chosen({}), [a, b].sort())
    assert.deepEqual(await chosen({ senders: ['@y:x', '@z:x'] }), [b])
    assert.deepEqual(await chosen({ relTypes: ['m.thread'] }), [a, b].sort())
    assert.deepEqual(await chosen({ relTypes: ['m.thread'], senders: ['@x:x'] }), [a])
    assert.deepEqual([await chosen({ senders: [] }), await chosen({ relTypes: [] })], [[], []])
    assert.deepEqual(await store.relations.relatedBy(room.room, [], {}), [])
  })

  it('follows relations of relations as far as it is told, through matching ones alone', async () => {
    const room = await Room.of(bench().store)
    const target = await room.event()
    const chain = [target]
    for (let depth = 2; depth < 7; depth++) {
      const relType = depth === 4 ? 'm.reference' : 'm.thread'
      chain.push(await room.relate(chain.at(-1)!, { depth, relType }))
    }
    for (const levels of [2, 3, 4]) {
      assert.deepEqual(await room.tree(target, levels), chain.slice(1, levels + 1))
      const back = await room.tree(target, levels, { dir: 'b', limit: 1 })
      assert.deepEqual(back, [chain[levels]])
    }
    assert.deepEqual(await room.tree(target, 5, { relType: 'm.thread' }), chain.slice(1, 3))
    const place = { depth: 3, arrival: (await bench().store.events.byId(chain[2]!))!.arrival! }
    assert.deepEqual(await room.tree(target, 3, { from: place }), chain.slice(2, 4))
    assert.deepEqual(await room.tree(target, 3, { to: place, dir: 'b' }), [chain[3], chain[2]])
    assert.deepEqual(await room.tree('$nothing', 3), [])
  })

  it('counts edits, references and threads, and forgets what is redacted', async () => {
    const room = await Room.of(bench().store)
    const target = await room.event()
    const edit = await room.relate(target, { relType: 'm.replace' })
    await room.relate(target, { relType: 'm.replace', aggregated: false })
    const reference = await room.relate(target, { relType: 'm.reference' })
    const first = await room.relate(target, { relType: 'm.thread', depth: 9 })
    const last = await room.relate(target, { relType: 'm.thread', depth: 20 })
    const late = await room.relate(target, { relType: 'm.thread', depth: 7 })
    assert.deepEqual(await room.sums(target), [1, 1, 3])
    const latest = async () => {
      const [found] = await room.store.relations.targets(room.room, [target])
      const nid = found?.threadLatest
      return nid == null ? nid : ids(await room.store.events.byNids([nid]))[0]
    }
    assert.equal(await latest(), last)
    await room.redact(last)
    assert.equal(await latest(), first)
    await room.redact(first)
    assert.equal(await latest(), late)
    await room.redact(late)
    assert.equal(await latest(), null)
    await room.redact(edit)
    await room.redact(reference)
    assert.deepEqual(await room.sums(target), [0, 0, 0])
    assert.equal((await room.page(target)).length, 1)
    const reaction = await room.relate(last)
    await room.redact(reaction)
    await room.redact(reaction)
    assert.equal(await room.sums(last), undefined)
  })

  it('gives the newest edit that is valid, by time and then by id', async () => {
    const room = await Room.of(bench().store)
    const { relations } = room.store
    const sender = user()
    const target = await room.event({ sender })
    const edit = (more: Related) => room.relate(target, { relType: 'm.replace', sender, ...more })
    const equals = [await edit({ ts: 5 }), await edit({ ts: 7 }), await edit({ ts: 7 })]
    await edit({ ts: 9, sender: user() })
    await edit({ ts: 9, type: 'm.sticker' })
    await edit({ ts: 9, aggregated: false })
    await edit({ ts: 3 })
    const nid = await room.target(target)
    const newest = await relations.editsOf(nid, 10)
    assert.equal(newest.length, 4)
    assert.deepEqual(
      newest.slice(0, 2).map((row) => row.ts),
      [7, 7],
    )
    assert.deepEqual(ids(newest.slice(0, 2)), equals.slice(1).sort().toReversed())
    const [found] = await relations.edits([nid, nid])
    assert.deepEqual([found?.target, found?.event.eventId], [nid, newest[0]!.eventId])
    assert.equal((await relations.edits([nid, nid])).length, 1)
    assert.equal((await relations.editsOf(nid, 1)).length, 1)
    await room.redact(newest[0]!.eventId)
    assert.equal((await relations.edits([nid]))[0]?.event.eventId, newest[1]!.eventId)
    await room.redact(target)
    assert.deepEqual(await relations.edits([nid]), [])
    assert.deepEqual(await relations.editsOf(nid, 5), [])
    assert.deepEqual(await relations.edits([]), [])
  })

  it('knows who is in a thread, and how long it is up to a place', async () => {
    const room = await Room.of(bench().store)
    const { relations } = room.store
    const [a, b] = [user(), user()]
    const target = await room.event()
    for (const [index, sender] of [a, b, a].entries()) {
      await room.relate(target, { relType: 'm.thread', sender, depth: 10 + index })
    }
    await room.relate(target, { sender: b })
    const nid = await room.target(target)
    assert.deepEqual(await relations.threadsOf(a, [nid, nid + 1]), [nid])
    assert.deepEqual(await relations.threadsOf(user(), [nid]), [])
    const senders = await relations.threadSenders([nid], [a, b, user()])
    assert.deepEqual(
      new Map(senders.map((each) => [each.sender, each.count])),
      new Map([
        [a, 2],
        [b, 1],
      ]),
    )
    assert.equal(await relations.threadCountUpTo(nid, { depth: 11, arrival: Number.MAX_SAFE_INTEGER }), 2)
    assert.equal(await relations.threadCountUpTo(nid, { depth: 9, arrival: 0 }), 0)
  })

  it('lists threads by their last event, and none whose root relates to something', async () => {
    const room = await Room.of(bench().store)
    const roots = [await room.event(), await room.event(), await room.event()]
    const nested = await room.relate(roots[0]!, { relType: 'm.thread', depth: 5 })
    await room.relate(nested, { relType: 'm.thread', depth: 50 })
    await room.relate('$unknown', { relType: 'm.thread', depth: 60 })
    await room.relate(roots[1]!, { relType: 'm.thread', depth: 7 })
    await room.relate(roots[2]!, { relType: 'm.thread', depth: 6 })
    await room.relate(roots[2]!, { relType: 'm.annotation', depth: 90 })
    const all = await room.store.relations.threads(room.room, undefined, 10)
    assert.deepEqual(
      all.map((row) => row.root.eventId),
      [roots[1], roots[2], roots[0]],
    )
    const next = await room.store.relations.threads(room.room, all[0], 1)
    assert.deepEqual(
      next.map((row) => row.root.eventId),
      [roots[2]],
    )
    assert.deepEqual(await room.store.relations.threads(room.room, all[2], 1), [])
  })

  it('lets one of two equal annotations in, until it is redacted', async () => {
    const room = await Room.of(bench().store)
    const sender = user()
    const target = await room.event()
    const reaction = { type: 'm.reaction', sender, key: 'x' }
    const guard = (key = 'x'): Op => ({
      op: 'relation.unique',
      event: { slot: 0 },
      room: room.room,
      target,
      ...reaction,
      key,
    })
    const react = (key = 'x') => [...room.ops(target, { ...reaction, key }), guard(key)]
    const tries = await Promise.all(
      Array.from({ length: 5 }, () => room.store.commit({ lane: room.lane, ops: react() })),
    )
    assert.equal(tries.filter((result) => result.ok).length, 1)
    assert.deepEqual(await refused(room.store, room.lane, ...react()), {
      conflict: 'duplicate',
      value: target,
    })
    await accepted(room.store, room.lane, ...react('y'))
    const { annotated } = room.store.relations
    assert.equal(await annotated(room.room, target, reaction), true)
    assert.equal(await annotated(room.room, target, { ...reaction, key: 'z' }), false)
    assert.equal(await annotated(room.room, target, { ...reaction, sender: user() }), false)
    const [first] = await room.page(target)
    await room.redact(first!)
    assert.equal(await annotated(room.room, target, reaction), false)
    await accepted(room.store, room.lane, ...react())
  })

  it('notes relations of stored events once, and none of redacted or hidden ones', async () => {
    const room = await Room.of(bench().store)
    const { store } = room
    const target = await room.event()
    const stored = insert({ room: room.room, depth: 4 })
    const redacted = insert({ room: room.room })
    const hidden = insert({ room: room.room, live: false })
    const nids: number[] = []
    for (const op of [stored, redacted, hidden]) {
      nids.push((await accepted(store, room.lane, op)).results[0] as number)
    }
    await room.redact(redacted.eventId)
    const index = (nid: number): Op => {
      const relation = { target, relType: 'm.thread', key: null, aggregated: true, room: room.room }
      const { type, sender, ts, depth } = stored
      return { op: 'relation.index', event: { nid }, ...relation, type, sender, ts, depth }
    }
    for (let times = 0; times < 2; times++) {
      await accepted(store, 'index', ...nids.map(index))
      assert.deepEqual(await room.page(target), [stored.eventId])
      assert.deepEqual(await room.sums(target), [0, 0, 1])
    }
  })

  it('goes with its room', async () => {
    const { store, counts } = bench()
    const before = await counts()
    const room = await Room.of(store)
    const owner = user()
    const target = await room.event()
    await room.relate(target)
    await accepted(store, owner, subscribe(owner, room.room, target))
    await accepted(store, room.lane, { op: 'room.delete', room: room.room })
    const after = await counts()
    for (const table of ['event_relations', 'relation_targets', 'thread_subscriptions', 'events']) {
      assert.equal(after[table], before[table], table)
    }
  })
})

const subscribe = (owner: string, room: number, root: string, automatic: number | null = null): Op => ({
  op: 'thread.subscribe',
  user: owner,
  room,
  root,
  automatic,
})
const unsubscribe = (owner: string, room: number, root: string): Op => ({
  op: 'thread.unsubscribe',
  user: owner,
  room,
  root,
})

onEveryEngine('thread subscriptions', (bench) => {
  it('keeps what the user asked for over what clients do by themselves', async () => {
    const { store } = bench()
    const { room, lane } = await newRoom(store)
    const [owner, root] = [user(), `$${fresh('root')}`]
    const present = async () => {
      const row = await store.threadSubscriptions.get(owner, room, root)
      return row && [row.roomId, row.subscribed, row.automatic]
    }
    assert.equal(await present(), undefined)
    await accepted(store, owner, unsubscribe(owner, room, root))
    assert.equal(await present(), undefined)
    await accepted(store, owner, subscribe(owner, room, root, 5))
    assert.deepEqual(await present(), [lane, true, true])
    const first = await store.threadSubscriptions.get(owner, room, root)
    await accepted(store, owner, subscribe(owner, room, root, 5))
    assert.deepEqual(await store.threadSubscriptions.get(owner, room, root), first, 'nothing moved')
    await accepted(store, owner, subscribe(owner, room, root))
    await accepted(store, owner, subscribe(owner, room, root, 6))
    assert.deepEqual(await present(), [lane, true, false])
    await accepted(store, owner, unsubscribe(owner, room, root))
    assert.deepEqual(await present(), [lane, false, false])
    const conflict = { conflict: 'unsubscribed', value: root }
    assert.deepEqual(await refused(store, owner, subscribe(owner, room, root, 1)), conflict)
    await accepted(store, owner, subscribe(owner, room, root, store.position() + 1))
    assert.deepEqual(await present(), [lane, true, true])
  })

  it('tells of changes, and gives them newest first', async () => {
    const { store } = bench()
    const { room } = await newRoom(store)
    const owner = user()
    const told: string[] = []
    const stop = store.onChange((changes) => {
      for (const { stream, user: whose } of changes) if (whose === owner) told.push(stream)
    })
    const after = store.position()
    const roots = [1, 2, 3].map(() => `$${fresh('root')}`)
    for (const root of roots) await accepted(store, owner, subscribe(owner, room, root))
    await accepted(store, owner, unsubscribe(owner, room, roots[0]!))
    stop()
    assert.deepEqual(told, Array(4).fill('thread_subscriptions'))
    const upto = store.position()
    const rows = await store.threadSubscriptions.since(owner, after, upto, 10)
    assert.deepEqual(
      rows.map((row) => row.root),
      [roots[0], roots[2], roots[1]],
    )
    assert.deepEqual(
      rows.map((row) => row.subscribed),
      [false, true, true],
    )
    assert.equal((await store.threadSubscriptions.since(owner, after, upto, 2)).length, 2)
    const older = await store.threadSubscriptions.since(owner, after, rows[1]!.position - 1, 10)
    assert.deepEqual(
      older.map((row) => row.root),
      [roots[1]],
    )
    assert.deepEqual(await store.threadSubscriptions.since(owner, upto, upto, 10), [])
    await accepted(store, owner, { op: 'account_data.clear', user: owner })
    assert.deepEqual(await store.threadSubscriptions.since(owner, 0, upto, 10), [])
  })
})
