import assert from 'node:assert/strict'
import { EventType, JoinRule, RoomType } from 'matrix-js-sdk'
import { RoomHierarchy } from 'matrix-js-sdk/lib/room-hierarchy.js'
import { LIVE_SERVER_NAME } from '../../support/live-server.ts'
import { within } from '../conversation.ts'
import { type Person, roomOf, type Stage } from './person.ts'

const VIA = [LIVE_SERVER_NAME]

/** A space with rooms and a space in it: who may see what of it, page by page; members of the space may join. */
export async function spaces(stage: Stage): Promise<void> {
  const sara = await stage.enter('sara')
  const saul = await stage.enter('saul')
  const { client } = sara
  const space = await roomOf(sara, [saul], { name: 'Birds', creation_content: { type: RoomType.Space } })
  assert.ok(saul.room(space).isSpaceRoom())
  const inner = (await client.createRoom({ name: 'Night', creation_content: { type: RoomType.Space } }))
    .room_id
  const open = (await client.createRoom({ name: 'Owls', preset: 'public_chat' as never })).room_id
  const restricted = await restrictedRoom(sara, space)
  const secret = (await client.createRoom({ name: 'Secret' })).room_id
  await child(sara, space, inner, { order: 'a' })
  await child(sara, inner, open, {})
  await child(sara, space, restricted, { order: 'b', suggested: true })
  await child(sara, space, secret, { order: 'c' })

  assert.deepEqual(await hierarchy(sara, space), ['Birds', 'Night', 'Owls', 'Larks', 'Secret'])
  assert.deepEqual(
    await hierarchy(saul, space),
    ['Birds', 'Larks'],
    'what saul neither joined nor may join is left out',
  )
  assert.deepEqual(await hierarchy(sara, space, true), ['Birds', 'Larks'], 'suggested ones')

  await saul.client.joinRoom(restricted, { viaServers: VIA })
  await saul.sees('the restricted room', () => saul.client.getRoom(restricted)?.getMyMembership() === 'join')
  const summary = await saul.client.getRoomSummary(open)
  assert.deepEqual([summary.name, summary.membership], ['Owls', 'leave'])

  await client.sendStateEvent(space, EventType.SpaceChild, {}, restricted)
  await saul.sees('the room gone from the space', () => {
    const state = saul.room(space).currentState.getStateEvents(EventType.SpaceChild, restricted)
    return state !== null && state.getContent()['via'] === undefined
  })
  assert.deepEqual(await hierarchy(saul, space), ['Birds'])
}

async function restrictedRoom(person: Person, space: string): Promise<string> {
  const allow = [{ type: 'm.room_membership', room_id: space }]
  const content = { join_rule: JoinRule.Restricted, allow }
  const rules = { type: EventType.RoomJoinRules, state_key: '', content }
  return (await person.client.createRoom({ name: 'Larks', initial_state: [rules] })).room_id
}

async function child(person: Person, space: string, room: string, more: object): Promise<void> {
  await person.client.sendStateEvent(space, EventType.SpaceChild, { via: VIA, ...more } as never, room)
}

/** Names of the rooms, in the order of the space, two a page. */
async function hierarchy(person: Person, space: string, suggestedOnly = false): Promise<string[]> {
  const loading = new RoomHierarchy(person.room(space), 2, undefined, suggestedOnly)
  while (loading.canLoadMore) await within('a page of the space', loading.load())
  return (loading.rooms ?? []).map((room) => room.name ?? '')
}
