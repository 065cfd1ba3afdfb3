/** Validity of server keys in time. https://spec.matrix.org/v1.16/rooms/v5/#signing-key-validity-period */
import { KEY_VALIDITY_AHEAD_MS_MAX } from '../limits.ts'
import type { RoomVersionRules } from '../room-version/rules.ts'

/** What is known of a published key. Times in milliseconds. */
export interface KeyLife {
  /** As published; the cap is applied here. */
  readonly validUntilTs: number
  /** Set for a key listed under `old_verify_keys`. */
  readonly expiredTs?: number
}

/**
 * Whether a key may vouch for an event of `originServerTs`. An old key does up to its `expired_ts`, in every
 * version. A current one does from v5 on up to min(`valid_until_ts`, now + 7 days), and always before.
 */
export function isValidForEvent(
  rules: RoomVersionRules,
  key: KeyLife,
  originServerTs: number,
  now: number,
): boolean {
  if (key.expiredTs !== undefined) return originServerTs <= key.expiredTs
  return !rules.enforcesKeyValidity || originServerTs <= effectiveValidUntil(key.validUntilTs, now)
}

/** Whether a key may vouch for a request at this moment: never an old one. */
export function isValidForRequest(key: KeyLife, now: number): boolean {
  return key.expiredTs === undefined && now <= effectiveValidUntil(key.validUntilTs, now)
}

/** The lesser of what was published and 7 days ahead of now. */
export function effectiveValidUntil(validUntilTs: number, now: number): number {
  return Math.min(validUntilTs, now + KEY_VALIDITY_AHEAD_MS_MAX)
}
