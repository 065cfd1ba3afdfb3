import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import {
  allPages,
  createRoom,
  eventIds,
  inRoom,
  invite,
  join,
  leave,
  messages,
  roomOf,
  say,
  setState,
  sync,
  syncWith,
  texts,
} from '../../support/room-calls.ts'
import { TestServer } from '../../support/test-server.ts'

covers('GET /_matrix/client/v3/rooms/{roomId}/messages')

let server: TestServer
let alice: ApiClient
let bob: ApiClient
let long: string
const COUNT = 500
before(async () => {
  server = await TestServer.start()
  alice = await server.user('alice')
  bob = await server.user('bob')
  long = await roomOf([alice, bob])
  for (let i = 0; i < COUNT; i += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, j) => say(alice, long, `m${i + j}`)))
  }
})
after(() => server.close())

const visibility = (value: string) => ({
  type: 'm.room.history_visibility',
  state_key: '',
  content: { history_visibility: value },
})

test('backwards over 500 messages nothing is missing and nothing comes twice', async () => {
  const { events } = await allPages(bob, long, { dir: 'b', limit: 37 })
  assert.equal(new Set(eventIds(events)).size, events.length)
  assert.deepEqual(texts(events).length, COUNT)
  assert.equal(events.at(-1).type, 'm.room.create')
})

test('forwards is the reverse of backwards', async () => {
  const back = await allPages(bob, long, { dir: 'b', limit: 100 })
  const forth = await allPages(bob, long, { dir: 'f', limit: 41 })
  assert.deepEqual(eventIds(forth.events), eventIds(back.events).reverse())
})

test('the tokens of neighbouring pages meet: end of one is start of the next', async () => {
  const { pages } = await allPages(bob, long, { dir: 'b', limit: 200 })
  for (const [i, page] of pages.entries()) if (i > 0) assert.equal(page.start, pages[i - 1].end)
  assert.equal(pages.at(-1).end, undefined)
})

test('turning around at any token gives the same events back', async () => {
  const first = await messages(bob, long, { limit: 20 })
  const second = await messages(bob, long, { limit: 20, from: first.end })
  const back = await messages(bob, long, { dir: 'f', from: second.end, limit: 20 })
  assert.deepEqual(eventIds(back.chunk), eventIds(second.chunk).reverse())
  assert.equal(back.end === undefined, false)
})

test('without a limit ten events come, with more than a thousand asked for at most a thousand', async () => {
  assert.equal((await messages(bob, long)).chunk.length, 10)
  assert.equal((await messages(bob, long, { limit: 1 })).chunk.length, 1)
  assert.ok((await messages(bob, long, { limit: 100_000 })).chunk.length <= 1000)
})

test('a limit that is no number, negative numbers and a missing direction are refused', async () => {
  const url = inRoom(long, 'messages')
  await bob.refused('400 M_INVALID_PARAM', 'GET', `${url}?dir=b&limit=x`)
  await bob.refused('400 M_INVALID_PARAM', 'GET', `${url}?dir=b&limit=-1`)
  await bob.refused('400 M_MISSING_PARAM', 'GET', url)
  await bob.refused('400 M_INVALID_PARAM', 'GET', `${url}?dir=x`)
})

test('paging backwards ends at `to`', async () => {
  const first = await messages(bob, long, { limit: 10 })
  const second = await messages(bob, long, { limit: 10, from: first.end })
  const both = await messages(bob, long, { limit: 100, to: second.end })
  assert.deepEqual(eventIds(both.chunk), [...eventIds(first.chunk), ...eventIds(second.chunk)])
  assert.equal(both.end, undefined)
})

test('paging forwards ends at `to`', async () => {
  const first = await messages(bob, long, { dir: 'f', limit: 10 })
  const all = await messages(bob, long, { dir: 'f', limit: 100, to: first.end })
  assert.deepEqual(eventIds(all.chunk), eventIds(first.chunk))
})

test('§5.10 tokens of sync go on where its timeline begins and ends', async () => {
  const roomId = await roomOf([alice, bob])
  for (let i = 0; i < 15; i++) await say(alice, roomId, `a${i}`)
  const first = await syncWith(bob, { room: { timeline: { limit: 4 } } })
  const { timeline } = first.rooms.join[roomId]
  assert.deepEqual(texts(timeline.events), ['a11', 'a12', 'a13', 'a14'])
  const older = await messages(bob, roomId, { from: timeline.prev_batch, limit: 3 })
  assert.deepEqual(texts(older.chunk), ['a10', 'a9', 'a8'])
  for (let i = 15; i < 20; i++) await say(alice, roomId, `a${i}`)
  const newer = await messages(bob, roomId, { dir: 'f', from: first.next_batch, limit: 3 })
  assert.deepEqual(texts(newer.chunk), ['a15', 'a16', 'a17'])
  const gap = await messages(bob, roomId, { dir: 'f', from: first.next_batch, to: newer.end, limit: 50 })
  assert.deepEqual(texts(gap.chunk), ['a15', 'a16', 'a17'])
  const both = await messages(bob, roomId, { from: first.next_batch, to: timeline.prev_batch, limit: 50 })
  assert.deepEqual(texts(both.chunk), ['a14', 'a13', 'a12', 'a11'])
})

test('tokens that are not ours are refused', async () => {
  const url = inRoom(long, 'messages')
  for (const token of [
    'nonsense',
    's1_x',
    's99_5',
    't1_2',
    't1_2_3_4',
    's1_-5',
    't9_1_1',
    's1_1e3',
    '',
    `s1_${'9'.repeat(30)}`,
  ]) {
    for (const name of ['from', 'to']) {
      await bob.refused('400 M_INVALID_PARAM', 'GET', `${url}?dir=b&${name}=${encodeURIComponent(token)}`)
    }
  }
})

test('a filter of types and senders leaves the others out and still fills the page', async () => {
  const roomId = await roomOf([alice, bob])
  for (let i = 0; i < 30; i++) await say(i % 5 === 0 ? bob : alice, roomId, `f${i}`)
  const filter = JSON.stringify({ senders: [bob.userId], types: ['m.room.message'] })
  const page = await messages(alice, roomId, { limit: 4, filter })
  assert.deepEqual(texts(page.chunk), ['f25', 'f20', 'f15', 'f10'])
  const rest = await messages(alice, roomId, { limit: 4, filter, from: page.end })
  assert.deepEqual(texts(rest.chunk), ['f5', 'f0'])
  assert.equal(rest.end, undefined)
})

test('a filter that lets nothing through ends with an end, not with everything', async () => {
  const filter = JSON.stringify({ types: ['com.example.none'] })
  const { events } = await allPages(bob, long, { dir: 'b', limit: 10, filter })
  assert.deepEqual(events, [])
})

test('rooms and not_rooms of a filter are obeyed', async () => {
  const pages = async (filter: Json) =>
    (await allPages(bob, long, { dir: 'b', limit: 100, filter: JSON.stringify(filter) })).events.length
  const all = await pages({})
  assert.ok(all > COUNT)
  assert.equal(await pages({ rooms: [long] }), all)
  assert.equal(await pages({ rooms: ['!other:x'] }), 0)
  assert.equal(await pages({ not_rooms: [long] }), 0)
})

test('contains_url, not_types and not_senders are obeyed', async () => {
  const roomId = await roomOf([alice, bob])
  await say(alice, roomId, 'plain')
  const picture = { msgtype: 'm.image', body: 'p', url: 'mxc://test.example/p', info: {} }
  await alice.put(inRoom(roomId, 'send', 'm.room.message', alice.txn()), picture)
  const ask = async (filter: Json) =>
    texts((await messages(alice, roomId, { limit: 50, filter: JSON.stringify(filter) })).chunk)
  assert.deepEqual(await ask({ contains_url: true }), ['p'])
  assert.deepEqual(await ask({ contains_url: false }), ['plain'])
  assert.deepEqual(await ask({ not_types: ['m.room.*'] }), [])
  assert.deepEqual(await ask({ not_senders: [alice.userId] }), [])
})

test('a filter that is broken is refused', async () => {
  const url = `${inRoom(long, 'messages')}?dir=b&filter=`
  for (const filter of ['{', '[]', '"x"', '{"types":"x"}', '{"limit":1.5}']) {
    await bob.refused('400 M_INVALID_PARAM', 'GET', url + encodeURIComponent(filter))
  }
})

test('lazy loading gives the member events of the senders on the page, and no others', async () => {
  const carol = await server.user('carol')
  const roomId = await roomOf([alice, bob, carol])
  for (let i = 0; i < 3; i++) await say(bob, roomId, `x${i}`)
  const filter = JSON.stringify({ lazy_load_members: true })
  const page = await messages(alice, roomId, { limit: 3, filter })
  assert.deepEqual(
    page.state.map((event: Json) => [event.type, event.state_key]),
    [['m.room.member', bob.userId]],
  )
  assert.equal((await messages(alice, roomId, { limit: 3 })).state, undefined)
})

/** What somebody sees of a room who comes and goes: one message in each phase. */
async function storyOf(setting: string): Promise<{ roomId: string; reader: ApiClient }> {
  const reader = await server.user('reader')
  const roomId = await createRoom(alice, { preset: 'private_chat', initial_state: [visibility(setting)] })
  await say(alice, roomId, 'before invite')
  await invite(alice, roomId, reader)
  await say(alice, roomId, 'while invited')
  await join(reader, roomId)
  await say(alice, roomId, 'while joined')
  return { roomId, reader }
}

const SEEN: Record<string, string[]> = {
  world_readable: ['before invite', 'while invited', 'while joined'],
  shared: ['before invite', 'while invited', 'while joined'],
  invited: ['while invited', 'while joined'],
  joined: ['while joined'],
}
for (const [setting, seen] of Object.entries(SEEN)) {
  test(`history ${setting}: a member sees ${seen.join(', ')} (adv-51)`, async () => {
    const { roomId, reader } = await storyOf(setting)
    const { events } = await allPages(reader, roomId, { dir: 'f', limit: 3 })
    assert.deepEqual(texts(events), seen)
    const back = await allPages(reader, roomId, { dir: 'b', limit: 2 })
    assert.deepEqual(texts(back.events).reverse(), seen)
  })

  test(`history ${setting}: who left sees nothing after leaving, also not by single events (adv-51)`, async () => {
    const { roomId, reader } = await storyOf(setting)
    await leave(reader, roomId)
    const later = await say(alice, roomId, 'after leaving')
    const world = setting === 'world_readable'
    const expected = world ? [...seen, 'after leaving'] : seen
    assert.deepEqual(texts((await allPages(reader, roomId, { dir: 'f', limit: 50 })).events), expected)
    assert.deepEqual(
      texts((await allPages(reader, roomId, { dir: 'b', limit: 50 })).events).reverse(),
      expected,
    )
    const { status } = await reader.call('GET', inRoom(roomId, 'event', later))
    assert.equal(status, world ? 200 : 404)
  })

  test(`history ${setting}: an outsider sees ${setting === 'world_readable' ? 'all' : 'nothing'}`, async () => {
    const { roomId } = await storyOf(setting)
    const outsider = await server.user('outsider')
    if (setting === 'world_readable')
      assert.equal(texts((await messages(outsider, roomId, { limit: 50 })).chunk).length, 3)
    else await outsider.refused('403 M_FORBIDDEN', 'GET', `${inRoom(roomId, 'messages')}?dir=b`)
  })
}

test('who was away sees of a joined-only room what was said while they were there', async () => {
  const roomId = await roomOf([alice, bob], { initial_state: [visibility('joined')] })
  await say(alice, roomId, 'first stay')
  await leave(bob, roomId)
  await say(alice, roomId, 'away')
  await join(bob, roomId)
  await say(alice, roomId, 'second stay')
  assert.deepEqual(texts((await messages(bob, roomId, { limit: 50 })).chunk), ['second stay', 'first stay'])
})

test('§5.10 the visibility at the event decides, not the present one', async () => {
  const roomId = await roomOf([alice], { initial_state: [visibility('joined')] })
  await say(alice, roomId, 'closed')
  await setState(alice, roomId, 'm.room.history_visibility', { history_visibility: 'shared' })
  await say(alice, roomId, 'open')
  await join(bob, roomId)
  assert.deepEqual(texts((await messages(bob, roomId, { limit: 50 })).chunk), ['open'])
  await setState(alice, roomId, 'm.room.history_visibility', { history_visibility: 'joined' })
  assert.deepEqual(texts((await messages(bob, roomId, { limit: 50 })).chunk), ['open'])
})

test('§5.10 an unknown history visibility counts as shared', async () => {
  const odd = {
    type: 'm.room.history_visibility',
    state_key: '',
    content: { history_visibility: 'shared-ish' },
  }
  const reader = await server.user('reader')
  const roomId = await roomOf([alice], { initial_state: [odd] })
  await say(alice, roomId, 'visible')
  await join(reader, roomId)
  const url = `${inRoom(roomId, 'messages')}?dir=b&limit=50`
  const { chunk } = await reader.ok('GET', url, undefined, { events: false })
  assert.deepEqual(texts(chunk), ['visible'])
})

test('a page full of hidden events does not end the paging (adv-40)', async () => {
  const roomId = await roomOf([alice, bob], { initial_state: [visibility('joined')] })
  await say(alice, roomId, 'long ago')
  await leave(bob, roomId)
  for (let i = 0; i < 5; i++)
    await Promise.all(Array.from({ length: 30 }, () => say(alice, roomId, 'hidden')))
  await join(bob, roomId)
  const { events, pages } = await allPages(bob, roomId, { dir: 'b', limit: 5 })
  assert.deepEqual(texts(events), ['long ago'])
  assert.ok(pages.length < 10)
})

test('a room with hidden events pages from the other end as well (adv-40)', async () => {
  const roomId = await roomOf([alice], { initial_state: [visibility('joined')] })
  for (let i = 0; i < 5; i++)
    await Promise.all(Array.from({ length: 30 }, () => say(alice, roomId, 'hidden')))
  await join(bob, roomId)
  await say(alice, roomId, 'shown')
  const { events } = await allPages(bob, roomId, { dir: 'f', limit: 5 })
  assert.deepEqual(texts(events), ['shown'])
})

test('an invited user does not page through a room, whatever its history', async () => {
  const roomId = await createRoom(alice, { invite: [bob.userId], initial_state: [visibility('shared')] })
  await bob.refused('403 M_FORBIDDEN', 'GET', `${inRoom(roomId, 'messages')}?dir=b`)
})

test('who left and asks without a token begins at the leaving', async () => {
  const roomId = await roomOf([alice, bob])
  await say(alice, roomId, 'last heard')
  await leave(bob, roomId)
  await Promise.all(Array.from({ length: 50 }, () => say(alice, roomId, 'later')))
  const page = await messages(bob, roomId, { limit: 2 })
  assert.deepEqual([page.chunk[0].content.membership, page.chunk[1].content.body], ['leave', 'last heard'])
})

test('unsigned.membership tells how the reader stood at each event', async () => {
  const roomId = await roomOf([alice])
  await say(alice, roomId, 'before')
  await join(bob, roomId)
  await say(alice, roomId, 'after')
  const { chunk } = await messages(bob, roomId, { limit: 3 })
  assert.deepEqual(
    chunk.map((event: Json) => event.unsigned.membership),
    ['join', 'join', 'leave'],
  )
})

test('events that arrive while somebody pages do not disturb the pages', async () => {
  const roomId = await roomOf([alice, bob])
  for (let i = 0; i < 20; i++) await say(alice, roomId, `p${i}`)
  const seen: Json[] = []
  let from: string | undefined
  do {
    const page = await messages(bob, roomId, { limit: 4, from })
    seen.push(...page.chunk)
    from = page.end
    await say(alice, roomId, 'meanwhile')
  } while (from !== undefined)
  assert.deepEqual(
    texts(seen),
    Array.from({ length: 20 }, (_, i) => `p${19 - i}`),
  )
})

test('pages asked for side by side with sends hold whole events', async () => {
  const roomId = await roomOf([alice, bob])
  const work = Array.from({ length: 20 }, async (_, i) => {
    await say(alice, roomId, `w${i}`)
    return messages(bob, roomId, { limit: 5 })
  })
  for (const page of await Promise.all(work)) assert.ok(page.chunk.length === 5)
})

test('sync then backwards meets the sync before without gap or repeat', async () => {
  const roomId = await roomOf([alice, bob])
  const first = await sync(bob)
  for (let i = 0; i < 40; i++) await say(alice, roomId, `g${i}`)
  const second = await sync(bob, { since: first.next_batch })
  const { timeline } = second.rooms.join[roomId]
  assert.equal(timeline.limited, true)
  const gap = await allPages(bob, roomId, {
    dir: 'b',
    limit: 7,
    from: timeline.prev_batch,
    to: first.next_batch,
  })
  const all = [...texts(gap.events).reverse(), ...texts(timeline.events)]
  assert.deepEqual(
    all,
    Array.from({ length: 40 }, (_, i) => `g${i}`),
  )
})
