/**
 * Who may see the card of a room, by generation: every join rule, every membership, account or guest or nobody, by the
 * summary and by the tree of a space (adv-55).
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ApiClient } from '../../support/api-client.ts'
import { createRoom, inRoom, invite, join, leave, setState, verdict } from '../../support/room-calls.ts'
import { TestServer } from '../../support/test-server.ts'

const RULES = ['public', 'invite', 'private', 'knock', 'restricted', 'knock_restricted'] as const
const VISIBILITIES = ['world_readable', 'shared', 'invited', 'joined'] as const
const READERS = [
  'stranger',
  'member',
  'invited',
  'knocker',
  'leaver',
  'refuser',
  'banned',
  'neighbour',
  'former neighbour',
] as const
type Reader = (typeof READERS)[number]

/** Room versions with every rule, without knocking with conditions, without conditions, without knocking. */
const VERSIONS = { '12': 4, '9': 3, '7': 2, '6': 1 } as const
type Version = keyof typeof VERSIONS

let server: TestServer
let alice: ApiClient
/** A room that restricted rooms name. */
let door: string
const readers = new Map<string, ApiClient>()
before(async () => {
  server = await TestServer.start()
  alice = await server.user('alice')
  door = await createRoom(alice, { preset: 'public_chat' })
  await setState(alice, door, 'm.room.guest_access', { guest_access: 'can_join' })
  for (const name of READERS) {
    const guest = server.anonymous()
    guest.become(await guest.post('/_matrix/client/v3/register?kind=guest'))
    readers.set(`guest ${name}`, guest)
    readers.set(name, await server.user(name.replace(' ', '')))
    for (const who of [guest, readers.get(name)!]) {
      if (name.endsWith('neighbour')) await join(who, door)
      if (name.startsWith('former')) await leave(who, door)
    }
  }
})
after(() => server.close())

const clientOf = (name: Reader, guest: boolean): ApiClient => readers.get(guest ? `guest ${name}` : name)!

async function arrive(who: ApiClient, name: Reader, roomId: string, knocks: boolean): Promise<void> {
  const knock = (): Promise<string> =>
    setState(who, roomId, 'm.room.member', { membership: 'knock' }, who.userId)
  if (name === 'banned') await alice.post(inRoom(roomId, 'ban'), { user_id: who.userId })
  if (name === 'member' || name === 'leaver') await join(who, roomId)
  if (name === 'invited' || name === 'refuser') await invite(alice, roomId, who)
  if (name === 'leaver' || name === 'refuser') await leave(who, roomId)
  if (name === 'knocker' && knocks) {
    await setState(alice, roomId, 'm.room.join_rules', { join_rule: 'knock' })
    await knock()
  }
}

/** The model: members and the invited see it, who may join sees it, and everybody where strangers may come or read. */
function expected(
  version: Version,
  rule: (typeof RULES)[number],
  visibility: (typeof VISIBILITIES)[number],
  reader: Reader | 'nobody',
): boolean {
  const knows = VERSIONS[version]
  if (visibility === 'world_readable' || rule === 'public') return true
  if (rule === 'knock' && knows >= 2) return true
  if (rule === 'knock_restricted' && knows >= 4) return true
  if (reader === 'member' || reader === 'invited') return true
  return rule === 'restricted' && knows >= 3 && reader === 'neighbour'
}

async function look(who: ApiClient, roomId: string): Promise<{ summary: boolean; tree?: boolean }> {
  const id = encodeURIComponent(roomId)
  const summary = await who.call('GET', `/_matrix/client/v1/room_summary/${id}`)
  assert.match(verdict(summary), /^(200|404 M_NOT_FOUND)$/)
  if (who.token === undefined) return { summary: summary.status === 200 }
  const tree = await who.call('GET', `/_matrix/client/v1/rooms/${id}/hierarchy`)
  assert.match(verdict(tree), /^(200|403 M_FORBIDDEN)$/)
  return { summary: summary.status === 200, tree: tree.status === 200 }
}

for (const version of Object.keys(VERSIONS) as Version[]) {
  test(`adv-55 the card of a room of version ${version}: every rule, every membership, every reader`, async () => {
    const knocks = VERSIONS[version] >= 2
    const roomId = await createRoom(alice, { preset: 'public_chat', room_version: version })
    await setState(alice, roomId, 'm.room.guest_access', { guest_access: 'can_join' })
    const all = READERS.flatMap((name) => [false, true].map((guest) => ({ name, guest })))
    for (const { name, guest } of all) {
      await setState(alice, roomId, 'm.room.join_rules', { join_rule: 'public' })
      await arrive(clientOf(name, guest), name, roomId, knocks)
    }
    const allow = [{ type: 'm.room_membership', room_id: door }]
    for (const rule of RULES) {
      await setState(alice, roomId, 'm.room.join_rules', { join_rule: rule, allow })
      for (const visibility of VISIBILITIES) {
        await setState(alice, roomId, 'm.room.history_visibility', { history_visibility: visibility })
        const open = expected(version, rule, visibility, 'nobody')
        const where = `${rule}, ${visibility}`
        assert.deepEqual(await look(server.anonymous(), roomId), { summary: open }, `nobody: ${where}`)
        for (const { name, guest } of all) {
          const seen = expected(version, rule, visibility, name)
          const found = await look(clientOf(name, guest), roomId)
          assert.deepEqual(found, { summary: seen, tree: seen }, `${guest ? 'guest ' : ''}${name}: ${where}`)
        }
      }
    }
  })
}
