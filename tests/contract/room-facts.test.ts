/** What lists of rooms ask of a room. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { onEveryEngine } from './engines.ts'
import { accepted, insert, newRoom } from './plans.ts'

onEveryEngine('room facts', (bench) => {
  it('a new room has facts without content', async () => {
    const { store } = bench()
    const { room } = await newRoom(store)
    const [facts] = await store.roomFacts.of([room])
    assert.deepEqual(facts, { room, latest: 0, bump: 0, roomType: null, name: null, encrypted: false })
  })

  it('an operation changes what it names and leaves the rest', async () => {
    const { store } = bench()
    const { room, lane } = await newRoom(store)
    const first = await accepted(
      store,
      lane,
      insert({ room }),
      { op: 'room.facts', room, bump: true, roomType: 'm.space', name: 'Café' },
      insert({ room, slot: 1, type: 'm.reaction' }),
    )
    const [bump, , latest] = first.results as [number, null, number]
    const facts = { room, latest, bump, roomType: 'm.space', name: 'Café', encrypted: false }
    assert.deepEqual(await store.roomFacts.of([room]), [facts])
    await accepted(store, lane, { op: 'room.facts', room, encrypted: true })
    await accepted(store, lane, { op: 'room.facts', room, name: null })
    assert.deepEqual(await store.roomFacts.of([room]), [{ ...facts, name: null, encrypted: true }])
  })

  it('gives many rooms at once and leaves out unknown ones', async () => {
    const { store } = bench()
    const rooms: number[] = []
    for (let i = 0; i < 5; i++) rooms.push((await newRoom(store)).room)
    const found = await store.roomFacts.of([...rooms, 999_999_999])
    assert.deepEqual(found.map((row) => row.room).sort(), rooms.sort())
    assert.deepEqual(await store.roomFacts.of([]), [])
  })

  it('goes with its room', async () => {
    const { store } = bench()
    const { room, lane } = await newRoom(store)
    await accepted(store, lane, { op: 'room.delete', room })
    assert.deepEqual(await store.roomFacts.of([room]), [])
  })
})
