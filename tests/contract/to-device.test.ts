/** Messages to devices and dehydrated devices. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Op } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import { toDevice, toOne } from '../support/e2ee-ops.ts'
import { onEveryEngine } from './engines.ts'
import { accepted, account, fresh, refused, user } from './plans.ts'

const END = Number.MAX_SAFE_INTEGER

/** A new account with devices. */
async function withDevices(store: Store, ...devices: string[]): Promise<string> {
  const name = user()
  const ops = devices.map(
    (device): Op => ({ op: 'device.put', user: name, device, displayName: null, ts: 5 }),
  )
  await accepted(store, name, account(name), ...ops)
  return name
}

async function waiting(store: Store, name: string, device: string, after = 0): Promise<string[]> {
  const { rows } = await store.toDevice.page(name, device, after, END, 1000, END)
  return rows.map((row) => row.content)
}

const delivered = (name: string, device: string, upto: number, limit = 100): Op => ({
  op: 'to_device.delivered',
  devices: [{ user: name, device, upto }],
  limit,
})

const sweep: Op = { op: 'job.sweep', now: 0, limit: 1000 }

onEveryEngine('to-device', (bench) => {
  it('gives messages in order to the devices that there are, and leaves others out', async () => {
    const { store } = bench()
    const [a, b] = [await withDevices(store, 'A1', 'A2'), await withDevices(store, 'B1')]
    const seen: string[] = []
    const stop = store.onChange((changes) => {
      for (const { stream, user: of, device } of changes)
        if (stream === 'to_device') seen.push(`${of} ${device}`)
    })
    const sent = [
      toOne(a, 'A1', '"1"'),
      toOne(b, '*', '"2"'),
      toOne(b, 'NOT', '"3"'),
      toOne(user(), '*', '"4"'),
    ]
    const first = await accepted(store, 'x', toDevice(sent))
    assert.deepEqual(first.results, [2])
    await accepted(store, 'x', toDevice([toOne(a, '*', '"5"')]))
    stop()
    assert.deepEqual(seen.sort(), [`${a} A1`, `${b} B1`, `${a} A1`, `${a} A2`].sort())
    assert.deepEqual(await waiting(store, a, 'A1'), ['"1"', '"5"'])
    assert.deepEqual(await waiting(store, a, 'A2'), ['"5"'])
    assert.deepEqual(await waiting(store, b, 'B1'), ['"2"'])
    const [row] = (await store.toDevice.page(b, 'B1', 0, END, 1, END)).rows
    assert.deepEqual([row?.sender, row?.type], ['@sender:contract.example', 'm.test'])
    assert.ok(first.position >= row!.position)
  })

  it('takes a transaction once', async () => {
    const { store } = bench()
    const a = await withDevices(store, 'A1')
    const txn = fresh('digest')
    await accepted(store, 'x', toDevice([toOne(a, 'A1')], { txn }))
    assert.deepEqual(await refused(store, 'x', toDevice([toOne(a, 'A1')], { txn })), { conflict: 'txn' })
    const both = await Promise.all(
      ['y', 'z'].map((lane) =>
        store.commit({ lane, ops: [toDevice([toOne(a, 'A1')], { txn: `${txn}-2` })] }),
      ),
    )
    assert.equal(both.filter(({ ok }) => ok).length, 1)
    assert.equal((await waiting(store, a, 'A1')).length, 2)
    await accepted(store, '', { op: 'job.sweep', now: 1000 + 25 * 3_600_000, limit: 1000 })
    await accepted(store, 'x', toDevice([toOne(a, 'A1')], { txn }))
  })

  it('pages by number and size, and deletes what was delivered', async () => {
    const { store } = bench()
    const a = await withDevices(store, 'A1', 'A2')
    assert.equal(await store.toDevice.bounds(a, 'A1'), undefined)
    for (let i = 0; i < 5; i++) await accepted(store, 'x', toDevice([toOne(a, '*', `"${i}"`)]))
    const { first, last } = (await store.toDevice.bounds(a, 'A1'))!
    const page = await store.toDevice.page(a, 'A1', 0, END, 3, END)
    assert.deepEqual([page.rows.length, page.more, page.rows[0]!.position], [3, true, first])
    const next = page.rows[2]!.position
    const rest = await store.toDevice.page(a, 'A1', next, END, 3, END)
    assert.deepEqual([rest.rows.length, rest.more, rest.rows[1]!.position], [2, false, last])
    assert.equal(
      (await store.toDevice.page(a, 'A1', 0, END, 9, 7)).rows.length,
      2,
      'two fit into seven characters',
    )
    assert.equal((await store.toDevice.page(a, 'A1', 0, END, 9, 1)).rows.length, 1, 'one at least')
    assert.equal((await store.toDevice.page(a, 'A1', 0, last - 1, 9, END)).rows.length, 4)
    assert.deepEqual((await accepted(store, '', delivered(a, 'A1', next, 2))).results, [[true]])
    assert.deepEqual((await accepted(store, '', delivered(a, 'A1', next, 2))).results, [[false]])
    assert.deepEqual(await waiting(store, a, 'A1'), ['"3"', '"4"'])
    assert.equal((await waiting(store, a, 'A2')).length, 5)
    await accepted(store, '', delivered(a, 'A1', last))
    assert.equal(await store.toDevice.bounds(a, 'A1'), undefined)
    await accepted(store, '', delivered(a, 'NOT', last), delivered(user(), 'NOT', last))
  })

  it('lets the oldest go where an inbox is full', async () => {
    const { store } = bench()
    const a = await withDevices(store, 'A1')
    const bounds = { messages: 300, chars: 10_000 }
    for (let at = 0; at < 310; at += 10) {
      const ops = Array.from({ length: 10 }, (_, i) => toDevice([toOne(a, 'A1', `"${at + i}"`)], { bounds }))
      await accepted(store, 'x', ...ops)
    }
    const left = await waiting(store, a, 'A1')
    assert.deepEqual([left.length, left[0], left.at(-1)], [110, '"200"', '"309"'])
    const large = `"${'l'.repeat(12_000)}"`
    await accepted(store, 'x', toDevice([toOne(a, 'A1', large)], { bounds }))
    assert.deepEqual(await waiting(store, a, 'A1'), [large], 'the newest stays, however large')
  })

  it('takes messages away with their device, by the sweep', async () => {
    const { store, counts } = bench()
    await accepted(store, '', sweep)
    const before = await counts()
    const a = await withDevices(store, 'A1', 'A2', 'A3')
    for (let i = 0; i < 3; i++)
      await accepted(store, 'x', toDevice([toOne(a, '*'), toOne(a, 'A1')].slice(i % 2)))
    await accepted(store, a, { op: 'dehydrated.put', user: a, device: 'A3', data: '{}' })
    assert.deepEqual(await store.dehydrated.of(a), { device: 'A3', data: '{}' })
    await accepted(store, a, { op: 'device.delete', user: a, devices: ['A1', 'A3'] })
    assert.equal(await store.dehydrated.of(a), undefined)
    assert.deepEqual(await waiting(store, a, 'A1'), [])
    await accepted(store, a, { op: 'device.put', user: a, device: 'A1', displayName: null, ts: 5 })
    assert.deepEqual(await waiting(store, a, 'A1'), [], 'a device that takes the name begins anew')
    assert.ok((await waiting(store, a, 'A2')).length > 0)
    await accepted(store, a, { op: 'device.delete', user: a })
    await accepted(store, '', sweep)
    const after = await counts()
    for (const table of ['inboxes', 'inbox_messages', 'inbox_contents', 'dehydrated_devices']) {
      assert.equal(after[table], before[table], table)
    }
  })

  it('takes requests back that wait behind what was given, and their cancellation with them', async () => {
    const { store } = bench()
    const a = await withDevices(store, 'A1', 'A2', 'A3')
    const request = fresh('request')
    const ask = { content: '"ask"', devices: [], users: [a], request }
    const asked = await accepted(store, 'x', toDevice([ask]))
    const other = { ...ask, content: '"other"', request: fresh('request') }
    await accepted(store, 'x', toDevice([other]))
    const given = [{ user: a, device: 'A2', upto: asked.position }]
    const cancel = { ...ask, content: '"cancel"', cancels: { floor: 0, given } }
    assert.deepEqual((await accepted(store, 'x', toDevice([cancel]))).results, [1])
    assert.deepEqual(await waiting(store, a, 'A1'), ['"other"'])
    assert.deepEqual(await waiting(store, a, 'A2'), ['"ask"', '"other"', '"cancel"'])
    assert.deepEqual(await waiting(store, a, 'A3'), ['"other"'])
    await accepted(store, 'x', toDevice([{ ...cancel, cancels: { floor: asked.position, given: [] } }]))
    assert.deepEqual(await waiting(store, a, 'A1'), ['"other"', '"cancel"'])
    assert.equal((await waiting(store, a, 'A2')).length, 4)
    await accepted(store, 'x', toDevice([ask]), toDevice([{ ...cancel, cancels: { floor: 0, given: [] } }]))
    assert.equal((await waiting(store, a, 'A1')).length, 2)
    assert.equal(
      (await waiting(store, a, 'A2')).length,
      3,
      'what it was given before goes with what it was not',
    )
  })

  it('reaches a thousand devices at once', async () => {
    const { store } = bench()
    const names = await Promise.all(
      Array.from({ length: 40 }, () => withDevices(store, ...'ABCDEFGHIJKLMNOPQRSTUVWXY')),
    )
    const same = await accepted(store, 'x', toDevice([{ content: '{}', devices: [], users: names }]))
    assert.deepEqual(same.results, [1000])
    const own = names.flatMap((name) =>
      [...'ABCDEFGHIJKLMNOPQRSTUVWXY'].map((device) => toOne(name, device, `"${name}${device}"`)),
    )
    assert.deepEqual((await accepted(store, 'x', toDevice(own))).results, [1000])
    const last = names.at(-1)!
    assert.deepEqual(await waiting(store, last, 'Y'), ['{}', `"${last}Y"`])
  })
})
