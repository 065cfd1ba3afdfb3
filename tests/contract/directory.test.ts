/** Aliases and the list of published rooms. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { PublishedPlace } from '#/ports/store/directory.ts'
import type { Op } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import { foldSearch } from '#/protocol/listing/room-card.ts'
import { onEveryEngine } from './engines.ts'
import { accepted, fresh, insert, newRoom, refused } from './plans.ts'

const CREATOR = '@creator:contract.example'

const alias = (name: string, room: number | 'new'): Op => ({
  op: 'alias.put',
  alias: name,
  room,
  creator: CREATOR,
  ts: 5,
})

const publish = (room: number, published = true): Op => ({ op: 'directory.publish', room, published })

/** The operations that give a room a state event. */
function state(room: number, type: string, content: object): Op[] {
  return [
    insert({ room, type, stateKey: '', json: JSON.stringify({ type, content }) }),
    { op: 'state.change', room, branch: 0, changes: [{ type, stateKey: '', event: { slot: 0 } }] },
  ]
}

const members = (room: number, expect: number, joinedDelta: number): Op => ({
  op: 'room.head',
  room,
  expect,
  extremities: ['$a'],
  depth: 1,
  joinedDelta,
  invitedDelta: 0,
})

/** A public room with members and a name. */
async function publicRoom(store: Store, joined: number, name: string, type?: string): Promise<number> {
  const { room, lane } = await newRoom(store)
  await accepted(store, lane, ...state(room, 'm.room.join_rules', { join_rule: 'public' }))
  await accepted(store, lane, ...state(room, 'm.room.create', type === undefined ? {} : { type }))
  await accepted(store, lane, members(room, 0, joined), publish(room))
  await accepted(store, lane, ...state(room, 'm.room.name', { name }))
  return room
}

async function everything(store: Store, limit: number): Promise<number[]> {
  const found: number[] = []
  let from: PublishedPlace | undefined
  for (;;) {
    const page = await store.directory.published({ limit, dir: 'f', from })
    found.push(...page.map((row) => row.room))
    from = page.at(-1)
    if (page.length < limit) return found
  }
}

onEveryEngine('directory', (bench) => {
  it('gives an alias to one room, and takes it away from that one alone', async () => {
    const { store } = bench()
    const [a, b] = [await newRoom(store), await newRoom(store)]
    const name = `#${fresh('Alias')}:x`
    await accepted(store, a.lane, alias(name, a.room))
    assert.deepEqual(await refused(store, b.lane, alias(name, b.room)), { conflict: 'taken', value: name })
    const row = { alias: name, room: a.room, roomId: a.lane, creator: CREATOR }
    assert.deepEqual(await store.directory.alias(name), row)
    assert.equal(await store.directory.alias(name.toLowerCase()), undefined)
    assert.deepEqual(await store.directory.aliases([name, '#none:x', '#neither:x']), [row])
    const remove = (room: number): Op => ({ op: 'alias.delete', alias: name, room })
    assert.deepEqual(await refused(store, b.lane, remove(b.room)), { conflict: 'gone' })
    await accepted(store, a.lane, remove(a.room))
    assert.deepEqual(await refused(store, a.lane, remove(a.room)), { conflict: 'gone' })
    assert.equal(await store.directory.alias(name), undefined)
  })

  it('of many who want one alias at once, one gets it', async () => {
    const { store } = bench()
    const name = `#${fresh('wanted')}:x`
    const rooms = await Promise.all(Array.from({ length: 5 }, () => newRoom(store)))
    const results = await Promise.all(
      rooms.map(({ room, lane }) => store.commit({ lane, ops: [alias(name, room)] })),
    )
    assert.equal(results.filter((result) => result.ok).length, 1)
  })

  it('moves aliases and publication to a room that the plan creates', async () => {
    const { store } = bench()
    const from = await newRoom(store)
    const names = [`#${fresh('a')}:x`, `#${fresh('b')}:x`]
    await accepted(
      store,
      from.lane,
      alias(names[0]!, from.room),
      alias(names[1]!, from.room),
      publish(from.room),
    )
    const roomId = `!${fresh('to')}:x`
    const { results } = await accepted(
      store,
      from.lane,
      { op: 'room.create', roomId, version: '12' },
      { op: 'directory.move', from: from.room, to: 'new' },
    )
    const to = results[0] as number
    assert.deepEqual(await store.directory.aliasesOf(to, 10), names.sort())
    assert.deepEqual(await store.directory.aliasesOf(from.room, 10), [])
    assert.equal(await store.directory.isPublished(to), true)
    assert.equal(await store.directory.isPublished(from.room), false)
    assert.deepEqual(await store.directory.aliasesOf(to, 1), names.slice(0, 1))
  })

  it('writes into an old room and the new one that replaces it in one plan', async () => {
    const { store } = bench()
    const old = await newRoom(store)
    await accepted(store, old.lane, publish(old.room))
    const roomId = `!${fresh('replacement')}:x`
    const key = (room: number | 'new', type: string, slot: number): Op => ({
      op: 'state.change',
      room,
      branch: 0,
      changes: [{ type, stateKey: '', event: { slot } }],
    })
    const json = JSON.stringify({ content: { join_rule: 'public', name: 'replaced by' } })
    const { results } = await accepted(
      store,
      old.lane,
      members(old.room, 0, 0),
      insert({ room: old.room, type: 'm.room.tombstone', stateKey: '' }),
      key(old.room, 'm.room.tombstone', 0),
      { op: 'room.create', roomId, version: '12' },
      { ...members(0, 0, 5), room: 'new' } as Op,
      insert({ room: 'new', slot: 1, type: 'm.room.join_rules', stateKey: '', json }),
      key('new', 'm.room.join_rules', 1),
      insert({ room: 'new', slot: 2, type: 'm.room.name', stateKey: '', json }),
      key('new', 'm.room.name', 2),
      { op: 'directory.move', from: old.room, to: 'new' },
    )
    const room = results[3] as number
    const types = async (nid: number): Promise<string[]> =>
      (await store.state.currentAll(nid)).map((event) => event.type).sort()
    assert.deepEqual(await types(old.room), ['m.room.tombstone'])
    assert.deepEqual(await types(room), ['m.room.join_rules', 'm.room.name'])
    const found = await store.directory.published({ limit: 9, dir: 'f', search: 'replaced by' })
    assert.deepEqual(found, [{ room, roomId, joined: 5 }])
    await accepted(store, fresh('lane'), publish(room, false))
  })

  it('lists published rooms by their members, forwards and backwards', async () => {
    const { store } = bench()
    const before = await everything(store, 1000)
    assert.deepEqual(before, [])
    const small = await publicRoom(store, 1, 'small')
    const large = await publicRoom(store, 9, 'large')
    const [first, second] = [await publicRoom(store, 4, 'equal'), await publicRoom(store, 4, 'equal')]
    const order = [large, second, first, small]
    for (const limit of [1, 2, 3, 4, 5]) assert.deepEqual(await everything(store, limit), order)
    assert.equal(await store.directory.publishedCount(), 4)
    const from = { joined: 4, room: first }
    const backwards = await store.directory.published({ limit: 2, dir: 'b', from })
    assert.deepEqual(
      backwards.map((row) => row.room),
      [large, second],
    )
    /* Members come and go, and the list follows. */
    await accepted(store, fresh('lane'), members(small, 1, 20))
    await accepted(store, fresh('lane'), members(large, 1, -9))
    assert.deepEqual(await everything(store, 10), [small, second, first])
    await accepted(store, fresh('lane'), publish(first, false), publish(first, false))
    assert.deepEqual(await everything(store, 10), [small, second])
  })

  it('shows strangers only what they may join, knock on or read, and searches what it shows', async () => {
    const { store } = bench()
    const room = await publicRoom(store, 7, 'Über_100% Ärger')
    const space = await publicRoom(store, 7, 'Haus', 'm.space')
    const find = async (search: string | undefined, types?: (string | null)[]): Promise<number[]> => {
      const rows = await store.directory.published({ limit: 100, dir: 'f', search, types })
      return rows.map((row) => row.room).filter((nid) => nid === room || nid === space)
    }
    assert.deepEqual(await find(foldSearch('ÜBER_100% ä')), [room])
    for (const other of ['über-100', '100_', '%', '~']) {
      assert.deepEqual(await find(other), other === '%' ? [room] : [], other)
    }
    assert.deepEqual(await find(undefined, ['m.space']), [space])
    assert.deepEqual(await find(undefined, [null]), [room])
    assert.deepEqual(await find(undefined, [null, 'm.space', 'x']), [space, room])
    assert.deepEqual(await find(undefined, []), [])
    await accepted(store, fresh('lane'), ...state(room, 'm.room.topic', { topic: 'about CATS' }))
    assert.deepEqual(await find('cats'), [room])
    for (const [rule, seen] of [
      ['invite', false],
      ['knock', true],
      ['restricted', false],
      ['knock_restricted', true],
      ['private', false],
    ] as const) {
      await accepted(store, fresh('lane'), ...state(room, 'm.room.join_rules', { join_rule: rule }))
      assert.deepEqual(await find('cats'), seen ? [room] : [], rule)
    }
    const visible = { history_visibility: 'world_readable' }
    await accepted(store, fresh('lane'), ...state(room, 'm.room.history_visibility', visible))
    assert.deepEqual(await find('cats'), [room])
  })

  it('follows a redaction', async () => {
    const { store } = bench()
    const room = await publicRoom(store, 3, 'plain')
    const eventId = `$${fresh('named')}`
    const change = { type: 'm.room.name', stateKey: '', event: { slot: 0 } }
    const content = { name: 'Unspeakable' }
    await accepted(
      store,
      fresh('lane'),
      insert({ room, eventId, type: 'm.room.name', stateKey: '', json: JSON.stringify({ content }) }),
      { op: 'state.change', room, branch: 0, changes: [change] },
    )
    const find = async (): Promise<number> =>
      (await store.directory.published({ limit: 5, dir: 'f', search: 'unspeakable' })).length
    assert.equal(await find(), 1)
    await accepted(store, fresh('lane'), insert({ room }), {
      op: 'event.redact',
      target: eventId,
      by: { slot: 0 },
      json: '{"content":{}}',
      keepUntil: 2 ** 50,
    })
    assert.equal(await find(), 0)
  })

  it('loses what belongs to a deleted room', async () => {
    const { store } = bench()
    const counts = await bench().counts()
    const { room, lane } = await newRoom(store)
    const name = `#${fresh('alias')}:x`
    await accepted(store, lane, alias(name, room), publish(room))
    await accepted(store, lane, { op: 'room.delete', room })
    assert.deepEqual(await bench().counts(), counts)
    assert.equal(await store.directory.alias(name), undefined)
  })
})
