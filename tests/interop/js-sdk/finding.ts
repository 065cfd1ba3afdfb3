import assert from 'node:assert/strict'
import { Direction, SearchOrderBy, type SearchResult } from 'matrix-js-sdk'
import { until } from '../conversation.ts'
import { type Person, roomOf, type Stage } from './person.ts'

const MATCHES = 23

/** People, messages, places in time, and published rooms. */
export async function finding(stage: Stage): Promise<void> {
  const fay = await stage.enter('fay')
  const finn = await stage.enter('finn')
  await finn.client.setDisplayName('Finn the Fisher')
  const roomId = await roomOf(fay, [finn], { name: 'Tower', preset: 'public_chat' as never })
  await people(fay, finn)
  await messages(fay, finn, roomId)
  await published(finn, roomId)
  await profile(fay, finn)
}

async function people(seeker: Person, sought: Person): Promise<void> {
  const found = async () => (await seeker.client.searchUserDirectory({ term: 'fisher' })).results
  await until(
    async () => (await found()).length > 0,
    () => 'the directory knows the new name',
  )
  const [first] = await found()
  assert.deepEqual([first?.user_id, first?.display_name], [sought.userId, 'Finn the Fisher'])
  assert.deepEqual((await seeker.client.searchUserDirectory({ term: 'nobody like that' })).results, [])
}

/** More matches than a page holds, newest first, with what stood around them. */
async function messages(seeker: Person, writer: Person, roomId: string): Promise<void> {
  for (let i = 0; i < MATCHES; i++) await writer.say(roomId, `barn owl number ${i}`)
  const last = await writer.say(roomId, 'a lark')
  await seeker.event(roomId, last)
  const results = await seeker.client.searchRoomEvents({ term: 'OWL', filter: { rooms: [roomId] } })
  assert.equal(results.count, MATCHES)
  assert.ok(results.highlights.includes('owl'))
  while (results.next_batch !== undefined) await seeker.client.backPaginateRoomEventsSearch(results)
  const texts = results.results.map(bodyOf)
  const expected = Array.from({ length: MATCHES }, (_, i) => `barn owl number ${i}`).toReversed()
  assert.deepEqual(texts, expected)
  const around = results.results[0]?.context.getTimeline().map((event) => event.getContent()['body'])
  assert.deepEqual(around?.slice(-2), [expected[0], 'a lark'])
  const plain = await seeker.client.search({
    body: { search_categories: { room_events: { search_term: 'lark', order_by: SearchOrderBy.Rank } } },
  })
  assert.equal(plain.search_categories.room_events?.results?.[0]?.result.event_id, last)

  const early = await seeker.client.timestampToEvent(roomId, 0, Direction.Forward)
  const timeline = await seeker.client.getEventTimeline(
    seeker.room(roomId).getUnfilteredTimelineSet(),
    early.event_id,
  )
  assert.equal(timeline?.getEvents()[0]?.getType(), 'm.room.create')
}

const bodyOf = (result: SearchResult): unknown => result.context.getEvent().getContent()['body']

async function published(person: Person, roomId: string): Promise<void> {
  await assert.rejects(person.client.setRoomDirectoryVisibility(roomId, 'public' as never), {
    errcode: 'M_FORBIDDEN',
  })
  const { chunk } = await person.client.publicRooms({ filter: { generic_search_term: 'tower' } })
  assert.deepEqual(chunk, [], 'nothing is published by itself')
}

async function profile(seeker: Person, sought: Person): Promise<void> {
  const { client } = sought
  assert.equal(await client.doesServerSupportExtendedProfiles(), true)
  await client.setExtendedProfileProperty('test.live.boat', { name: 'Gull' })
  assert.deepEqual(await seeker.client.getExtendedProfile(sought.userId), {
    displayname: 'Finn the Fisher',
    'test.live.boat': { name: 'Gull' },
  })
}
