/**
 * The one place that uses the server's signing key, for a closed list of purposes (adv-18, adv-19): events that this
 * server builds itself. Nothing that a peer sent is ever signed as it came.
 */
import type { SigningKey } from '#/protocol/crypto/ed25519.ts'
import { type Result, refuse } from '#/protocol/errors.ts'
import { buildEvent, type EventFields } from '#/protocol/event/build.ts'
import type { Pdu } from '#/protocol/event/pdu.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import { serverOf } from '#/protocol/ids/user-id.ts'
import type { RoomVersionRules } from '#/protocol/room-version/rules.ts'

export interface Signer {
  readonly serverName: ServerName
  /** Purpose: an event of one of our users. Refuses a sender of another server. */
  event(rules: RoomVersionRules, fields: EventFields): Result<Pdu>
}

export function createSigner(serverName: ServerName, key: SigningKey): Signer {
  return {
    serverName,
    event(rules, fields) {
      if (serverOf(fields.sender) !== serverName) {
        return refuse('sign.sender', 'only events of this server’s own users are signed')
      }
      return buildEvent(rules, fields, serverName, key)
    },
  }
}
