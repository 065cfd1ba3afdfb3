/** argon2id hashes in PHC notation: `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<tag>`. */
import { argon2, argon2Sync, timingSafeEqual } from 'node:crypto'
import {
  ARGON2_FIELD_BYTES_MAX,
  ARGON2_LANES_MAX,
  ARGON2_MEMORY_KIB_MAX,
  ARGON2_PASSES_MAX,
} from './password-limits.ts'

export interface Argon2Cost {
  readonly memoryKib: number
  readonly passes: number
  readonly lanes: number
}

interface Argon2Hash extends Argon2Cost {
  readonly salt: Buffer
  readonly tag: Buffer
}

/** The notation's base64 has no padding. */
const base64 = (bytes: Buffer): string => bytes.toString('base64').replaceAll('=', '')

const PREFIX = '$argon2id$v=19$'

/** Reads the notation; undefined for another one, and for costs beyond our limits. */
export function parseArgon2(text: string): Argon2Hash | undefined {
  if (!text.startsWith(PREFIX)) return undefined
  const [cost = '', salt = '', tag = '', ...rest] = text.slice(PREFIX.length).split('$')
  const match = /^m=([0-9]{1,9}),t=([0-9]{1,9}),p=([0-9]{1,9})$/.exec(cost)
  if (!match || rest.length > 0) return undefined
  const [memoryKib, passes, lanes] = match.slice(1).map(Number) as [number, number, number]
  if (memoryKib > ARGON2_MEMORY_KIB_MAX || passes > ARGON2_PASSES_MAX || lanes > ARGON2_LANES_MAX) {
    return undefined
  }
  if (passes < 1 || lanes < 1 || memoryKib < 8 * lanes) return undefined
  const hash = {
    memoryKib,
    passes,
    lanes,
    salt: Buffer.from(salt, 'base64'),
    tag: Buffer.from(tag, 'base64'),
  }
  const fits = (bytes: Buffer, least: number) =>
    bytes.length >= least && bytes.length <= ARGON2_FIELD_BYTES_MAX
  return fits(hash.salt, 8) && fits(hash.tag, 16) ? hash : undefined
}

function parameters(message: Buffer, salt: Buffer, tagLength: number, cost: Argon2Cost) {
  return {
    message,
    nonce: salt,
    tagLength,
    memory: cost.memoryKib,
    passes: cost.passes,
    parallelism: cost.lanes,
  }
}

/** `inline` computes on the calling thread, for the simulator; else libuv's pool does. */
function derive(message: Buffer, salt: Buffer, bytes: number, cost: Argon2Cost, inline: boolean) {
  const given = parameters(message, salt, bytes, cost)
  if (inline) return Promise.resolve(argon2Sync('argon2id', given))
  return new Promise<Buffer>((resolve, reject) => {
    argon2('argon2id', given, (error, tag) => (error ? reject(error) : resolve(tag)))
  })
}

/** A new hash. */
export async function hashArgon2(
  message: Buffer,
  salt: Buffer,
  tagBytes: number,
  cost: Argon2Cost,
  inline: boolean,
): Promise<string> {
  const tag = await derive(message, salt, tagBytes, cost, inline)
  const { memoryKib, passes, lanes } = cost
  return `${PREFIX}m=${memoryKib},t=${passes},p=${lanes}$${base64(salt)}$${base64(tag)}`
}

/** Whether `message` is behind `hash`, in constant time. */
export async function verifyArgon2(message: Buffer, hash: Argon2Hash, inline: boolean): Promise<boolean> {
  const tag = await derive(message, hash.salt, hash.tag.length, hash, inline)
  return timingSafeEqual(tag, hash.tag)
}
