/** A sync request as the service takes it, and what it answers. */
import type { PresenceName } from '../../ephemeral/presence-state.ts'
import type { EphemeralSeen } from '../../rooms/read/tokens.ts'
import type { SyncFilter } from '../filter.ts'
import type { WaitingRequest } from '../wait.ts'

export interface SyncRequest extends WaitingRequest {
  readonly userId: string
  readonly deviceId: string
  /** Position to go on from; undefined for an initial sync or after a restore. */
  readonly since: number | undefined
  /** Position up to which the client has its messages; undefined for an initial sync. */
  readonly toDevice: number | undefined
  /** What the client has seen of typing and presence. */
  readonly seen: EphemeralSeen | undefined
  /** What the client says of its presence; undefined to leave it as it is. */
  readonly presence: PresenceName | undefined
  /** Position that the client is known to have reached, where `since` went on because there was nothing to tell. */
  readonly confirmed?: number | undefined
  readonly filter: SyncFilter
  readonly fullState: boolean
  /**
   * The name under which the client wants the state at the end of the timeline, `state_after` or its unstable name;
   * undefined for the state at its start.
   */
  readonly stateAfter: StateAfterName | undefined
  /** Milliseconds to wait for news. */
  readonly timeoutMs: number
}

/** `state_after` was `org.matrix.msc4222.state_after` before it was specified. */
export type StateAfterName = 'state_after' | 'org.matrix.msc4222.state_after'

/** Pieces of an answer as JSON texts by room id. */
export interface RoomsAnswer {
  readonly join: Map<string, string>
  readonly invite: Map<string, string>
  readonly knock: Map<string, string>
  readonly leave: Map<string, string>
}

export function eventsJson(texts: readonly string[]): string {
  return `{"events":[${texts.join(',')}]}`
}

function objectJson(entries: ReadonlyMap<string, string>): string {
  const parts: string[] = []
  for (const [key, json] of entries) parts.push(`${JSON.stringify(key)}:${json}`)
  return `{${parts.join(',')}}`
}

/** Lists of events outside of rooms, as JSON texts. */
export interface GlobalAnswer {
  readonly accountData: readonly string[]
  readonly presence: readonly string[]
  readonly toDevice: readonly string[]
}

/** The groups of rooms as members of an object; those without rooms are left out. */
export function groupsJson(rooms: RoomsAnswer): string {
  const groups: string[] = []
  for (const name of ['join', 'invite', 'knock', 'leave'] as const) {
    if (rooms[name].size > 0) groups.push(`"${name}":${objectJson(rooms[name])}`)
  }
  return groups.join(',')
}

/** The whole answer. `groups` are those of rooms, `e2ee` the members about encryption. */
export function answerJson(
  nextBatch: string,
  { accountData, presence, toDevice }: GlobalAnswer,
  groups: string,
  e2ee: string,
): string {
  let json = `{"next_batch":${JSON.stringify(nextBatch)}`
  if (accountData.length > 0) json += `,"account_data":${eventsJson(accountData)}`
  if (presence.length > 0) json += `,"presence":${eventsJson(presence)}`
  if (toDevice.length > 0) json += `,"to_device":${eventsJson(toDevice)}`
  if (groups !== '') json += `,"rooms":{${groups}}`
  return `${json},${e2ee}}`
}
