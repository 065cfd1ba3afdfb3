import assert from 'node:assert/strict'
import { EventType } from 'matrix-js-sdk'
import { type Person, roomOf, type Stage } from './person.ts'

/** A room goes on under another version; its history stays linked, and what was set up comes along. */
export async function upgrade(stage: Stage): Promise<void> {
  const uma = await stage.enter('uma')
  const urs = await stage.enter('urs')
  const old = await roomOf(uma, [urs], { name: 'Owls', topic: 'hoot', room_version: '11' })
  await urs.say(old, 'before')
  await uma.client.setRoomTag(old, 'm.favourite', { order: 0.5 })
  await uma.sees('the tag', () => 'm.favourite' in uma.room(old).tags)

  const { replacement_room: next } = await uma.client.upgradeRoom(old, '12')
  await urs.sees('the tombstone', () => tombstone(urs, old) === next)
  /* Clients invite again whom they find in the old room. */
  await uma.client.invite(next, urs.userId)
  await urs.client.joinRoom(next)
  await urs.sees('the new room', () => urs.client.getRoom(next)?.getMyMembership() === 'join')
  await uma.sees('the new room', () => uma.client.getRoom(next) !== null)
  const room = urs.room(next)
  assert.equal(room.getVersion(), '12')
  assert.equal(room.name, 'Owls')
  assert.equal(room.findPredecessor()?.roomId, old)
  const history = urs.client.getRoomUpgradeHistory(next, true).map(({ roomId }) => roomId)
  assert.deepEqual(history, [old, next])
  await uma.sees('the tag on the new room', () => 'm.favourite' in uma.room(next).tags)
  assert.ok(!urs.client.getVisibleRooms().some(({ roomId }) => roomId === old), 'the old one is hidden')

  await assert.rejects(urs.say(old, 'too late'), { errcode: 'M_FORBIDDEN' })
  const after = await urs.say(next, 'after')
  await uma.event(next, after)
}

function tombstone(person: Person, roomId: string): unknown {
  const event = person.room(roomId).currentState.getStateEvents(EventType.RoomTombstone, '')
  return event?.getContent()['replacement_room']
}
