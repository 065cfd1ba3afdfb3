/** What the tests with matrix-nio go through, in the order of their stages. */
import type { EngineName } from '../../support/live-server.ts'
import { awayOverRestart } from './absence.ts'
import { backlog } from './backlog.ts'
import { historyByExport, historyByRequest } from './history.ts'
import { killedInTheMiddle } from './kills.ts'
import { bothWays, verification } from './meeting.ts'
import { removal } from './removal.ts'
import { nioTalk } from './talk.ts'
import { keysUsedUp } from './used-up.ts'

/** Devices that verify each other, come, go away, and are removed. */
export function devicesTalk(engine: EngineName): void {
  const stages = [bothWays, verification, historyByRequest, historyByExport, awayOverRestart, removal]
  /* Deleting a device asks for the password first, and what syncs then has no session any more. */
  const refused = ['401 GET /_matrix/client/v3/sync', '401 POST /_matrix/client/v3/delete_devices']
  nioTalk(`matrix-nio with encryption: devices, ${engine}`, engine, stages, refused)
}

/** Keys that are used up, and a server that is killed in the middle of the talk. */
export function keysTalk(engine: EngineName): void {
  const stages = [bothWays, verification, keysUsedUp, killedInTheMiddle]
  nioTalk(`matrix-nio with encryption: keys used up, server killed, ${engine}`, engine, stages)
}

/** A device that was away for 10,000 to-device messages. */
export function backlogTalk(engine: EngineName): void {
  nioTalk(`matrix-nio with encryption: 10,000 messages, ${engine}`, engine, [backlog])
}
