/**
 * Signed objects as `/keys/query` gives them, put together from stored texts without parsing them.
 * https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysquery
 */
import { type JsonObject, type JsonValue, setMember } from '../json/value.ts'

interface Parts {
  /** Canonical JSON of an object that is not empty, without signatures. */
  readonly body: string
  /** JSON of an object. */
  readonly signatures: string
}

/** The identity keys of a device with the name that its user gave it. */
export function deviceKeysText({ body, signatures }: Parts, displayName: string | null): string {
  const name = displayName === null ? '' : `"device_display_name":${JSON.stringify(displayName)}`
  return `${body.slice(0, -1)},"signatures":${signatures},"unsigned":{${name}}}`
}

/** A cross-signing key; one that nobody signed goes out as it was uploaded. */
export function crossSigningText({ body, signatures }: Parts): string {
  return signatures === '{}' ? body : `${body.slice(0, -1)},"signatures":${signatures}}`
}

/** A master key with one more signature, which only its signer sees. */
export function signedMasterText({ body, signatures }: Parts, signer: string, by: JsonObject): string {
  const all: Record<string, JsonValue> = { ...(JSON.parse(signatures) as JsonObject) }
  setMember(all, signer, by)
  return crossSigningText({ body, signatures: JSON.stringify(all) })
}
