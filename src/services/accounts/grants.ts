/** The one place where tokens are minted. Deactivated and locked accounts end here, whatever way they came (adv-65). */
import type { World } from '#/base/world.ts'
import type { AccountOp } from '#/ports/store/accounts.ts'
import { deactivatedAccount, lockedAccount } from '#/protocol/errors.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import type { SessionOptions } from './options.ts'
import { digestOf, newAccessToken, newRefreshToken } from './tokens.ts'

/** Who gets the tokens: an account as it was just read, or one that the same plan makes. */
export interface GrantOwner {
  readonly user: string
  readonly deactivated: boolean
  readonly locked: boolean
}

export interface GrantRequest {
  readonly deviceId: string
  /** Whether the client can refresh. Counts only where the configuration allows it. */
  readonly refreshable: boolean
  /** Digest of the refresh token that is exchanged. */
  readonly exchanged?: string
  /** End of the session, where it has begun before. */
  readonly sessionEndsTs?: number | undefined
}

/** Tokens for the client, in plain text: nobody else sees them again. */
export interface Tokens {
  readonly userId: UserId
  readonly deviceId: string
  readonly accessToken: string
  readonly refreshToken?: string
  readonly expiresInMs?: number
}

export interface Grant {
  readonly tokens: Tokens
  readonly ops: readonly AccountOp[]
}

export class Granter {
  readonly #world: World
  readonly #options: SessionOptions

  constructor(deps: { world: World; options: SessionOptions }) {
    this.#world = deps.world
    this.#options = deps.options
  }

  /** Mints tokens. Throws M_USER_DEACTIVATED, M_USER_LOCKED. */
  grant(owner: GrantOwner, request: GrantRequest): Grant {
    if (owner.deactivated) throw deactivatedAccount()
    if (owner.locked) throw lockedAccount()
    const { clock, rng } = this.#world
    const now = clock.now()
    const options = this.#options
    const refreshable = request.refreshable && options.refreshableAccessTokenMs !== undefined
    const begun = request.exchanged !== undefined
    const sessionEnds = begun ? request.sessionEndsTs : endOf(now, options.lifetimeMs)
    const lifetimeMs = refreshable ? options.refreshableAccessTokenMs : options.nonrefreshableAccessTokenMs
    const expiresTs = earlier(endOf(now, lifetimeMs), sessionEnds)
    const accessToken = newAccessToken(rng)
    const put = { op: 'token.put', user: owner.user, device: request.deviceId } as const
    const digest = digestOf(accessToken)
    const pair = request.exchanged ?? null
    const ops: AccountOp[] = [{ ...put, digest, kind: 'access', expiresTs: expiresTs ?? null, pair }]
    const tokens = {
      userId: owner.user as UserId,
      deviceId: request.deviceId,
      accessToken,
      ...(expiresTs === undefined ? {} : { expiresInMs: Math.max(0, expiresTs - now) }),
    }
    if (!refreshable) return { tokens, ops }
    const refreshToken = newRefreshToken(rng, sessionEnds)
    const refreshEnds = earlier(endOf(now, options.refreshTokenMs), sessionEnds) ?? null
    ops.push({
      ...put,
      digest: digestOf(refreshToken),
      kind: 'refresh',
      expiresTs: refreshEnds,
      pair: digest,
    })
    return { tokens: { ...tokens, refreshToken }, ops }
  }
}

function endOf(now: number, lifetimeMs: number | undefined): number | undefined {
  return lifetimeMs === undefined ? undefined : now + lifetimeMs
}

function earlier(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined ? b : b === undefined ? a : Math.min(a, b)
}
