/** Agreement to the operator's policy: `user_consent`. https://element-hq.github.io/synapse/latest/consent_tracking.html */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { Lru } from '#/base/lru.ts'
import { renderTemplate, type TemplateValues } from '#/base/template.ts'
import type { Clock } from '#/base/world.ts'
import type { Store } from '#/ports/store/store.ts'
import type { UsageOp } from '#/ports/store/usage.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import { localpartOf, parseUserId, serverOf, type UserId } from '#/protocol/ids/user-id.ts'
import { isArray, isObject, type JsonObject, type JsonValue } from '#/protocol/json/value.ts'
import { CONSENTS_KNOWN_MAX } from './limits.ts'
import type { ConsentOptions } from './options.ts'

/** Whom a link to the policy speaks of: a user id or a localpart, and its HMAC. */
export interface ConsentLink {
  readonly user: string
  readonly mac: string
}

export class Consent {
  readonly #store: Store
  readonly #clock: Clock
  readonly #serverName: ServerName
  readonly options: ConsentOptions
  /** Users who are known to have agreed to the present version. */
  readonly #agreed = new Lru<string, true>(CONSENTS_KNOWN_MAX)

  constructor(deps: { store: Store; clock: Clock; serverName: ServerName; options: ConsentOptions }) {
    this.#store = deps.store
    this.#clock = deps.clock
    this.#serverName = deps.serverName
    this.options = deps.options
  }

  /** Parameters of the stage `m.login.terms`. https://spec.matrix.org/v1.16/client-server-api/#terms-of-service-at-registration */
  get terms(): JsonObject {
    const { version, policyName } = this.options
    const en = { name: policyName, url: this.#page({ v: version }) }
    return { policies: { privacy_policy: { version, en } } }
  }

  /** The operation that notes an agreement to the present version. */
  op(userId: string): UsageOp {
    return { op: 'consent.put', user: userId, version: this.options.version, ts: this.#clock.now() }
  }

  /** Where a user can agree. */
  uriFor(userId: UserId): string {
    const user = localpartOf(userId)
    return this.#page({ u: user, h: this.#macOf(user).toString('hex') })
  }

  /** Whether a user has agreed to the present version. */
  async agreed(userId: string): Promise<boolean> {
    if (this.#agreed.get(userId)) return true
    const row = await this.#store.usage.consent(userId)
    if (row?.version !== this.options.version) return false
    this.#agreed.set(userId, true)
    return true
  }

  /** Throws M_CONSENT_NOT_GIVEN for who has not agreed, where `block_events_error` is set. */
  async require(userId: UserId): Promise<void> {
    const { blockEventsError } = this.options
    if (blockEventsError === undefined || (await this.agreed(userId))) return
    const uri = this.uriFor(userId)
    throw new MatrixError('M_CONSENT_NOT_GIVEN', withUri(blockEventsError, uri), { consent_uri: uri })
  }

  /**
   * The page of a version, for anybody or for whom a link speaks of.
   * Throws M_FORBIDDEN for a link that is not ours, M_NOT_FOUND for an unknown version or user.
   */
  async page(version: string | undefined, link: ConsentLink | undefined): Promise<string> {
    const shown = version ?? this.options.version
    const document = this.options.documents.get(shown)
    if (link === undefined) return this.#render(document, { version: shown, public_version: true })
    const userId = await this.#userOf(link)
    const row = await this.#store.usage.consent(userId)
    return this.#render(document, {
      version: shown,
      user: link.user,
      userhmac: link.mac,
      has_consented: row?.version === shown,
      public_version: false,
    })
  }

  /** Notes that the user of a link agrees to a version. Throws as `page`. */
  async accept(version: string, link: ConsentLink): Promise<void> {
    const userId = await this.#userOf(link)
    if (!this.options.documents.has(version)) throw unknownVersion()
    const op: UsageOp = { op: 'consent.put', user: userId, version, ts: this.#clock.now() }
    const result = await this.#store.commit({ lane: userId, ops: [op] })
    if (!result.ok) throw new Error(`an agreement met the conflict ${result.conflict}`)
    this.#agreed.delete(userId)
  }

  /** The notice that asks a user to agree. */
  noticeFor(userId: UserId): JsonObject | undefined {
    const { notice } = this.options
    return notice && (filled(notice, this.uriFor(userId)) as JsonObject)
  }

  async #userOf({ user, mac }: ConsentLink): Promise<UserId> {
    const wanted = this.#macOf(user)
    const got = Buffer.from(mac, 'hex')
    if (got.length !== wanted.length || !timingSafeEqual(got, wanted)) {
      throw new MatrixError('M_FORBIDDEN', 'This link is not one of this server.')
    }
    const userId = parseUserId(user.startsWith('@') ? user : `@${user}:${this.#serverName}`)
    const ours = userId !== undefined && serverOf(userId) === this.#serverName
    const account = ours ? await this.#store.accounts.byUser(userId) : undefined
    if (!account || account.deactivated) throw new MatrixError('M_NOT_FOUND', 'There is no such user.')
    return account.user as UserId
  }

  #render(document: Parameters<typeof renderTemplate>[0] | undefined, values: TemplateValues): string {
    if (document === undefined) throw unknownVersion()
    return renderTemplate(document, values)
  }

  #macOf(user: string): Buffer {
    return createHmac('sha256', this.options.secret).update(user).digest()
  }

  #page(params: Record<string, string>): string {
    return `${this.options.publicBaseurl}_matrix/consent?${new URLSearchParams(params)}`
  }
}

function unknownVersion(): MatrixError<'M_NOT_FOUND'> {
  return new MatrixError('M_NOT_FOUND', 'There is no such version of the policy.')
}

/** Puts the link in, as Python's `%` does for this one name. */
function withUri(text: string, uri: string): string {
  return text.replaceAll('%(consent_uri)s', () => uri).replaceAll('%%', '%')
}

function filled(value: JsonValue, uri: string): JsonValue {
  if (typeof value === 'string') return withUri(value, uri)
  if (isArray(value)) return value.map((each) => filled(each, uri))
  if (!isObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, filled(each, uri)]))
}
