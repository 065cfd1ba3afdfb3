import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import {
  createRoom,
  inRoom,
  invite,
  join,
  leave,
  messages,
  redact,
  roomOf,
  say,
  setState,
  V3,
} from '../../support/room-calls.ts'
import { TestServer } from '../../support/test-server.ts'

covers('POST /_matrix/client/v3/search')

let server: TestServer
let alice: ApiClient
let bob: ApiClient
let carol: ApiClient
before(async () => {
  server = await TestServer.start()
  alice = await server.user('alice')
  bob = await server.user('bob')
  carol = await server.user('carol')
})
after(() => server.close())

const bodyOf = (term: string, more: Json = {}): Json => ({
  search_categories: { room_events: { search_term: term, order_by: 'recent', ...more } },
})

async function search(who: ApiClient, term: string, more: Json = {}, next?: string): Promise<Json> {
  const query = next === undefined ? '' : `?next_batch=${encodeURIComponent(next)}`
  return (await who.post(`${V3}/search${query}`, bodyOf(term, more))).search_categories.room_events
}

const idsIn = (found: Json): string[] => found.results.map(({ result }: Json) => result.event_id)

const found = async (who: ApiClient, term: string, more?: Json): Promise<string[]> =>
  idsIn(await search(who, term, more))

async function allPages(who: ApiClient, term: string, more: Json): Promise<string[][]> {
  const pages: string[][] = []
  let next: string | undefined
  do {
    const page = await search(who, term, more, next)
    pages.push(idsIn(page))
    next = page.next_batch
    assert.ok(pages.length < 50, 'the pages do not end')
  } while (next !== undefined)
  return pages
}

test('§5.11 finds messages, names and topics of own rooms, newest first', async () => {
  const roomId = await roomOf([alice, bob], { name: 'Zebrafish club' })
  const first = await say(alice, roomId, 'a zebrafish swims')
  const second = await say(bob, roomId, 'ZEBRAFISH!')
  await say(bob, roomId, 'a zebra and a fish')
  const topic = await setState(alice, roomId, 'm.room.topic', { topic: 'All about zebrafish' })
  const all = await search(alice, 'zebrafish')
  assert.deepEqual(idsIn(all).slice(0, 3), [topic, second, first])
  assert.equal(all.count, 4)
  assert.equal(all.next_batch, undefined)
  assert.deepEqual(new Set(all.highlights), new Set(['zebrafish', 'ZEBRAFISH', 'Zebrafish']))
  assert.equal(all.results[2].result.content.body, 'a zebrafish swims')
  assert.equal(all.results[2].result.room_id, roomId)
  assert.ok(all.results[0].rank > 0)
  assert.deepEqual(await found(alice, 'zebrafish', { keys: ['content.topic'] }), [topic])
  assert.deepEqual(await found(alice, 'zebrafish', { keys: ['content.body'] }), [second, first])
  assert.equal((await found(alice, 'zebrafish', { keys: ['content.name'] })).length, 1)
})

test('nothing is found without words, and an absent category gives none', async () => {
  for (const term of ['', ' ', '?!', '-zebrafish', 'nobodysaidthis']) {
    assert.deepEqual(await search(alice, term), { count: 0, highlights: [], results: [] })
  }
  assert.deepEqual(await alice.post(`${V3}/search`, { search_categories: {} }), { search_categories: {} })
})

test('bad requests are refused', async () => {
  const refused = (why: string, body: Json, query = '') =>
    alice.refused(why, 'POST', `${V3}/search${query}`, body)
  await refused('400 M_MISSING_PARAM', {})
  await refused('400 M_MISSING_PARAM', { search_categories: { room_events: {} } })
  await refused('400 M_BAD_JSON', bodyOf(7 as never))
  await refused('400 M_BAD_JSON', bodyOf('x'.repeat(5000)))
  await refused('400 M_INVALID_PARAM', bodyOf('x '.repeat(100)))
  await refused('400 M_BAD_JSON', bodyOf('x', { order_by: 'upside down' }))
  await refused('400 M_BAD_JSON', bodyOf('x', { keys: ['content.url'] }))
  await refused('400 M_BAD_JSON', bodyOf('x', { groupings: { group_by: [{ key: 'type' }] } }))
  await refused('400 M_BAD_JSON', bodyOf('x', { event_context: { before_limit: -1 } }))
  await refused('400 M_INVALID_PARAM', bodyOf('x', { filter: { rooms: 'all' } }))
  for (const token of ['x', 's1_2', 'f999_1_0_0', 'f1_1_0_-1']) {
    await refused('400 M_INVALID_PARAM', bodyOf('x'), `?next_batch=${token}`)
  }
  await server.anonymous().refused('401 M_MISSING_TOKEN', 'POST', `${V3}/search`, bodyOf('x'))
})

test('rooms of others are not searched, nor told of', async () => {
  const roomId = await roomOf([alice])
  await say(alice, roomId, 'whispered chrysanthemum')
  assert.deepEqual(await found(bob, 'chrysanthemum'), [])
  const asked = await search(bob, 'chrysanthemum', { filter: { rooms: [roomId] } })
  assert.deepEqual(asked, { count: 0, highlights: [], results: [] })
  const invited = await createRoom(alice)
  await say(alice, invited, 'chrysanthemum')
  await invite(alice, invited, bob)
  assert.deepEqual(await found(bob, 'chrysanthemum'), [])
})

test('history before the join is found, and counted, only where it may be read', async () => {
  for (const visibility of ['shared', 'joined', 'invited']) {
    const roomId = await roomOf([alice])
    await setState(alice, roomId, 'm.room.history_visibility', { history_visibility: visibility })
    const old = await say(alice, roomId, `marigold ${visibility}`)
    await join(bob, roomId)
    const recent = await say(alice, roomId, `marigold ${visibility}`)
    const seen = visibility === 'shared' ? [recent, old] : [recent]
    const answer = await search(bob, `marigold ${visibility}`)
    assert.deepEqual([idsIn(answer), answer.count], [seen, seen.length])
  }
})

test('what was said in a room that was left stays found, what is said behind it is not', async () => {
  const roomId = await roomOf([alice, bob])
  const heard = await say(alice, roomId, 'larkspur one')
  await leave(bob, roomId)
  await say(alice, roomId, 'larkspur two')
  assert.deepEqual(await found(bob, 'larkspur'), [heard])
  await bob.post(inRoom(roomId, 'forget'))
  assert.deepEqual(await found(bob, 'larkspur'), [])
})

test('those who were banned find what they heard', async () => {
  const roomId = await roomOf([alice, bob])
  const heard = await say(alice, roomId, 'hellebore one')
  await alice.post(inRoom(roomId, 'ban'), { user_id: bob.userId })
  await say(alice, roomId, 'hellebore two')
  assert.deepEqual(await found(bob, 'hellebore'), [heard])
})

test('redacted messages are gone at once', async () => {
  const roomId = await roomOf([alice, bob])
  const target = await say(alice, roomId, 'regrettable petunia')
  assert.deepEqual(await found(bob, 'petunia'), [target])
  await redact(alice, roomId, target)
  assert.deepEqual(await found(bob, 'petunia'), [])
  assert.deepEqual(
    await server.ask(
      'SELECT * FROM search_tail WHERE event = (SELECT nid FROM events WHERE event_id = ?1)',
      target,
    ),
    [],
  )
})

test('an edit is found by its new text, as an event of its own', async () => {
  const roomId = await roomOf([alice])
  const original = await say(alice, roomId, 'the first foxglove')
  const edit = {
    msgtype: 'm.text',
    body: '* the second snapdragon',
    'm.new_content': { msgtype: 'm.text', body: 'the second snapdragon' },
    'm.relates_to': { rel_type: 'm.replace', event_id: original },
  }
  const { event_id: edited } = await alice.put(inRoom(roomId, 'send', 'm.room.message', alice.txn()), edit)
  assert.deepEqual(await found(alice, 'snapdragon'), [edited])
  assert.deepEqual(await found(alice, 'foxglove'), [original])
})

test('encrypted rooms are not searched', async () => {
  const roomId = await roomOf([alice])
  await say(alice, roomId, 'an open periwinkle')
  await setState(alice, roomId, 'm.room.encryption', { algorithm: 'm.megolm.v1.aes-sha2' })
  await say(alice, roomId, 'a hidden periwinkle')
  assert.equal((await found(alice, 'periwinkle')).length, 1)
})

test('a filter chooses rooms, senders and types', async () => {
  const one = await roomOf([alice, bob])
  const two = await roomOf([alice, bob])
  const a = await say(alice, one, 'filtered begonia')
  const b = await say(bob, one, 'filtered begonia')
  const c = await say(alice, two, 'filtered begonia')
  const topic = await setState(alice, two, 'm.room.topic', { topic: 'filtered begonia' })
  const filtered = (filter: Json) => found(alice, 'begonia', { filter })
  assert.deepEqual(await filtered({}), [topic, c, b, a])
  assert.deepEqual(await filtered({ rooms: [one] }), [b, a])
  assert.deepEqual(await filtered({ not_rooms: [one] }), [topic, c])
  assert.deepEqual(await filtered({ rooms: [] }), [])
  assert.deepEqual(await filtered({ senders: [bob.userId] }), [b])
  assert.deepEqual(await filtered({ not_senders: [bob.userId], rooms: [one] }), [a])
  assert.deepEqual(await filtered({ types: ['m.room.topic'] }), [topic])
  assert.deepEqual(await filtered({ types: ['m.room.*'], not_types: ['m.room.topic'] }), [c, b, a])
  assert.deepEqual(await filtered({ limit: 1 }), [topic])
})

test('pages follow each other without gap or repetition, in both orders', async () => {
  const roomId = await roomOf([alice, bob])
  const sent: string[] = []
  for (let i = 0; i < 150; i++) {
    sent.push(await say(i % 3 === 0 ? alice : bob, roomId, `camellia ${'petal '.repeat(i % 7)}`))
  }
  const recent = await allPages(alice, 'camellia', { filter: { limit: 20 } })
  assert.deepEqual(recent.flat(), sent.toReversed())
  assert.ok(recent.slice(0, -1).every((page) => page.length === 20))
  const ranked = await allPages(alice, 'camellia', { filter: { limit: 20 }, order_by: 'rank' })
  assert.deepEqual(ranked.flat().toSorted(), sent.toSorted())
  assert.equal((await search(alice, 'camellia', { filter: { limit: 20 } })).count, 150)
  const mine = await allPages(alice, 'camellia', { filter: { limit: 20, senders: [alice.userId] } })
  assert.equal(mine.flat().length, 50)
})

test('by rank the densest comes first', async () => {
  const roomId = await roomOf([alice])
  const dense = await say(alice, roomId, 'dahlia dahlia')
  const plain = await say(alice, roomId, 'dahlia')
  const thin = await say(alice, roomId, `dahlia ${'and so on '.repeat(40)}`)
  const answer = await search(alice, 'dahlia', { order_by: 'rank' })
  assert.deepEqual(idsIn(answer), [dense, plain, thin])
  const ranks = answer.results.map(({ rank }: Json) => rank)
  assert.deepEqual(
    ranks,
    ranks.toSorted((a: number, b: number) => b - a),
  )
  assert.deepEqual(await found(alice, 'dahlia', { order_by: undefined }), [dense, plain, thin])
})

test('results come in groups, each with its own pages', async () => {
  const rooms = [await roomOf([alice, bob]), await roomOf([alice, bob])]
  const sent: string[][] = [[], []]
  for (let i = 0; i < 12; i++) {
    sent[i % 2]!.push(await say(i % 3 === 0 ? bob : alice, rooms[i % 2]!, `grouped azalea ${i}`))
  }
  const groupings = { group_by: [{ key: 'room_id' }, { key: 'sender' }] }
  for (const order of ['recent', 'rank']) {
    const asked = { groupings, filter: { limit: 4 }, order_by: order }
    const { groups, results } = await search(alice, 'azalea', asked)
    assert.deepEqual(Object.keys(groups).toSorted(), ['room_id', 'sender'])
    assert.deepEqual(new Set(Object.keys(groups.room_id)), new Set(rooms))
    const inGroups = Object.values<Json>(groups.room_id).flatMap((group) => group.results)
    assert.deepEqual(inGroups.toSorted(), results.map(({ result }: Json) => result.event_id).toSorted())
    const group = groups.room_id[rooms[0]!]
    assert.equal(typeof group.order, 'number')
    const ids: string[] = [...group.results]
    for (let next = group.next_batch; next !== undefined; ) {
      const page = await search(alice, 'azalea', asked, next)
      assert.ok(page.results.every(({ result }: Json) => result.room_id === rooms[0]))
      ids.push(...idsIn(page))
      next = page.next_batch
    }
    assert.deepEqual(ids.toSorted(), sent[0]!.toSorted())
    const bobs = groups.sender[bob.userId]
    const page = await search(alice, 'azalea', asked, bobs.next_batch)
    assert.ok(page.results.every(({ result }: Json) => result.sender === bob.userId))
  }
})

test('context: events around, tokens to go on from, and profiles', async () => {
  const roomId = await roomOf([alice, bob])
  const said: string[] = []
  for (const body of ['one', 'two', 'a single gentian', 'four', 'five']) {
    said.push(await say(body === 'four' ? bob : alice, roomId, body))
  }
  const wanted = { before_limit: 1, after_limit: 2, include_profile: true }
  const { results } = await search(alice, 'gentian', { event_context: wanted })
  const { context } = results[0]
  const ids = (events: Json): string[] => events.map((event: Json) => event.event_id)
  assert.deepEqual(ids(context.events_before), [said[1]])
  assert.deepEqual(ids(context.events_after), [said[3], said[4]])
  assert.deepEqual(Object.keys(context.profile_info).toSorted(), [alice.userId, bob.userId].toSorted())
  assert.equal(typeof context.profile_info[bob.userId].displayname, 'string')
  const back = await messages(alice, roomId, { from: context.start, dir: 'b', limit: 1 })
  assert.deepEqual(ids(back.chunk), [said[0]])
  const on = await messages(alice, roomId, { from: context.end, dir: 'f', limit: 1 })
  assert.deepEqual(on.chunk, [])
  const plain = (await search(alice, 'gentian', { event_context: {} })).results[0].context
  assert.equal(plain.profile_info, undefined)
  assert.deepEqual(ids(plain.events_before).slice(0, 2), [said[1], said[0]])
  assert.equal(plain.events_before.length, 5)
  assert.equal((await search(alice, 'gentian')).results[0].context, undefined)
  const none = (await search(alice, 'gentian', { event_context: { before_limit: 0, after_limit: 0 } }))
    .results[0]
  assert.deepEqual([none.context.events_before, none.context.events_after], [[], []])
})

test('context shows nothing of the time before a join', async () => {
  const roomId = await roomOf([alice])
  await setState(alice, roomId, 'm.room.history_visibility', { history_visibility: 'joined' })
  await say(alice, roomId, 'before carol')
  await join(carol, roomId)
  await say(alice, roomId, 'edelweiss')
  const { results } = await search(carol, 'edelweiss', { event_context: { before_limit: 10 } })
  const bodies = results[0].context.events_before.map((event: Json) => event.content.body)
  assert.ok(!bodies.includes('before carol'))
})

test('the state of the rooms of the results comes when asked for', async () => {
  const roomId = await roomOf([alice, bob], { name: 'Stately' })
  await say(alice, roomId, 'stately hyacinth')
  const { state } = await search(alice, 'hyacinth', { include_state: true })
  assert.deepEqual(Object.keys(state), [roomId])
  const name = state[roomId].find((event: Json) => event.type === 'm.room.name')
  assert.equal(name.content.name, 'Stately')
  assert.equal((await search(alice, 'hyacinth')).state, undefined)
  await leave(bob, roomId)
  await setState(alice, roomId, 'm.room.name', { name: 'Renamed' })
  const left = await search(bob, 'hyacinth', { include_state: true })
  assert.equal(left.state[roomId].find((event: Json) => event.type === 'm.room.name').content.name, 'Stately')
})

test('users who are ignored are neither results nor context', async () => {
  const dan = await server.user('dan')
  const roomId = await roomOf([dan, bob, carol])
  const hers = await say(carol, roomId, 'ignored peony')
  await say(bob, roomId, 'ignored peony')
  const list = { ignored_users: { [bob.userId]: {} } }
  await dan.put(`${V3}/user/${encodeURIComponent(dan.userId)}/account_data/m.ignored_user_list`, list)
  const { results, count } = await search(dan, 'peony', { event_context: {} })
  assert.deepEqual(
    results.map(({ result }: Json) => result.event_id),
    [hers],
  )
  assert.equal(count, 1)
  assert.deepEqual(results[0].context.events_after, [])
})

test('with an upgraded room its predecessors are searched', async () => {
  const old = await roomOf([alice, bob])
  const before = await say(alice, old, 'transplanted wisteria')
  const predecessor = { room_id: old, event_id: before }
  const replaced = await roomOf([alice], { creation_content: { predecessor } })
  const recent = await say(alice, replaced, 'transplanted wisteria')
  const filter = { rooms: [replaced] }
  assert.deepEqual(await found(alice, 'wisteria', { filter }), [recent, before])
  assert.deepEqual(await found(alice, 'wisteria', { filter: { ...filter, not_rooms: [old] } }), [recent])
  await join(carol, replaced)
  assert.deepEqual(await found(carol, 'wisteria', { filter }), [recent])
})

for (const [script, said, term] of [
  ['Chinese', '我们明天去北京大学学习', '北京大学'],
  ['Japanese', '昨日コーヒーを飲みました', 'コーヒー'],
  ['Korean', '학교에서 친구를 만났다', '학교'],
  ['Thai', 'ฉันรักภาษาไทยมาก', 'ภาษาไทย'],
  ['Arabic', 'السَّلَامُ عَلَيْكُمْ', 'السلام'],
  ['Hebrew', 'שָׁלוֹם עולם', 'שלום'],
  ['Greek', 'Η γλώσσα μου', 'ΓΛΩΣΣΑ'],
  ['Cyrillic', 'Ещё немного', 'еще'],
  ['Latin with marks', 'Crème brûlée', 'creme brulee'],
  ['emoji', 'well done 👍🏽', '👍'],
] as const) {
  test(`finds ${script} (users.md 18)`, async () => {
    const roomId = await roomOf([alice])
    const eventId = await say(alice, roomId, said)
    await say(alice, roomId, 'something else')
    assert.deepEqual(await found(alice, term, { filter: { rooms: [roomId] } }), [eventId])
  })
}

test('messages stay found over a restart', async () => {
  const roomId = await roomOf([alice])
  const eventId = await say(alice, roomId, 'perennial lupine')
  await server.restart()
  assert.deepEqual(await found(alice, 'lupine'), [eventId])
})

test('a new device finds as much, and transaction ids are only its own', async () => {
  const roomId = await roomOf([alice])
  await say(alice, roomId, 'two oleander', 'my-txn')
  const other = await server.device(alice)
  const mine = (await search(alice, 'oleander')).results[0].result
  const theirs = (await search(other, 'oleander')).results[0].result
  assert.equal(mine.unsigned.transaction_id, 'my-txn')
  assert.equal(theirs.unsigned.transaction_id, undefined)
})
