/**
 * Policy servers: whether a room uses one, and which signature an event then needs.
 * https://spec.matrix.org/v1.19/server-server-api/#policy-servers
 */

import { objectOf, stringOf } from '../event/content.ts'
import type { Pdu } from '../event/pdu.ts'
import type { KeyId } from '../ids/key-id.ts'
import { parseServerName, type ServerName } from '../ids/server-name.ts'
import { isObject, type JsonObject, type JsonValue } from '../json/value.ts'

/** The key id of every policy server's signature, whatever its published keys are called. */
export const POLICY_KEY_ID = 'ed25519:policy_server' as KeyId
export const POLICY_TYPE = 'm.room.policy'

/** The policy server of a room. */
export interface PolicyServer {
  readonly via: ServerName
  /** Ed25519 public key in base64, as the event has it. */
  readonly publicKey: string
}

/**
 * Reads the m.room.policy event of the current state; undefined if it names no policy server, which then
 * leaves the room without one.
 */
export function policyServerOf(policy: Pdu | undefined): PolicyServer | undefined {
  if (policy === undefined || policy.type !== POLICY_TYPE || policy.stateKey !== '') return undefined
  const via = parseServerName(stringOf(policy.content, 'via') ?? '')
  const keys = objectOf(policy.content, 'public_keys')
  const publicKey = keys && stringOf(keys, 'ed25519')
  return via === undefined || publicKey === undefined ? undefined : { via, publicKey }
}

/**
 * The policy server in use: it must also have a joined user in the current state, which `hasJoinedUser` tells.
 */
export function policyServerInUse(
  policy: Pdu | undefined,
  hasJoinedUser: (server: ServerName) => boolean,
): PolicyServer | undefined {
  const server = policyServerOf(policy)
  return server !== undefined && hasJoinedUser(server.via) ? server : undefined
}

/** Tells whether an event needs the policy server's signature: all do but m.room.policy with an empty key. */
export function needsPolicySignature(event: Pick<Pdu, 'type' | 'stateKey'>): boolean {
  return event.type !== POLICY_TYPE || event.stateKey !== ''
}

/** The signature of the policy server on an event, or undefined. It stands under the name of `via`. */
export function policySignatureOf(event: JsonObject, via: ServerName): string | undefined {
  const signatures = objectOf(event, 'signatures')
  const ofServer = signatures && objectOf(signatures, via)
  return ofServer && stringOf(ofServer, POLICY_KEY_ID)
}

/** What to do about an event in a room with a policy server. */
export type PolicyStep = 'accept' | 'ask' | 'refuse'

/**
 * The next step for an event: a valid signature or an exempt event is accepted; otherwise the policy server is
 * asked once, and after that the event is refused (a local one) or soft-failed (a remote one).
 */
export function policyStep(facts: {
  readonly event: Pick<Pdu, 'type' | 'stateKey'>
  readonly server: PolicyServer | undefined
  readonly signatureIsValid: boolean
  readonly asked: boolean
}): PolicyStep {
  if (facts.server === undefined || !needsPolicySignature(facts.event) || facts.signatureIsValid)
    return 'accept'
  return facts.asked ? 'refuse' : 'ask'
}

/**
 * Adds the policy server's answer to an event's signatures. Only its own signature is taken, and signatures
 * that the event has stay, also those of a server of the same name. Undefined if the answer holds none.
 */
export function withPolicySignature(
  event: JsonObject,
  via: ServerName,
  answer: JsonValue | undefined,
): JsonObject | undefined {
  const signature = isObject(answer) ? policySignatureOf({ signatures: answer }, via) : undefined
  if (signature === undefined) return undefined
  const signatures = objectOf(event, 'signatures') ?? {}
  const existing = objectOf(signatures, via) ?? {}
  return { ...event, signatures: { ...signatures, [via]: { ...existing, [POLICY_KEY_ID]: signature } } }
}
