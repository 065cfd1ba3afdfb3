/** `directory-rebuild`: what differs from the truth is named, and put right where that is wanted. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { rebuildDirectories } from '#/app/commands/directory-rebuild.ts'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { createRoom, roomOf, V3 } from '../../support/room-calls.ts'
import { TestServer } from '../../support/test-server.ts'

let server: TestServer
let ann: ApiClient
let bea: ApiClient
before(async () => {
  server = await TestServer.start()
  ann = await server.user('ann')
  bea = await server.user('bea')
})
after(() => server.close())

async function look(repair: boolean): Promise<{ rows: number; wrong: string[] }> {
  const wrong: string[] = []
  const report = await rebuildDirectories(server.store, repair, (text) => void wrong.push(text))
  assert.equal(report.wrong, wrong.length)
  return { rows: report.rows, wrong: wrong.sort() }
}

const run = async (text: string, ...params: string[]): Promise<void> => {
  assert.ok((await server.ask(`${text} RETURNING 1 AS changed`, ...params)).length > 0, text)
}

const found = async (term: string): Promise<string[]> => {
  const { results } = await ann.post(`${V3}/user_directory/search`, { search_term: term })
  return results.map((person: Json) => person.user_id)
}

test('directories that the server has kept itself are right', async () => {
  await roomOf([ann, bea], { visibility: 'public', name: 'Open' })
  await createRoom(ann, { name: 'Closed' })
  const guest = server.anonymous()
  await guest.post(`${V3}/register?kind=guest`, {})
  const { rows, wrong } = await look(false)
  assert.deepEqual(wrong, [])
  assert.ok(rows > 4)
})

test('what differs is named, stays without --repair, and is right with it', async () => {
  const roomId = await roomOf([ann, bea], { visibility: 'public', name: 'Listed' })
  const other = await roomOf([ann, bea], { visibility: 'public', name: 'Other' })
  await bea.put(`${V3}/profile/${encodeURIComponent(bea.userId)}/displayname`, { displayname: 'Beatrice' })
  const nidOf = (id: string) => `(SELECT nid FROM rooms WHERE room_id = '${id}')`
  await run(`UPDATE directory_users SET display_name = 'Wrong' WHERE user_id = ?1`, bea.userId)
  await run(`DELETE FROM directory_users WHERE user_id = ?1`, ann.userId)
  await run(`INSERT INTO directory_users VALUES (-5, '@ghost:test.example', 1, 'Ghost', NULL, '["ghost"]')`)
  await run(`INSERT INTO directory_terms VALUES ('stray', 123456789)`)
  await run(`UPDATE published_rooms SET joined = 77 WHERE room = ${nidOf(roomId)}`)
  await run(`UPDATE published_rooms SET search = 'nothing', shown = 0 WHERE room = ${nidOf(other)}`)
  await run(`DELETE FROM directory_rooms WHERE room = ${nidOf(roomId)} AND rule = 'join_rules'`)
  const first = await look(false)
  /* The words of the entry that was taken away lead to nobody as well. */
  const named = first.wrong.filter((text) => !/^entry (?!123456789)/.test(text))
  assert.deepEqual(
    named,
    [
      `${other}: is published with other facts`,
      `${roomId}: is published with another number of members`,
      `${roomId}: its join_rules are not what the user directory takes them for`,
      '@ghost:test.example: is listed, but has no account that should be',
      `${ann.userId}: is not listed`,
      `${bea.userId}: is listed by another name`,
      'entry 123456789: is found by a word that is not in the name',
    ].sort(),
  )
  assert.deepEqual((await look(false)).wrong, first.wrong)
  await look(true)
  assert.deepEqual((await look(false)).wrong, [])
  assert.deepEqual(await found('Beatrice'), [bea.userId])
  const { chunk } = await ann.get(`${V3}/publicRooms`)
  const listed = chunk.find((room: Json) => room.room_id === other)
  assert.deepEqual([listed.name, listed.num_joined_members], ['Other', 2])
  assert.deepEqual(await server.verify(), [])
})
