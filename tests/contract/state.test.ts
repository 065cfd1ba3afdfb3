/** Room state against a model: random changes on the main line and on branches, then questions about any point. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Op } from '#/ports/store/plan.ts'
import type { StateChange, StatePoint } from '#/ports/store/state.ts'
import type { Store } from '#/ports/store/store.ts'
import { STATE_BRANCH_DEPTH_MAX, STATE_TAIL_ROWS } from '#/storage/limits.ts'
import { onEveryEngine } from './engines.ts'
import { accepted, fresh, insert, newRoom } from './plans.ts'
import { differencesOf, keyName, StateModel, stateOf } from './state-model.ts'

/** A small generator (mulberry32), so that a failing seed can be run again. */
function seeded(seed: number): (limit: number) => number {
  let state = seed
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % limit
  }
}

const KEYS = 40
/** Plans committed at once; they travel in groups. */
const TOGETHER = 12

/** Makes random plans, and the same changes in the model. */
class Walk {
  readonly model = new StateModel()
  readonly events: number[] = []
  /** Where events were said to be judged. */
  readonly points = new Map<number, StatePoint>()
  /** Type and state key of each event. */
  readonly #keys = new Map<number, readonly [string, string]>()
  readonly #store: Store
  readonly #room: number
  readonly #lane: string
  readonly #below: (limit: number) => number

  constructor(store: Store, room: { room: number; lane: string }, below: (limit: number) => number) {
    this.#store = store
    this.#room = room.room
    this.#lane = room.lane
    this.#below = below
  }

  pick<T>(values: readonly T[]): T {
    return values[this.#below(values.length)]!
  }

  key(): [string, string] {
    /* One key changes so often that its history spills. */
    if (this.#below(3) === 0) return ['hot', '']
    return [this.#below(3) === 0 ? 'm.room.member' : 'type', `${this.#below(KEYS)}`]
  }

  #branch(): number {
    return this.#below(3) > 0 ? 0 : this.pick(this.model.branches)
  }

  point(): StatePoint {
    const branch = this.#branch()
    const known = this.model.positions(this.#below(2) === 0 ? branch : this.#branch())
    if (known.length === 0 || this.#below(4) === 0)
      return { branch, pos: this.#below(this.#store.position() + 1) }
    return { branch, pos: Math.max(0, this.pick(known) - this.#below(2)) }
  }

  /** Changes for one operation; `slots` are events of the same plan. */
  #changes(count: number, slots: readonly number[]): StateChange[] {
    return Array.from({ length: count }, () => {
      const [type, stateKey] = this.key()
      const kind = this.#below(10)
      if (kind === 0) return { type, stateKey, event: null }
      if (kind < 3 && this.events.length > 0)
        return { type, stateKey, event: { nid: this.pick(this.events) } }
      return { type, stateKey, event: slots.length > 0 ? { slot: this.pick(slots) } : null }
    })
  }

  /** One plan with one or two events, each followed by changes on one branch or several. */
  async events_(): Promise<void> {
    const ops: Op[] = []
    const slots: number[] = []
    const events = 1 + this.#below(2)
    for (let slot = 0; slot < events; slot++) {
      const [type, stateKey] = this.key()
      ops.push(insert({ room: this.#room, slot, type, stateKey, flags: this.#below(5) === 0 ? 1 : 0 }))
      slots.push(slot)
      for (let i = this.#below(3); i >= 0; i--) {
        const wide = this.#below(60) === 0
        const count = wide ? STATE_TAIL_ROWS + this.#below(40) : 1 + this.#below(3)
        ops.push({
          op: 'state.change',
          room: this.#room,
          branch: this.#branch(),
          changes: this.#changes(count, slots),
        })
      }
    }
    if (this.#below(20) === 0) {
      /* Nothing of this one may be left. */
      const lost: Op = {
        op: 'state.change',
        room: this.#room,
        branch: 0,
        changes: [{ type: 'lost', stateKey: fresh('k'), event: null }],
      }
      const result = await this.#store.commit({
        lane: this.#lane,
        ops: [...ops, lost, { op: 'token.delete', digest: 'none' }],
      })
      assert.equal(result.ok, false)
      return
    }
    const { results } = await accepted(this.#store, this.#lane, ...ops)
    this.#apply(ops, results)
  }

  #apply(ops: readonly Op[], results: readonly unknown[]): void {
    const nids: number[] = []
    let pos = 0
    for (const [at, op] of ops.entries()) {
      if (op.op === 'event.insert') {
        pos = results[at] as number
        nids[op.slot] = pos
        this.events.push(pos)
        this.#keys.set(pos, [op.type, op.stateKey!])
      } else if (op.op === 'state.change') this.#note(op.branch, pos, op.changes, nids)
    }
  }

  #note(branch: number, pos: number, changes: readonly StateChange[], nids: readonly number[]): void {
    for (const { type, stateKey, event } of changes) {
      const nid = event === null ? 0 : 'nid' in event ? event.nid : nids[event.slot]!
      this.model.change(branch, pos, keyName(type, stateKey), nid)
    }
  }

  /** State can change without an event. */
  async bare(): Promise<void> {
    const branch = this.#branch()
    const changes = this.#changes(1 + this.#below(3), [])
    const pos = this.#store.position() + 1
    await accepted(this.#store, this.#lane, { op: 'state.change', room: this.#room, branch, changes })
    this.#note(branch, pos, changes, [])
  }

  async branch(): Promise<void> {
    const branch = this.pick(this.model.branches)
    const parent = this.#below(2) === 0 ? this.point() : { branch, pos: this.#store.position() }
    if (this.model.depth(parent.branch) >= STATE_BRANCH_DEPTH_MAX) return
    const { results } = await accepted(this.#store, this.#lane, {
      op: 'state.branch',
      room: this.#room,
      parent,
    })
    this.model.branch(results[0] as number, parent)
  }

  async judge(): Promise<void> {
    if (this.events.length === 0) return
    const [event, point] = [this.pick(this.events), this.point()]
    await accepted(this.#store, this.#lane, { op: 'state.at', event: { nid: event }, point })
    this.points.set(event, point)
  }

  async step(): Promise<void> {
    const kind = this.#below(12)
    if (kind === 0) await this.branch()
    else if (kind === 1) await this.bare()
    else if (kind === 2) await this.judge()
    else await Promise.all(Array.from({ length: TOGETHER }, () => this.events_()))
  }

  /** Asks everything about random points. */
  async check(questions: number): Promise<void> {
    const { state } = this.#store
    const room = this.#room
    for (let i = 0; i < questions; i++) {
      const [a, b] = [this.point(), this.point()]
      const expected = this.model.at(a)
      assert.deepEqual(stateOf(await state.fullAt(room, a)), expected, `fullAt ${JSON.stringify(a)}`)
      const asked = Array.from({ length: 5 }, () => this.key())
      const found = (await state.at(room, a, [...asked, ['none', '']])).map((row) => row.nid).sort()
      const wanted = new Set(asked.flatMap(([type, key]) => expected.get(keyName(type, key)) ?? []))
      assert.deepEqual(found, [...wanted].sort(), `at ${JSON.stringify(a)}`)
      assert.deepEqual(
        differencesOf(await state.difference(room, a, b)),
        this.model.difference(a, b),
        `difference ${JSON.stringify(a)} ${JSON.stringify(b)}`,
      )
    }
    const now = this.model.at({ branch: 0, pos: this.#store.position() })
    const asked = Array.from({ length: 20 }, () => this.key())
    const current = (await state.current(room, asked)).map((row) => row.nid)
    const wanted = new Set(asked.flatMap(([type, key]) => now.get(keyName(type, key)) ?? []))
    assert.deepEqual(current.sort(), [...wanted].sort())
    const all = (await state.currentAll(room)).map((row) => row.nid).sort()
    assert.deepEqual(all, [...now.values()].sort())
    for (const event of [this.pick(this.events), this.pick(this.events)]) {
      const point = this.points.get(event) ?? { branch: 0, pos: event - 1 }
      assert.deepEqual(await state.pointBefore(event), point)
      assert.deepEqual(await state.pointsBefore([event, event]), [point, point])
    }
    await this.#checkReplaced()
  }

  /** Many events at once give what the model holds at the point of each. */
  async #checkReplaced(): Promise<void> {
    const asked = Array.from({ length: Math.min(30, this.events.length) }, () => this.pick(this.events))
    const replaced = await this.#store.state.replaced(asked)
    const found = new Map(replaced.map(({ by, event }) => [by, event.nid]))
    for (const nid of asked) {
      const point = this.points.get(nid) ?? { branch: 0, pos: nid - 1 }
      const [type, stateKey] = this.#keys.get(nid)!
      const wanted = this.model.at(point).get(keyName(type, stateKey))
      assert.equal(found.get(nid), wanted, `replaced by ${nid} at ${JSON.stringify(point)}`)
    }
  }
}

/** Plans enough to spill and to pack; every engine walks the same seeds. */
const STEPS = process.env['MYELIN_TEST_FULL'] ? 600 : 90
const SEEDS = process.env['MYELIN_TEST_SEEDS']?.split(',').map(Number) ?? [1, 2, 3]

onEveryEngine('room state', (bench) => {
  for (const seed of SEEDS) {
    it(`equals the model, seed ${seed} (MYELIN_TEST_SEEDS=${seed})`, async () => {
      const { store } = bench()
      const spilledBefore = (await bench().counts())['room_state_older']!
      const chunksBefore = (await bench().counts())['state_delta_chunks']!
      const walk = new Walk(store, await newRoom(store), seeded(seed))
      for (let i = 0; i < STEPS; i++) {
        await walk.step()
        if (i % 20 === 19) await walk.check(10)
      }
      await walk.check(60)
      const counts = await bench().counts()
      assert.ok(counts['room_state_older']! > spilledBefore, 'no history spilled')
      assert.ok(counts['state_delta_chunks']! > chunksBefore + 5, 'no changes were packed')
      assert.ok(
        walk.model.branches.some((branch) => walk.model.depth(branch) > 1),
        'no branch on a branch',
      )
    })
  }

  it('finds the holder of a key that changed very often, at every position', async () => {
    const { store } = bench()
    const { room, lane } = await newRoom(store)
    const held: { pos: number; event: number }[] = []
    const before = (await bench().counts())['room_state_older']!
    for (let round = 0; round < 24; round++) {
      const ops: Op[] = []
      for (let slot = 0; slot < 100; slot++) {
        const event = slot % 9 === 5 ? null : { slot: slot % 4 === 3 ? slot - 1 : slot }
        const changes = [{ type: 'often', stateKey: '', event }]
        ops.push(insert({ room, slot }), { op: 'state.change', room, branch: 0, changes })
      }
      const { results } = await accepted(store, lane, ...ops)
      for (let slot = 0; slot < 100; slot++) {
        const from = slot % 4 === 3 ? slot - 1 : slot
        held.push({
          pos: results[2 * slot] as number,
          event: slot % 9 === 5 ? 0 : (results[2 * from] as number),
        })
      }
    }
    assert.ok((await bench().counts())['room_state_older']! >= before + 4)
    for (const { pos, event } of held) {
      const point = { branch: 0, pos }
      const rows = await store.state.at(room, point, [['often', '']])
      assert.deepEqual(
        rows.map((row) => row.nid),
        event === 0 ? [] : [event],
        `at ${pos}`,
      )
    }
    for (const at of [0, 1, 400, 401, 802, 1203, held.length - 1]) {
      const expected = new Map(held[at]!.event === 0 ? [] : [[keyName('often', ''), held[at]!.event]])
      assert.deepEqual(stateOf(await store.state.fullAt(room, { branch: 0, pos: held[at]!.pos })), expected)
    }
  })

  it('names keys exactly, whatever characters they hold', async () => {
    const { store } = bench()
    const { room, lane } = await newRoom(store)
    const keys = ['', 'a', 'é', '\u{1f600}', '1 2', ' ', '\u0001', 'e\u0301', '\uffff', 'long'.repeat(60)]
    const expected = new Map<string, number>()
    let branch = 0
    for (const type of ['t', 'tt', 'type', 'ty\u00fe', '\u{1f600}', '0']) {
      const changes = keys.map((stateKey) => ({ type, stateKey, event: { slot: 0 } }))
      const change = { op: 'state.change', room, branch, changes } as const
      const { results } = await accepted(store, lane, insert({ room }), change)
      for (const key of keys) expected.set(keyName(type, key), results[0] as number)
      const point = { branch, pos: store.position() }
      assert.deepEqual(stateOf(await store.state.fullAt(room, point)), expected)
      const [found] = await store.state.at(room, point, [[type, '\u{1f600}']])
      assert.equal(found?.nid, results[0])
      if (type === 'type') {
        const opened = await accepted(store, lane, { op: 'state.branch', room, parent: point })
        branch = opened.results[0] as number
      }
    }
  })

  it('takes many changes of one plan at one position, in several operations', async () => {
    const { store } = bench()
    const { room, lane } = await newRoom(store)
    const changes = (from: number, slot: number) =>
      Array.from({ length: STATE_TAIL_ROWS }, (_, i) => ({
        type: 'm.room.member',
        stateKey: `@${from + i}:x`,
        event: { slot },
      }))
    const plan = (from: number, slot: number): Op => ({
      op: 'state.change',
      room,
      branch: 0,
      changes: changes(from, slot),
    })
    const { results } = await accepted(
      store,
      lane,
      insert({ room, slot: 0 }),
      insert({ room, slot: 1 }),
      plan(0, 0),
      plan(100, 1),
      plan(50, 1),
      {
        op: 'state.change',
        room,
        branch: 0,
        changes: [{ type: 'm.room.member', stateKey: '@0:x', event: null }],
      },
    )
    const pos = results[1] as number
    const state = stateOf(await store.state.fullAt(room, { branch: 0, pos }))
    assert.equal(state.size, 227)
    assert.equal(state.get(keyName('m.room.member', '@10:x')), results[0])
    assert.equal(state.get(keyName('m.room.member', '@60:x')), results[1])
    const before = { branch: 0, pos: pos - 1 }
    assert.deepEqual(await store.state.fullAt(room, before), [])
    const difference = differencesOf(await store.state.difference(room, { branch: 0, pos }, before))
    assert.deepEqual(new Map(Object.entries(difference).map(([key, [from]]) => [key, from])), state)
  })

  it('gives a former state of more keys than are unpacked without a pause', async () => {
    const { store } = bench()
    const { room, lane } = await newRoom(store)
    const changes = Array.from({ length: 2100 }, (_, i) => ({
      type: 'm.room.member',
      stateKey: `@${i}:x`,
      event: { slot: 0 },
    }))
    const points: { pos: number; event: number }[] = []
    for (let round = 0; round < 2; round++) {
      const change = { op: 'state.change', room, branch: 0, changes } as const
      const { results } = await accepted(store, lane, insert({ room, slot: 0 }), change)
      points.push({ pos: store.position(), event: results[0] as number })
    }
    for (const { pos, event } of points) {
      const state = await store.state.fullAt(room, { branch: 0, pos })
      assert.equal(state.length, changes.length)
      assert.ok(state.every((entry) => entry.event === event))
    }
  })

  it('refuses a branch that nests too deep, a branch on none, and changes where there is no room', async () => {
    const { store } = bench()
    const { room, lane } = await newRoom(store)
    let branch = 0
    for (let depth = 0; depth < STATE_BRANCH_DEPTH_MAX; depth++) {
      const parent = { branch, pos: store.position() }
      branch = (await accepted(store, lane, { op: 'state.branch', room, parent })).results[0] as number
    }
    const event = null
    const bad: Op[] = [
      { op: 'state.branch', room, parent: { branch, pos: 1 } },
      { op: 'state.branch', room, parent: { branch: 2 ** 50, pos: 1 } },
      { op: 'state.at', event: { nid: 2 ** 50 }, point: { branch: 0, pos: 1 } },
    ]
    for (const op of bad) await assert.rejects(store.commit({ lane, ops: [op] }), { kind: 'invalid' })
    const made = await accepted(store, lane, insert({ room }))
    for (const where of [
      { room, branch: 2 ** 50 },
      { room: 2 ** 50, branch: 0 },
    ]) {
      const changes = [{ type: 't', stateKey: '', event: { nid: made.results[0] as number } }]
      const op: Op = { op: 'state.change', ...where, changes }
      await assert.rejects(store.commit({ lane, ops: [op] }), { kind: 'invalid' })
    }
    /* Taking away what is not there changes nothing, wherever it is said. */
    await accepted(store, lane, {
      op: 'state.change',
      room,
      branch: 0,
      changes: [{ type: 't', stateKey: '', event }],
    })
    assert.equal(await store.state.pointBefore(2 ** 50), undefined)
  })
})
