/** Profiles: displayname, avatar_url and custom fields. https://spec.matrix.org/v1.16/client-server-api/#profiles */
import { KeyedLock } from '#/base/async/keyed-lock.ts'
import type { Clock } from '#/base/world.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import { serverOf, type UserId } from '#/protocol/ids/user-id.ts'
import { type JsonObject, type JsonValue, member, setMember } from '#/protocol/json/value.ts'
import {
  AVATAR_URL_CHARS_MAX,
  DISPLAYNAME_CHARS_MAX,
  PROFILE_BYTES_MAX,
  PROFILE_KEY_BYTES_MAX,
} from './limits.ts'
import type { AccountHooks, ProfileChange, ProfileOptions } from './options.ts'

/** Fields that go into member events. */
const MEMBER_FIELDS = ['displayname', 'avatar_url'] as const

type MemberField = (typeof MEMBER_FIELDS)[number]

/**
 * Which member events a change of a profile goes into: all, those that said the same as the profile, or none.
 * https://github.com/matrix-org/matrix-spec-proposals/pull/4466
 */
export type PropagateTo = 'all' | 'unchanged' | 'none'

export interface SetOptions {
  readonly byAdmin?: boolean
  readonly propagateTo?: PropagateTo
}

export class ProfileService {
  readonly #store: Store
  readonly #clock: Clock
  readonly #serverName: ServerName
  readonly #options: ProfileOptions
  readonly #hooks: AccountHooks
  readonly #lock = new KeyedLock()

  constructor(deps: {
    store: Store
    clock: Clock
    serverName: ServerName
    options: ProfileOptions
    hooks: AccountHooks
  }) {
    this.#store = deps.store
    this.#clock = deps.clock
    this.#serverName = deps.serverName
    this.#options = deps.options
    this.#hooks = deps.hooks
  }

  /**
   * Whether somebody, or anybody without a name, may read a profile.
   * Throws M_MISSING_TOKEN and M_FORBIDDEN as the options say.
   */
  async refuseStranger(reader: UserId | undefined, userId: UserId): Promise<void> {
    const { requireAuth, sharedRoomsOnly } = this.#options
    if (!requireAuth && !sharedRoomsOnly) return
    if (reader === undefined) {
      throw new MatrixError('M_MISSING_TOKEN', 'Profiles are shown only to users of this server.')
    }
    if (!sharedRoomsOnly || reader === userId) return
    if (!(await this.#store.people.shareRoom(reader, userId))) {
      throw new MatrixError('M_FORBIDDEN', 'You share no room with this user.')
    }
  }

  /** All fields of a user of this server. Throws M_NOT_FOUND for others, and for deactivated accounts. */
  async all(userId: UserId): Promise<JsonObject> {
    if (serverOf(userId) !== this.#serverName) {
      throw new MatrixError('M_NOT_FOUND', 'Profiles of other servers are not available yet.')
    }
    const account = await this.#store.accounts.byUser(userId)
    if (!account || account.deactivated) throw new MatrixError('M_NOT_FOUND', 'There is no such user.')
    return this.#fields(userId)
  }

  /**
   * One field as `{key: value}`. Without a value: `{}` for the two fields of old, which clients expect, else
   * M_NOT_FOUND; the specification allows both.
   */
  async one(userId: UserId, key: string): Promise<JsonObject> {
    checkKey(key)
    const value = member(await this.all(userId), key)
    if (value !== undefined) return { [key]: value }
    if (isMemberField(key)) return {}
    throw new MatrixError('M_NOT_FOUND', 'The profile has no such field.')
  }

  /** What member events say of a user: displayname and avatar_url, where set. */
  async members(userId: UserId): Promise<JsonObject> {
    const fields = await this.#fields(userId)
    const out: Record<string, JsonValue> = {}
    for (const key of MEMBER_FIELDS) {
      const value = member(fields, key)
      if (typeof value === 'string' && value !== '') out[key] = value
    }
    return out
  }

  /**
   * Sets or, with undefined, removes a field; `byAdmin` is not held by the options. `propagateTo` says which member
   * events of the user follow.
   * Throws M_FORBIDDEN, M_INVALID_PARAM, M_KEY_TOO_LARGE, M_PROFILE_TOO_LARGE.
   */
  async set(
    userId: UserId,
    key: string,
    value: JsonValue | undefined,
    { byAdmin = false, propagateTo = 'all' }: SetOptions = {},
  ): Promise<void> {
    checkKey(key)
    if (value !== undefined) checkValue(key, value)
    /* An empty string takes these two away, as in Synapse: no member event carries it. */
    const wanted = isMemberField(key) && value === '' ? undefined : value
    const changed = await this.#lock.run(userId, async () => {
      const before = await this.#fields(userId)
      if (JSON.stringify(member(before, key)) === JSON.stringify(wanted)) return false
      if (!byAdmin) this.#refuseFixed(before, key)
      await this.#put(userId, key, before, wanted, propagateTo)
      return true
    })
    if (changed && isMemberField(key)) this.#hooks.onProfileChanged?.(userId)
  }

  async #put(
    userId: UserId,
    key: string,
    before: JsonObject,
    value: JsonValue | undefined,
    propagateTo: PropagateTo,
  ): Promise<void> {
    const after: Record<string, JsonValue> = {}
    for (const [name, old] of Object.entries(before)) if (name !== key) setMember(after, name, old)
    if (value !== undefined) setMember(after, key, value)
    const fields = JSON.stringify(after)
    if (value !== undefined && Buffer.byteLength(fields) >= PROFILE_BYTES_MAX) {
      throw new MatrixError('M_PROFILE_TOO_LARGE', `A profile must be under ${PROFILE_BYTES_MAX} bytes.`)
    }
    const now = this.#clock.now()
    const change = isMemberField(key) ? changeOf(key, before, propagateTo) : undefined
    const more = change ? (this.#hooks.profileOps?.(userId, now, change) ?? []) : []
    const result = await this.#store.commit({
      lane: userId,
      ops: [{ op: 'profile.put', user: userId, fields }, ...more],
    })
    if (!result.ok) throw new Error(`a change of a profile met the conflict ${result.conflict}`)
  }

  /** `enable_set_displayname: false` lets a name be set once and not changed; the same for the avatar. */
  #refuseFixed(before: JsonObject, key: string): void {
    const free =
      (key !== 'displayname' || this.#options.setDisplayname) &&
      (key !== 'avatar_url' || this.#options.setAvatarUrl)
    if (!free && member(before, key) !== undefined) {
      throw new MatrixError('M_FORBIDDEN', `Changing the ${key} is disabled on this server.`)
    }
  }

  async #fields(userId: UserId): Promise<JsonObject> {
    const row = await this.#store.accounts.profile(userId)
    return row ? (JSON.parse(row.fields) as JsonObject) : {}
  }
}

/** What member events hear of a change; undefined for nothing. */
function changeOf(
  field: MemberField,
  before: JsonObject,
  propagateTo: PropagateTo,
): ProfileChange | undefined {
  if (propagateTo === 'none') return undefined
  if (propagateTo === 'all') return { field }
  const value = member(before, field)
  return { field, before: typeof value === 'string' ? value : null }
}

/** Whether a field of the profile stands in the member events of the user's rooms too. */
export function isMemberField(key: string): key is MemberField {
  return key === 'displayname' || key === 'avatar_url'
}

/** https://spec.matrix.org/v1.16/appendices/#common-namespaced-identifier-grammar */
function checkKey(key: string): void {
  if (Buffer.byteLength(key) > PROFILE_KEY_BYTES_MAX) {
    throw new MatrixError('M_KEY_TOO_LARGE', `A profile key has at most ${PROFILE_KEY_BYTES_MAX} bytes.`)
  }
  if (!/^[a-z][a-z0-9_.-]*$/.test(key)) {
    throw new MatrixError('M_INVALID_PARAM', 'A profile key has the characters a-z, 0-9, _, - and . only.')
  }
}

function checkValue(key: string, value: JsonValue): void {
  /* Names of time zones change, so that any text is taken. */
  if (key === 'm.tz' && typeof value !== 'string') {
    throw new MatrixError('M_INVALID_PARAM', 'A time zone is a string.')
  }
  if (!isMemberField(key)) return
  if (typeof value !== 'string') throw new MatrixError('M_INVALID_PARAM', `The ${key} must be a string.`)
  const most = key === 'displayname' ? DISPLAYNAME_CHARS_MAX : AVATAR_URL_CHARS_MAX
  if ([...value].length > most) {
    throw new MatrixError('M_INVALID_PARAM', `The ${key} has at most ${most} characters.`)
  }
}
