/**
 * Password hashes: argon2id for new ones, bcrypt as Synapse made it for those that were brought along. Both run on
 * libuv's pool behind a bounded queue, never on the event loop.
 */
import type { Rng } from '#/base/world.ts'
import type { Passwords } from '#/ports/passwords.ts'
import { type Argon2Cost, hashArgon2, parseArgon2, verifyArgon2 } from './password-argon2.ts'
import {
  ARGON2_LANES,
  ARGON2_MEMORY_KIB,
  ARGON2_PASSES,
  ARGON2_SALT_BYTES,
  ARGON2_TAG_BYTES,
  BCRYPT_BYTES_MAX,
  BCRYPT_ROUNDS_MAX,
  HASHES_AT_ONCE,
  HASHES_WAITING_MAX,
} from './password-limits.ts'
import { BoundedQueue } from './password-queue.ts'

export interface PasswordsOptions {
  readonly rng: Rng
  /** `password_config.pepper`: follows every password before it is hashed. */
  readonly pepper: string
  /** Cost of new hashes; for tests and the simulator. */
  readonly cost?: Argon2Cost
  /** Computes on the calling thread, so that a simulation stays in order. */
  readonly inline?: boolean
  readonly atOnce?: number
  readonly waitingMax?: number
}

export const ARGON2_COST: Argon2Cost = {
  memoryKib: ARGON2_MEMORY_KIB,
  passes: ARGON2_PASSES,
  lanes: ARGON2_LANES,
}

/** Costs next to nothing: for tests and the simulator. */
export const ARGON2_COST_TESTS: Argon2Cost = { memoryKib: 8, passes: 1, lanes: 1 }

export function createPasswords(options: PasswordsOptions): Passwords {
  return new PasswordHasher(options)
}

class PasswordHasher implements Passwords {
  readonly #rng: Rng
  readonly #pepper: Buffer
  readonly #cost: Argon2Cost
  readonly #inline: boolean
  readonly #queue: BoundedQueue
  /** What nothing matches: a salt and a tag of zeros, at the cost of new hashes. */
  readonly #nobody: NonNullable<ReturnType<typeof parseArgon2>>

  constructor(options: PasswordsOptions) {
    this.#rng = options.rng
    this.#pepper = Buffer.from(options.pepper)
    this.#cost = options.cost ?? ARGON2_COST
    this.#inline = options.inline ?? false
    this.#queue = new BoundedQueue(options.atOnce ?? HASHES_AT_ONCE, options.waitingMax ?? HASHES_WAITING_MAX)
    const salt = Buffer.alloc(ARGON2_SALT_BYTES)
    this.#nobody = { ...this.#cost, salt, tag: Buffer.alloc(ARGON2_TAG_BYTES) }
  }

  hash(password: string): Promise<string> {
    const salt = Buffer.from(this.#rng.bytes(ARGON2_SALT_BYTES))
    return this.#queue.run(() =>
      hashArgon2(this.#peppered(password), salt, ARGON2_TAG_BYTES, this.#cost, this.#inline),
    )
  }

  verify(password: string, hash: string | null | undefined): Promise<boolean> {
    return this.#queue.run(async () => {
      const message = this.#peppered(password)
      if (hash && isBcrypt(hash)) return verifyBcrypt(message, hash, this.#inline)
      const known = hash ? parseArgon2(hash) : undefined
      const matches = await verifyArgon2(message, known ?? this.#nobody, this.#inline)
      return known !== undefined && matches
    })
  }

  outdated(hash: string): boolean {
    const known = parseArgon2(hash)
    if (!known) return true
    const { memoryKib, passes, lanes } = this.#cost
    return known.memoryKib !== memoryKib || known.passes !== passes || known.lanes !== lanes
  }

  /** As Synapse: NFKC, so that one key of any keyboard gives one password, then UTF-8, then the pepper. */
  #peppered(password: string): Buffer {
    return Buffer.concat([Buffer.from(password.normalize('NFKC')), this.#pepper])
  }
}

function isBcrypt(hash: string): boolean {
  const match = /^\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}$/.exec(hash)
  return match !== null && Number(match[1]) <= BCRYPT_ROUNDS_MAX
}

async function verifyBcrypt(message: Buffer, hash: string, inline: boolean): Promise<boolean> {
  /* Loaded at the first such hash: most servers never meet one. */
  const { default: bcrypt } = await import('bcrypt')
  const cut = message.subarray(0, BCRYPT_BYTES_MAX)
  /* `2y` is `2b` under another name, which the library does not know. */
  const known = hash.replace(/^\$2y\$/, '$2b$')
  return inline ? bcrypt.compareSync(cut, known) : bcrypt.compare(cut, known)
}
