/** Plans, groups, positions and notices. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { StoreError } from '#/base/store-error.ts'
import type { Change, Op } from '#/ports/store/plan.ts'
import { onEveryEngine } from './engines.ts'
import { accepted, account, fresh, insert, newRoom, ofLane, refused, user } from './plans.ts'

const head = (room: number, expect: number): Op => ({
  op: 'room.head',
  room,
  expect,
  extremities: [`$${expect}`],
  depth: expect,
  joinedDelta: 0,
  invitedDelta: 0,
})
const data = (name: string, type: string, content = '{}'): Op => ({
  op: 'account_data.put',
  user: name,
  room: 0,
  type,
  content,
})

onEveryEngine('plans', (bench) => {
  it('gives one result per operation, in order', async () => {
    const { store } = bench()
    const roomId = `!${fresh('results')}:x`
    const { results, position } = await accepted(
      store,
      roomId,
      { op: 'room.create', roomId, version: '12' },
      insert({ room: 'new', slot: 3, eventId: `$${roomId}` }),
      head((await newRoom(store)).room, 0),
      { op: 'filter.put', user: user(), json: '{}' },
    )
    assert.equal(results.length, 4)
    const [room, event, moved, filter] = results
    assert.equal((await store.rooms.byId(roomId))?.nid, room)
    assert.equal((await store.events.byId(`$${roomId}`))?.nid, event)
    assert.ok(moved === undefined || moved === null)
    assert.equal(filter, 0)
    assert.ok(position >= (event as number))
    assert.ok(store.position() >= position, 'what is acknowledged is below the position')
  })

  it('writes nothing of a plan that a guard refuses, wherever the guard stands', async () => {
    const { store } = bench()
    const [name, taken] = [user(), user()]
    await accepted(store, taken, account(taken))
    const before = await bench().counts()
    assert.deepEqual(await refused(store, name, account(name), data(name, 'a'), account(taken)), {
      conflict: 'taken',
      value: taken,
    })
    assert.deepEqual(await refused(store, name, account(taken), account(name)), {
      conflict: 'taken',
      value: taken,
    })
    assert.deepEqual(await bench().counts(), before)
    assert.equal(await store.accounts.byUser(name), undefined)
  })

  it('undoes a refused plan alone in its group', async () => {
    const { store } = bench()
    const { room, lane } = await newRoom(store)
    const name = user()
    /* All made in one turn, so that they travel together. */
    const results = await Promise.all([
      store.commit(ofLane(lane, insert({ room, eventId: `${lane}1` }), head(room, 0))),
      store.commit(ofLane(lane, insert({ room, eventId: `${lane}2` }), head(room, 0))),
      store.commit(ofLane(lane, insert({ room, eventId: `${lane}3` }), head(room, 1))),
      store.commit(ofLane(name, data(name, 'kept'))),
      store.commit(ofLane(name, data(name, 'lost'), { op: 'token.delete', digest: 'none' })),
    ])
    assert.deepEqual(
      results.map((result) => result.ok),
      [true, false, true, true, false],
    )
    assert.deepEqual(results[1], { ok: false, conflict: 'head' })
    assert.equal((await store.rooms.head(room))?.seq, 2)
    assert.equal(await store.events.byId(`${lane}2`), undefined)
    assert.ok(await store.events.byId(`${lane}3`))
    assert.ok(await store.accountData.get(name, 0, 'kept'))
    assert.equal(await store.accountData.get(name, 0, 'lost'), undefined)
  })

  it('refuses a plan that breaks a rule of the schema, alone in its group', async () => {
    const { store } = bench()
    const { room, lane } = await newRoom(store)
    const twice = `${lane}twice`
    const name = user()
    const results = await Promise.allSettled([
      store.commit(ofLane(lane, insert({ room, eventId: twice }))),
      store.commit(ofLane(lane, insert({ room, eventId: `${lane}other` }), insert({ room, eventId: twice }))),
      store.commit(ofLane(lane, insert({ room, eventId: `${lane}third`, authEvents: ['$nobody'] }))),
      store.commit(ofLane(lane, insert({ room, eventId: `${lane}fourth` }), head(room, 0))),
      store.commit(ofLane(name, data(name, 'kept'))),
    ])
    assert.deepEqual(
      results.map((result) => result.status),
      ['fulfilled', 'rejected', 'rejected', 'fulfilled', 'fulfilled'],
    )
    for (const result of results) {
      if (result.status === 'fulfilled') assert.ok(result.value.ok)
      else
        assert.ok(result.reason instanceof StoreError && result.reason.kind === 'invalid', `${result.reason}`)
    }
    assert.equal(await store.events.byId(`${lane}other`), undefined)
    assert.equal(await store.events.byId(`${lane}third`), undefined)
    assert.ok(await store.events.byId(`${lane}fourth`))
    assert.deepEqual(store.health(), { writable: true })
  })

  it('applies the plans of one lane in the order of commit, over many groups', async () => {
    const { store } = bench()
    const lanes = await Promise.all(Array.from({ length: 12 }, () => newRoom(store)))
    const waits: Promise<unknown>[] = []
    for (let seq = 0; seq < 60; seq++) {
      for (const { room, lane } of lanes) {
        waits.push(accepted(store, lane, insert({ room, eventId: `${lane}#${seq}` }), head(room, seq)))
      }
      if (seq % 7 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
    }
    await Promise.all(waits)
    for (const { room, lane } of lanes) {
      const rows = await store.events.timeline({
        room,
        after: 0,
        upto: store.position(),
        limit: 100,
        dir: 'f',
      })
      assert.deepEqual(
        rows.map((row) => row.eventId),
        Array.from({ length: 60 }, (_, seq) => `${lane}#${seq}`),
      )
    }
  })

  it('gives ever greater positions, and no reader at a position ever misses what is below it', async () => {
    const { store } = bench()
    const seen = new Set<number>()
    let at = store.position()
    const start = at
    let done = false
    /* A reader that follows the stream as sync does: up to the position, never back. */
    const follow = async (): Promise<void> => {
      for (;;) {
        const last = done
        const upto = store.position()
        assert.ok(upto >= at)
        for (let from = at; ; ) {
          const page = await store.events.stream(from, upto, 50)
          for (const row of page) seen.add(row.nid)
          if (page.length < 50) break
          from = page.at(-1)!.nid
        }
        at = upto
        if (last) return
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    const following = follow()
    const nids: number[] = []
    const rooms = await Promise.all(Array.from({ length: 8 }, () => newRoom(store)))
    const write = async ({ room, lane }: { room: number; lane: string }): Promise<void> => {
      for (let i = 0; i < 40; i++) {
        const slots = Array.from({ length: 1 + (i % 3) }, (_, slot) => insert({ room, slot }))
        const { results, position } = await accepted(store, lane, ...slots)
        nids.push(...(results as number[]))
        assert.ok(store.position() >= position)
      }
    }
    await Promise.all(rooms.map(write))
    done = true
    await following
    assert.equal(new Set(nids).size, nids.length)
    assert.deepEqual(
      nids.filter((nid) => nid <= start || !seen.has(nid)),
      [],
    )
  })

  it('tells what changed when it is readable, once, with the position', async () => {
    const { store } = bench()
    const name = user()
    const { room, lane } = await newRoom(store)
    const told: Change[] = []
    const stop = store.onChange((changes, position) => {
      for (const change of changes) {
        assert.ok(change.position <= position)
        assert.ok(position <= store.position())
        told.push(change)
      }
    })
    const sent = await accepted(
      store,
      lane,
      insert({ room, slot: 0 }),
      insert({ room, slot: 1, live: false }),
      insert({ room, slot: 2, flags: 4 }),
    )
    const kept = await accepted(store, name, data(name, 'a'), {
      op: 'profile.put',
      user: name,
      fields: '{}',
    })
    await accepted(store, name, { op: 'device.put', user: name, device: 'D', displayName: null, ts: 1 })
    await refused(store, name, data(name, 'b'), { op: 'token.delete', digest: 'none' })
    stop()
    await accepted(store, name, data(name, 'c'))
    const row = await store.accountData.get(name, 0, 'a')
    const { event, ...place } = told[0]!
    assert.deepEqual(place, { stream: 'events', position: sent.results[0], room })
    assert.deepEqual(event, (await store.events.byNids([sent.results[0] as number]))[0])
    assert.deepEqual(told[1], { stream: 'account_data', position: row?.position, user: name, room: 0 })
    assert.deepEqual(told[2], { stream: 'profile', position: kept.position, user: name })
    const streams = told.slice(3).map(({ stream }) => stream)
    assert.deepEqual(streams, ['device_lists', 'devices'])
  })

  it('tells of a member event whether somebody came or went', async () => {
    const { store } = bench()
    const { room, lane } = await newRoom(store)
    const told: Change[] = []
    const stop = store.onChange((changes) =>
      told.push(...changes.filter(({ stream }) => stream === 'events')),
    )
    const named = (name: string) =>
      insert({ room, type: 'm.room.member', stateKey: '@a:x', json: `{"content":{"displayname":"${name}"}}` })
    await accepted(store, lane, { ...head(room, 0), joinedDelta: 1 } as Op, named('a'))
    await accepted(store, lane, head(room, 1), named('b'))
    await accepted(store, lane, head(room, 2), insert({ room }))
    await accepted(store, lane, head(room, 3), named('c'), { ...named('d'), slot: 1 } as Op)
    stop()
    assert.deepEqual(
      told.map(({ sameMembers }) => sameMembers),
      [undefined, true, undefined, undefined, undefined],
    )
  })

  it('refuses NUL, lone surrogates and numbers beyond 2^53, and nothing of their plan is written', async () => {
    const { store } = bench()
    const name = user()
    const { room, lane } = await newRoom(store)
    const bad: readonly Op[] = [
      data(name, 'nul\0'),
      data(name, 'content', '"\ud800"'),
      data(name, '\udfff'),
      insert({ room, ts: 2 ** 53 }),
      insert({ room, depth: Number.MAX_SAFE_INTEGER + 1 }),
      insert({ room, ts: 0.5 }),
      insert({ room, ts: Number.NaN }),
    ]
    for (const op of bad) {
      const plan = ofLane(lane, data(name, 'before'), op)
      const error = await store.commit(plan).then(
        () => assert.fail(`accepted ${JSON.stringify(op)}`),
        (caught: unknown) => caught,
      )
      const kind = op.op === 'account_data.put' ? 'text' : 'invalid'
      assert.ok(error instanceof StoreError && error.kind === kind, String(error))
    }
    assert.equal(await store.accountData.get(name, 0, 'before'), undefined)
    const edge = await accepted(store, lane, insert({ room, ts: Number.MAX_SAFE_INTEGER, depth: -1 }))
    const row = (await store.events.byNids([edge.results[0] as number]))[0]
    assert.deepEqual([row?.ts, row?.depth], [Number.MAX_SAFE_INTEGER, -1])
    await assert.rejects(store.accounts.byUser('\ud800'), StoreError)
    await assert.rejects(store.accounts.byUser('\0'), StoreError)
  })

  it('keeps every other text as it is', async () => {
    const { store } = bench()
    const name = user()
    const content = JSON.stringify({ text: 'é e\u0301 \u{1f600} \uffff \u0001 \\u0000 \r\n\t \u2028 ?1 $1' })
    await accepted(store, name, data(name, 'Ünïcode \u{1f600}', content))
    assert.equal((await store.accountData.get(name, 0, 'Ünïcode \u{1f600}'))?.content, content)
  })

  it('orders texts by code unit value, not by a locale', async () => {
    const { store } = bench()
    const name = user()
    const devices = ['b', 'B', 'a', 'Ä', '_', '0', 'A']
    for (const device of devices) {
      await accepted(store, name, { op: 'device.put', user: name, device, displayName: null, ts: 1 })
    }
    const rows = await store.accounts.devices(name)
    assert.deepEqual(
      rows.map((row) => row.device),
      [...devices].sort(),
    )
  })
})
