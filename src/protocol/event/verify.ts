/**
 * Signatures of events. A failure means: drop the event.
 * https://spec.matrix.org/v1.16/server-server-api/#validating-hashes-and-signatures-on-received-events
 */
import { verifyText } from '../crypto/ed25519.ts'
import { isValidForEvent } from '../crypto/key-validity.ts'
import type { ServerKey } from '../crypto/server-keys.ts'
import { signaturesOf } from '../crypto/sign-json.ts'
import { ALLOW, type Result, refuse, type Verdict } from '../errors.ts'
import { domainOf } from '../ids/domain.ts'
import type { KeyId } from '../ids/key-id.ts'
import type { ServerName } from '../ids/server-name.ts'
import { parseUserId, serverOf } from '../ids/user-id.ts'
import { canonicalJson } from '../json/canonical.ts'
import { member } from '../json/value.ts'
import { authorisedViaOf, membershipOf } from './content.ts'
import { eventSignedText } from './hash.ts'
import type { Pdu } from './pdu.ts'
import { redact } from './redact.ts'

/**
 * The servers whose signature an event needs: the sender's (not for an invite made from a third-party invite), in v1
 * and v2 that of the event id, and from v8 that of `join_authorised_via_users_server`, whatever the membership.
 * @returns rule `signature.authorising_user` or `signature.event_id` when the name cannot be told
 */
export function requiredSigners(pdu: Pdu): Result<ServerName[]> {
  const names = new Set<ServerName>()
  const isMember = pdu.type === 'm.room.member'
  const byThirdParty =
    isMember && membershipOf(pdu) === 'invite' && member(pdu.content, 'third_party_invite') !== undefined
  if (!byThirdParty) names.add(serverOf(pdu.sender))
  if (pdu.rules.eventIdServerSigns) {
    const server = domainOf(pdu.eventId)
    if (server === undefined) return refuse('signature.event_id', 'the event id names no server')
    names.add(server)
  }
  const via = isMember && pdu.rules.auth.restricted ? authorisedViaOf(pdu) : undefined
  if (via !== undefined) {
    const user = typeof via === 'string' ? parseUserId(via) : undefined
    if (user === undefined) {
      return refuse('signature.authorising_user', 'join_authorised_via_users_server is not a user id')
    }
    names.add(serverOf(user))
  }
  return { ok: true, value: [...names] }
}

/** The keys to load before `checkSignatures`: those named by signatures of the required servers. */
export function keysNamed(pdu: Pdu): { readonly server: ServerName; readonly keyId: KeyId }[] {
  const signers = requiredSigners(pdu)
  if (!signers.ok) return []
  return signers.value.flatMap((server) =>
    signaturesOf(pdu.json, server).map(([keyId]) => ({ server, keyId })),
  )
}

/**
 * Checks that every required server signed. Signatures by unknown keys and by keys not valid at the event's time are
 * skipped; of the rest all must verify and one must remain.
 * @param keyOf known keys, loaded before
 * @param now milliseconds, for the cap on a key's published validity
 */
export function checkSignatures(
  pdu: Pdu,
  keyOf: (server: ServerName, keyId: KeyId) => ServerKey | undefined,
  now: number,
): Verdict {
  const signers = requiredSigners(pdu)
  if (!signers.ok) return signers
  const text = eventSignedText(pdu.rules, pdu.json)
  for (const server of signers.value) {
    let verified = 0
    for (const [keyId, signature] of signaturesOf(pdu.json, server)) {
      const key = keyOf(server, keyId)
      if (key === undefined || !isValidForEvent(pdu.rules, key, pdu.originServerTs, now)) continue
      if (!verifyText(text, signature, key.verifyKey)) {
        return refuse('signature.invalid', `the signature of ${server} with ${keyId} does not verify`)
      }
      verified++
    }
    if (verified === 0) return refuse('signature.missing', `no signature of ${server} by a known, valid key`)
  }
  return ALLOW
}

/**
 * What to keep when the content hash does not match, or when a redaction is applied: the same event by id, reduced to
 * what its version protects.
 */
export function redactedPdu(pdu: Pdu): Pdu {
  const json = redact(pdu.rules, pdu.json)
  const content = json['content'] as Pdu['content']
  const keepsTarget = pdu.rules.redactsInContent && pdu.type === 'm.room.redaction'
  return { ...pdu, json, text: canonicalJson(json), content, redacts: keepsTarget ? pdu.redacts : undefined }
}
