import { importVerifyKey, type VerifyKey, verifyText } from '../crypto/ed25519.ts'
import { signaturesOf, signedText, signersOf } from '../crypto/sign-json.ts'
import { stringOf } from '../event/content.ts'
import type { Pdu } from '../event/pdu.ts'
import { isArray, isObject, type JsonObject, member } from '../json/value.ts'
import { THIRD_PARTY_KEYS_MAX, THIRD_PARTY_SIGNATURES_MAX } from '../limits.ts'

/**
 * Whether any signature in `signed` matches any public key of the m.room.third_party_invite event. Bounded: of more
 * keys or signatures than the limits the first are tried.
 */
export function isSignedByInvite(signed: JsonObject, invite: Pdu): boolean {
  const signatures = signersOf(signed)
    .flatMap((name) => signaturesOf(signed, name))
    .slice(0, THIRD_PARTY_SIGNATURES_MAX)
  if (signatures.length === 0) return false
  const text = signedText(signed)
  const keys = publicKeysOf(invite)
  return signatures.some(([, signature]) => keys.some((key) => verifyText(text, signature, key)))
}

/** `public_key` and the `public_key` of each of `public_keys`, as far as they are keys. */
function publicKeysOf(invite: Pdu): VerifyKey[] {
  const listed = member(invite.content, 'public_keys')
  const texts = [stringOf(invite.content, 'public_key')]
  for (const entry of isArray(listed) ? listed.slice(0, THIRD_PARTY_KEYS_MAX) : []) {
    if (isObject(entry)) texts.push(stringOf(entry, 'public_key'))
  }
  return texts
    .map((text) => (text === undefined ? undefined : importVerifyKey(text)))
    .filter((key) => key !== undefined)
}
