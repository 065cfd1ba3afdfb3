/** Whether somebody may set a piece of a room's state, asked before there is an event. */
import { atLeast } from '#/protocol/auth/level.ts'
import { powerLevelsOf } from '#/protocol/auth/power-levels.ts'
import { membershipOf } from '#/protocol/event/content.ts'
import type { StateKeyPair, StateLookup } from '#/protocol/event/pdu.ts'

/** State that `maySendState` looks at. */
export function powerNeeds(userId: string): StateKeyPair[] {
  return [
    ['m.room.create', ''],
    ['m.room.power_levels', ''],
    ['m.room.member', userId],
  ]
}

/** Whether a user is in the room and has the level for state events of a type. */
export function maySendState(state: StateLookup, userId: string, type: string): boolean {
  const create = state('m.room.create', '')
  if (!create || membershipOf(state('m.room.member', userId)) !== 'join') return false
  const levels = powerLevelsOf(create, state('m.room.power_levels', ''))
  return atLeast(levels.user(userId), levels.send(type, true))
}
