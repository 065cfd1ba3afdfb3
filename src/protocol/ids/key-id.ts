import type { Id } from './brand.ts'

/** `algorithm:version`, for example `ed25519:a_Abcd`. https://spec.matrix.org/v1.16/appendices/#signing-details */
export type KeyId = Id<`${string}:${string}`, 'KeyId'>

/** A key id of any algorithm: something on both sides of the first colon; no NUL, no lone surrogate. */
export function parseKeyId(text: string): KeyId | undefined {
  const colon = text.indexOf(':')
  if (colon < 1 || colon === text.length - 1 || text.includes('\0') || !text.isWellFormed()) return undefined
  return text as KeyId
}

/** An Ed25519 key id; `version` is letters, digits and `_`. Throws on a bad one. */
export function mintKeyId(version: string): KeyId {
  if (version.length === 0 || ![...version].every((c) => /^[A-Za-z0-9_]$/.test(c))) {
    throw new RangeError(`bad key version ${version}`)
  }
  return `ed25519:${version}` as KeyId
}

/** The algorithm before the first colon. */
export function keyAlgorithmOf(id: KeyId): string {
  return id.slice(0, id.indexOf(':'))
}
