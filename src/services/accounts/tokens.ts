/** Access and refresh tokens as texts. The store knows their digests only. */
import { hash } from 'node:crypto'
import type { Rng } from '#/base/world.ts'
import { TOKEN_BYTES } from './limits.ts'

/** What the store keeps of a token: its SHA-256 in hex. */
export function digestOf(token: string): string {
  return hash('sha256', token, 'hex')
}

/** A new access token; `mya` names the product and the kind, for scanners of leaked secrets. */
export function newAccessToken(rng: Rng): string {
  return `mya_${rng.bytes(TOKEN_BYTES).toString('base64url')}`
}

/**
 * A new refresh token. The end of the whole session travels in its text, because each exchange must know it; the
 * digest covers it, so nobody can change it.
 */
export function newRefreshToken(rng: Rng, sessionEndsTs: number | undefined): string {
  const random = rng.bytes(TOKEN_BYTES).toString('base64url')
  return sessionEndsTs === undefined ? `myr_${random}` : `myr_${random}.${sessionEndsTs.toString(36)}`
}

/** The end of the session in a refresh token that is known to be ours. */
export function sessionEndOf(refreshToken: string): number | undefined {
  const dot = refreshToken.lastIndexOf('.')
  return dot < 0 ? undefined : Number.parseInt(refreshToken.slice(dot + 1), 36)
}
