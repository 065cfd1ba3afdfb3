/** Credentials for TURN servers. https://spec.matrix.org/v1.16/client-server-api/#voice-over-ip */
import { createHmac } from 'node:crypto'

export interface TurnOptions {
  /** `turn_uris`. */
  readonly uris: readonly string[]
  /** `turn_shared_secret`. */
  readonly sharedSecret: string | undefined
  /** `turn_username` and `turn_password`: the same for everybody, where there is no shared secret. */
  readonly username: string | undefined
  readonly password: string | undefined
  /** `turn_user_lifetime`. */
  readonly lifetimeMs: number
  /** `turn_allow_guests`. */
  readonly guests: boolean
}

export interface TurnCredentials {
  readonly username: string
  readonly password: string
  readonly uris: readonly string[]
  readonly ttl: number
}

/**
 * Credentials for a user at `now` (ms), or undefined where no server is configured. With a shared secret the name is
 * the end of its time in seconds and the user, and the password its HMAC-SHA1, as TURN servers check it
 * (draft-uberti-behave-turn-rest).
 */
export function turnCredentials(
  options: TurnOptions,
  userId: string,
  now: number,
): TurnCredentials | undefined {
  const { uris, sharedSecret, lifetimeMs } = options
  const ttl = Math.floor(lifetimeMs / 1000)
  if (uris.length === 0 || ttl === 0) return undefined
  if (sharedSecret !== undefined) {
    const username = `${Math.floor((now + lifetimeMs) / 1000)}:${userId}`
    const password = createHmac('sha1', sharedSecret).update(username).digest('base64')
    return { username, password, uris, ttl }
  }
  const { username, password } = options
  if (username === undefined || password === undefined) return undefined
  return { username, password, uris, ttl }
}
