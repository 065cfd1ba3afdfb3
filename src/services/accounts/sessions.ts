/**
 * Sessions: who holds an access token, and how tokens begin, are renewed and end.
 * https://spec.matrix.org/v1.16/client-server-api/#client-authentication
 */
import { KeyedLock } from '#/base/async/keyed-lock.ts'
import { SingleFlight } from '#/base/async/single-flight.ts'
import { Lru } from '#/base/lru.ts'
import type { World } from '#/base/world.ts'
import type { AccountOp, AccountRow, TokenRow } from '#/ports/store/accounts.ts'
import type { Store } from '#/ports/store/store.ts'
import type { UsageOp } from '#/ports/store/usage.ts'
import { lockedAccount, MatrixError } from '#/protocol/errors.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import { newDeviceId } from './device-id.ts'
import { Granter, type Tokens } from './grants.ts'
import type { LastSeen, Seen } from './last-seen.ts'
import { DEVICES_PER_USER_MAX, DIGESTS_KNOWN_MAX, SESSIONS_CACHED_MAX } from './limits.ts'
import type { SessionOptions } from './options.ts'
import { type CachedSession, type Session, SessionCache } from './session-cache.ts'
import { digestOf, sessionEndOf } from './tokens.ts'

/** What a client says about itself when it logs in. */
export interface NewSession {
  /** An own device id; undefined makes one. Earlier tokens of that device end. */
  readonly deviceId?: string | undefined
  /** Kept only where the device has no name yet. */
  readonly displayName?: string | undefined
  readonly refreshable?: boolean | undefined
}

/** Where a request came from. */
export interface UsedFrom {
  readonly ip: string
  /** The client's name for itself. */
  readonly agent: string | undefined
}

export class Sessions {
  readonly #store: Store
  readonly #world: World
  readonly #granter: Granter
  readonly #cache: SessionCache
  readonly #lastSeen: LastSeen | undefined
  /** Digests of tokens that were used lately, since a client sends the same one all day. */
  readonly #digests: Lru<string, string>
  /** Logins, changes of password and deactivation of one user come one after the other. */
  readonly #users = new KeyedLock()
  readonly #loading = new SingleFlight<string, CachedSession>()
  readonly #refreshing = new SingleFlight<string, Tokens>()
  readonly #stop: () => void
  #onEnded: (userId: string) => void = () => {}

  constructor(deps: {
    store: Store
    world: World
    options: SessionOptions
    /** Writes last uses down; without it they are kept in memory only. */
    lastSeen?: LastSeen | undefined
    /** Sessions kept ready. */
    cachedMax?: number
  }) {
    this.#store = deps.store
    this.#world = deps.world
    this.#granter = new Granter(deps)
    this.#lastSeen = deps.lastSeen
    this.#cache = new SessionCache(deps.cachedMax ?? SESSIONS_CACHED_MAX)
    this.#digests = new Lru(Math.min(deps.cachedMax ?? DIGESTS_KNOWN_MAX, DIGESTS_KNOWN_MAX))
    /* Whoever deletes a device ends its tokens, also where nobody thinks of this cache. */
    this.#stop = deps.store.onChange((changes) => {
      for (const change of changes) {
        if (change.stream === 'devices' && change.user !== undefined) this.#forgetUser(change.user)
      }
    })
  }

  /**
   * Throws when the session of a digest is not what it was: M_UNKNOWN_TOKEN, M_USER_LOCKED. For requests that last.
   * Without a promise when the session is known.
   */
  check(digest: string): Promise<void> | undefined {
    const known = this.#cache.get(digest)
    if (known !== undefined) {
      this.#refuse(known, false)
      return undefined
    }
    const loaded = this.#loading.run(digest, () => this.#load(digest))
    return loaded.then((found) => this.#refuse(found, false))
  }

  /** Hears of users one of whose sessions has ended, or may have. */
  onEnded(listener: (userId: string) => void): void {
    this.#onEnded = listener
  }

  #forgetUser(userId: string): void {
    this.#cache.forgetUser(userId)
    this.#onEnded(userId)
  }

  /** Stops listening to the store. */
  close(): void {
    this.#stop()
  }

  /**
   * The holder of an access token; without a promise when it is known. `locked` holders get through only where
   * `evenLocked` says so (logging out). Throws M_UNKNOWN_TOKEN, M_USER_LOCKED.
   */
  find(accessToken: string, evenLocked = false, from?: UsedFrom): Session | Promise<Session> {
    const told = this.#digests.get(accessToken)
    const digest = told ?? digestOf(accessToken)
    const known = this.#cache.get(digest)
    if (known !== undefined) {
      if (told === undefined) this.#digests.set(accessToken, digest)
      return this.#admit(known, evenLocked, from)
    }
    const loaded = this.#loading.run(digest, () => this.#load(digest))
    return loaded.then((found) => this.#admit(found, evenLocked, from))
  }

  #admit(found: CachedSession, evenLocked: boolean, from: UsedFrom | undefined): Session {
    this.#refuse(found, evenLocked)
    const { seen, session } = found
    seen.ts = this.#world.clock.now()
    if (from !== undefined) {
      seen.ip = from.ip
      seen.agent = from.agent
      this.#lastSeen?.note(session.userId, session.deviceId, seen)
    }
    return session
  }

  #refuse({ expiresTs, locked }: CachedSession, evenLocked: boolean): void {
    if (expiresTs !== null && this.#world.clock.now() >= expiresTs) throw expiredToken()
    if (locked && !evenLocked) throw lockedAccount()
  }

  async #load(digest: string): Promise<CachedSession> {
    const { generation } = this.#cache
    const row = await this.#store.accounts.token(digest)
    if (row?.kind !== 'access' || row.deactivated) throw unknownToken()
    const found: CachedSession = {
      session: {
        userId: row.user as UserId,
        deviceId: row.device,
        isGuest: row.guest,
        isAdmin: row.admin,
        isSuspended: row.suspended,
        appserviceId: undefined,
        sessionId: digest,
        rateLimit: 'normal',
      },
      expiresTs: row.expiresTs,
      locked: row.locked,
      seen: { ts: 0, ip: '', agent: undefined, waits: false },
    }
    if (row.pair !== null) await this.#retire(row.user, row.pair)
    /* A logout may have come between the read and now. */
    if (this.#cache.generation === generation) this.#cache.set(digest, found)
    return found
  }

  /**
   * "The old refresh token remains valid until the new access token or refresh token is used": ends it, and the
   * access token that it came with.
   */
  async #retire(user: string, refreshDigest: string): Promise<void> {
    const old = await this.#store.accounts.token(refreshDigest)
    if (!old) return
    const gone = [refreshDigest, ...(old.pair === null ? [] : [old.pair])]
    for (const digest of gone) {
      /* A conflict says that it is gone already, which is what is wanted. */
      await this.#store.commit({ lane: user, ops: [{ op: 'token.delete', digest }] })
      this.#cache.forget(digest)
    }
    this.#onEnded(user)
  }

  /** Runs `task` while no login, change of password or deactivation of the user runs. */
  exclusively<T>(userId: string, task: () => Promise<T>): Promise<T> {
    return this.#users.run(userId, task)
  }

  /**
   * Opens a session on an account that was just read under `exclusively`. `more` goes into the same plan.
   * Throws M_USER_DEACTIVATED, M_USER_LOCKED.
   */
  async open(account: AccountRow, wanted: NewSession, more: readonly AccountOp[] = []): Promise<Tokens> {
    const tokens = await this.tryOpen(account, wanted, more)
    if (tokens === undefined) throw new Error('a login met a conflict')
    return tokens
  }

  /** As `open`; undefined when a guard in `more` refuses. */
  async tryOpen(
    account: AccountRow,
    wanted: NewSession,
    more: readonly (AccountOp | UsageOp)[],
  ): Promise<Tokens | undefined> {
    const { ops, tokens } = this.plan(account, wanted)
    const clear: AccountOp = { op: 'token.clear', user: account.user, device: tokens.deviceId }
    const result = await this.#store.commit({ lane: account.user, ops: [...more, clear, ...ops] })
    if (!result.ok) return undefined
    this.#forgetUser(account.user)
    return tokens
  }

  /** The operations that open a session, for a plan that also makes the account. */
  plan(
    owner: { readonly user: string; readonly deactivated: boolean; readonly locked: boolean },
    wanted: NewSession,
  ): { readonly tokens: Tokens; readonly ops: readonly AccountOp[] } {
    const deviceId = wanted.deviceId || newDeviceId(this.#world.rng)
    const granted = this.#granter.grant(owner, { deviceId, refreshable: wanted.refreshable ?? false })
    const device: AccountOp = {
      op: 'device.put',
      user: owner.user,
      device: deviceId,
      displayName: wanted.displayName ?? null,
      ts: this.#world.clock.now(),
      most: DEVICES_PER_USER_MAX,
    }
    return { tokens: granted.tokens, ops: [device, ...granted.ops] }
  }

  /**
   * Exchanges a refresh token. Requests with the same one at the same time get the same answer; a later one, because
   * the answer was lost, gets new tokens and the lost ones end. Throws M_UNKNOWN_TOKEN, M_USER_LOCKED.
   */
  refresh(refreshToken: string): Promise<Tokens> {
    const digest = digestOf(refreshToken)
    return this.#refreshing.run(digest, () => this.#refresh(refreshToken, digest))
  }

  async #refresh(refreshToken: string, digest: string): Promise<Tokens> {
    const row = await this.#store.accounts.token(digest)
    if (row?.kind !== 'refresh' || row.deactivated) throw unknownToken()
    if (row.expiresTs !== null && this.#world.clock.now() >= row.expiresTs) throw expiredToken()
    const { ops, tokens } = this.#granter.grant(row, {
      deviceId: row.device,
      refreshable: true,
      exchanged: digest,
      sessionEndsTs: sessionEndOf(refreshToken),
    })
    const { user, device } = row
    const result = await this.#store.commit({
      lane: user,
      ops: [
        { op: 'token.exchanged', digest },
        { op: 'token.clear', user, device, keep: keptAtRefresh(row, digest) },
        ...ops,
      ],
    })
    if (!result.ok) throw unknownToken()
    this.#forgetUser(user)
    return tokens
  }

  /** Ends the session of a device: the device goes with it. */
  async logout(session: { readonly userId: string; readonly deviceId: string }): Promise<void> {
    await this.end(session.userId, { devices: [session.deviceId] })
  }

  /** Ends all sessions of a user. */
  async logoutAll(userId: string): Promise<void> {
    await this.end(userId, {})
  }

  /** Deletes devices with their tokens: some, all, or all but `keep`. */
  async end(
    userId: string,
    which: { readonly devices?: readonly string[]; readonly keep?: string },
  ): Promise<void> {
    await this.#users.run(userId, async () => {
      await this.#store.commit({ lane: userId, ops: [{ op: 'device.delete', user: userId, ...which }] })
      this.#forgetUser(userId)
    })
  }

  /** To be called after a commit that changed flags, devices or tokens of a user in another way. */
  forgetUser(userId: string): void {
    this.#forgetUser(userId)
  }

  /** Last uses by device, of sessions used since they were last read from the store, and of those not yet written. */
  lastSeen(userId: string): ReadonlyMap<string, Seen> {
    const all = this.#cache.lastSeen(userId)
    for (const [device, seen] of this.#lastSeen?.of(userId) ?? []) {
      if (seen.ts > (all.get(device)?.ts ?? 0)) all.set(device, seen)
    }
    return all
  }
}

/** What stays of a device's tokens: the exchanged refresh token and the access token it came with, until the new
 * ones are used. Answers of an earlier exchange that was lost go. */
function keptAtRefresh(row: TokenRow, digest: string): string[] {
  return row.pair === null ? [digest] : [digest, row.pair]
}

function unknownToken(): MatrixError<'M_UNKNOWN_TOKEN'> {
  return new MatrixError('M_UNKNOWN_TOKEN', 'This token is not known. Please log in.', { soft_logout: false })
}

function expiredToken(): MatrixError<'M_UNKNOWN_TOKEN'> {
  return new MatrixError('M_UNKNOWN_TOKEN', 'This token has expired.', { soft_logout: true })
}
