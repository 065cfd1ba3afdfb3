/** Reports, and events that are sent later. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { DelayedOp } from '#/ports/store/delayed.ts'
import type { Op } from '#/ports/store/plan.ts'
import type { ReportOp } from '#/ports/store/reports.ts'
import { onEveryEngine } from './engines.ts'
import { accepted, fresh, newRoom, refused, user } from './plans.ts'

type PutReport = Extract<ReportOp, { op: 'report.put' }>
type PutDelayed = Extract<DelayedOp, { op: 'delayed.put' }>

const report = (more: Partial<PutReport> & Pick<PutReport, 'reporter'>): PutReport => ({
  op: 'report.put',
  kind: 'user',
  ts: 5,
  room: 0,
  event: null,
  target: '@target:x',
  reason: 'é',
  score: null,
  keep: 100,
  ...more,
})

const delayed = (more: Partial<PutDelayed> & Pick<PutDelayed, 'user' | 'room'>): PutDelayed => ({
  op: 'delayed.put',
  delayId: fresh('delay'),
  device: 'D',
  txn: fresh('txn'),
  type: 't',
  stateKey: null,
  content: '{"a":"é"}',
  delayMs: 1000,
  sinceTs: 50,
  max: 10,
  ...more,
})

onEveryEngine('later', (bench) => {
  it('keeps reports, reads them in pages, deletes them', async () => {
    const { store } = bench()
    const { room, lane } = await newRoom(store)
    const [a, b] = [user(), user()]
    const of = async (op: PutReport) => (await accepted(store, op.reporter, op)).results[0] as number
    const one = await of(report({ reporter: a }))
    const two = await of(report({ reporter: b, reason: null, score: -100 }))
    const event = await of(report({ reporter: a, kind: 'event', room, event: '$e' }))
    assert.deepEqual(await store.reports.byNid(event), {
      nid: event,
      kind: 'event',
      ts: 5,
      reporter: a,
      room,
      roomId: lane,
      event: '$e',
      target: '@target:x',
      reason: 'é',
      score: null,
    })
    const nids = async (query: object): Promise<number[]> => {
      const rows = await store.reports.page({ kind: 'user', dir: 'f', limit: 10, from: one - 1, ...query })
      return rows.map((row) => row.nid)
    }
    assert.deepEqual(await nids({}), [one, two])
    assert.deepEqual(await nids({ dir: 'b', from: two }), [one])
    assert.deepEqual(await nids({ limit: 1 }), [one])
    assert.deepEqual(await nids({ reporter: b }), [two])
    assert.deepEqual(await nids({ kind: 'event', room }), [event])
    await accepted(store, '', { op: 'report.delete', nid: two })
    assert.deepEqual(await refused(store, '', { op: 'report.delete', nid: two }), { conflict: 'gone' })
    await accepted(store, lane, { op: 'room.delete', room })
    assert.deepEqual(await nids({ kind: 'event' }), [])
    assert.deepEqual(await nids({}), [one])
  })

  it('keeps the newest reports of each reporter', async () => {
    const { store } = bench()
    const [a, b] = [user(), user()]
    await accepted(store, b, report({ reporter: b }))
    const nids: number[] = []
    for (let i = 0; i < 5; i++) {
      nids.push((await accepted(store, a, report({ reporter: a, keep: 3 }))).results[0] as number)
    }
    const kept = await store.reports.page({ kind: 'user', dir: 'f', limit: 10, reporter: a })
    assert.deepEqual(
      kept.map((row) => row.nid),
      nids.slice(2),
    )
    assert.equal((await store.reports.page({ kind: 'user', dir: 'f', limit: 10, reporter: b })).length, 1)
  })

  it('keeps delayed events until they are taken, each transaction once, and no more than allowed', async () => {
    const { store } = bench()
    const { room, lane } = await newRoom(store)
    const name = user()
    const first = delayed({ user: name, room })
    await accepted(store, name, first)
    const again = { ...delayed({ user: name, room }), txn: first.txn }
    assert.deepEqual(await refused(store, name, again), { conflict: 'txn', value: first.delayId })
    await accepted(store, name, { ...again, device: 'E', sinceTs: 10, stateKey: '' })
    const { op: _, txn: __, max: ___, ...row } = first
    assert.deepEqual(await store.delayed.byId(first.delayId), { ...row, roomId: lane })
    const mine = async () => (await store.delayed.ofUser(name)).map((each) => each.delayId)
    assert.deepEqual(await mine(), [again.delayId, first.delayId])
    const third = delayed({ user: name, room, max: 2 })
    assert.deepEqual(await refused(store, name, third), { conflict: 'taken', value: '1010' })
    await accepted(store, '', { op: 'delayed.restart', delayId: first.delayId, sinceTs: 99 })
    assert.equal((await store.delayed.byId(first.delayId))?.sinceTs, 99)
    const gone = { conflict: 'gone', value: first.delayId }
    const late: Op = { op: 'delayed.take', delayId: first.delayId, sinceTs: 50 }
    assert.deepEqual(await refused(store, '', late), gone)
    await accepted(store, '', { ...late, sinceTs: 99 })
    assert.deepEqual(await refused(store, '', { op: 'delayed.take', delayId: first.delayId }), gone)
    const restart: Op = { op: 'delayed.restart', delayId: first.delayId, sinceTs: 1 }
    assert.deepEqual(await refused(store, '', restart), gone)
    await accepted(store, '', { op: 'delayed.clear', user: name })
    assert.deepEqual(await mine(), [])
  })

  it('lets go of delayed state in whose place somebody else has put some', async () => {
    const { store } = bench()
    const { room, lane } = await newRoom(store)
    const other = await newRoom(store)
    const [a, b] = [user('a'), user('b')]
    const state = { type: 'm.call', stateKey: 'k' }
    const mine = delayed({ user: a, room, ...state })
    const theirs = delayed({ user: b, room, ...state })
    const elsewhere = delayed({ user: b, room: other.room, ...state })
    const message = delayed({ user: b, room, type: 'm.call' })
    const key = delayed({ user: b, room, type: 'm.call', stateKey: '' })
    await accepted(store, lane, mine, theirs, elsewhere, message, key)
    await accepted(store, lane, { op: 'delayed.supersede', room, ...state, sender: a })
    assert.equal(await store.delayed.byId(theirs.delayId), undefined)
    for (const kept of [mine, elsewhere, message, key]) assert.ok(await store.delayed.byId(kept.delayId))
    await accepted(store, lane, { op: 'room.delete', room })
    assert.deepEqual(
      (await store.delayed.ofUser(b)).map((row) => row.delayId),
      [elsewhere.delayId],
    )
    assert.deepEqual(await store.delayed.ofUser(a), [])
  })
})
