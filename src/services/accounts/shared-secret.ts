/** Registration by whoever knows the shared secret, as Synapse's `/_synapse/admin/v1/register`. */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { Lru } from '#/base/lru.ts'
import type { World } from '#/base/world.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { NONCE_BYTES, NONCE_MS, NONCES_MAX } from './limits.ts'
import type { Registered, RegistrationService } from './registration.ts'
import type { NewSession } from './sessions.ts'

export interface SharedSecretRequest {
  readonly nonce: string
  readonly username: string
  readonly password: string
  readonly admin: boolean
  /** Part of the MAC; no kind of user is known here. */
  readonly userType?: string | undefined
  /** HMAC-SHA1 in hex over nonce, name, password and `admin` or `notadmin`, with NUL between them. */
  readonly mac: string
  readonly displayname?: string | undefined
  readonly session: NewSession | undefined
}

export class SharedSecretRegistration {
  readonly #registration: RegistrationService
  readonly #world: World
  readonly #secret: string | undefined
  /** Milliseconds of the monotonic clock when each was given out. */
  readonly #nonces = new Lru<string, number>(NONCES_MAX)

  constructor(deps: { registration: RegistrationService; world: World; secret: string | undefined }) {
    this.#registration = deps.registration
    this.#world = deps.world
    this.#secret = deps.secret || undefined
  }

  /** A nonce that works once, for a minute. */
  nonce(): string {
    const nonce = this.#world.rng.bytes(NONCE_BYTES).toString('hex')
    this.#nonces.set(nonce, this.#world.clock.monotonic())
    return nonce
  }

  /** Makes an account. Throws M_UNKNOWN where it is turned off or the nonce is not good, M_FORBIDDEN for a wrong MAC. */
  async register(request: SharedSecretRequest): Promise<Registered> {
    if (this.#secret === undefined) {
      throw new MatrixError('M_UNKNOWN', 'Shared secret registration is not enabled.')
    }
    this.#useNonce(request.nonce)
    const { username, password, admin, displayname, session } = request
    if (username.includes('\0') || password.includes('\0')) {
      throw new MatrixError('M_INVALID_PARAM', 'Neither name nor password may hold a NUL.')
    }
    if (!sameMac(macOf(this.#secret, request), request.mac)) {
      throw new MatrixError('M_FORBIDDEN', 'HMAC incorrect.')
    }
    if (request.userType !== undefined) throw new MatrixError('M_UNKNOWN', 'Invalid user type.')
    return this.#registration.register({ username, password, admin, displayname, session })
  }

  /** Used up by any attempt, a wrong one too. */
  #useNonce(nonce: string): void {
    const given = this.#nonces.peek(nonce)
    this.#nonces.delete(nonce)
    if (given === undefined || this.#world.clock.monotonic() - given > NONCE_MS) {
      throw new MatrixError('M_UNKNOWN', 'Unrecognised nonce.')
    }
  }
}

function macOf(secret: string, request: SharedSecretRequest): Buffer {
  const { nonce, username, password, admin, userType } = request
  const parts = [nonce, username, password, admin ? 'admin' : 'notadmin', ...(userType ? [userType] : [])]
  return createHmac('sha1', secret).update(parts.join('\0')).digest()
}

function sameMac(wanted: Buffer, got: string): boolean {
  const bytes = Buffer.from(got, 'hex')
  return bytes.length === wanted.length && timingSafeEqual(bytes, wanted)
}
