/** Sessions kept ready by the digest of their access token, so that authentication needs no read and no promise. */
import { type Aged, Recency } from '#/base/recency.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import type { Seen } from './last-seen.ts'

/** Who holds an access token. The shape is what the HTTP layer calls a requester. */
export interface Session {
  readonly userId: UserId
  readonly deviceId: string
  readonly isGuest: boolean
  readonly isAdmin: boolean
  readonly isSuspended: boolean
  readonly appserviceId: undefined
  /** Digest of the access token. */
  readonly sessionId: string
  readonly rateLimit: 'normal'
}

export interface CachedSession {
  readonly session: Session
  readonly expiresTs: number | null
  readonly locked: boolean
  /** Its last use. */
  readonly seen: Seen
}

export class SessionCache {
  readonly #max: number
  readonly #byDigest = new Map<string, CachedSession & Aged>()
  readonly #recency = new Recency()
  readonly #byUser = new Map<string, Set<string>>()
  #generation = 0

  constructor(max: number) {
    this.#max = max
  }

  /** Rises with each invalidation: what was read from the store before it must not be kept. */
  get generation(): number {
    return this.#generation
  }

  get size(): number {
    return this.#byDigest.size
  }

  get(digest: string): CachedSession | undefined {
    const known = this.#byDigest.get(digest)
    if (known === undefined) return undefined
    this.#recency.touch(this.#byDigest, digest, known, this.#max >> 2)
    return known
  }

  set(digest: string, cached: CachedSession): void {
    this.#drop(digest)
    this.#byDigest.set(digest, { ...cached, at: this.#recency.next() })
    const { userId } = cached.session
    const digests = this.#byUser.get(userId)
    if (digests) digests.add(digest)
    else this.#byUser.set(userId, new Set([digest]))
    if (this.#byDigest.size <= this.#max) return
    for (const oldest of this.#byDigest.keys()) {
      this.#drop(oldest)
      return
    }
  }

  /** One token is no longer what it was. */
  forget(digest: string): void {
    this.#generation++
    this.#drop(digest)
  }

  /** Tokens of a user may no longer be what they were. */
  forgetUser(userId: string): void {
    this.#generation++
    for (const digest of [...(this.#byUser.get(userId) ?? [])]) this.#drop(digest)
  }

  /** Last use by device, of the sessions that are in memory and were used. */
  lastSeen(userId: string): Map<string, Seen> {
    const seen = new Map<string, Seen>()
    for (const digest of this.#byUser.get(userId) ?? []) {
      const known = this.#byDigest.get(digest)
      if (!known || known.seen.ts === 0) continue
      const { deviceId } = known.session
      if (known.seen.ts > (seen.get(deviceId)?.ts ?? 0)) seen.set(deviceId, known.seen)
    }
    return seen
  }

  #drop(digest: string): void {
    const known = this.#byDigest.get(digest)
    if (!known) return
    this.#byDigest.delete(digest)
    const digests = this.#byUser.get(known.session.userId)
    digests?.delete(digest)
    if (digests?.size === 0) this.#byUser.delete(known.session.userId)
  }
}
