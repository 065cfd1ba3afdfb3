import type { Rng } from '#/base/world.ts'

const SEED_BYTES = 32
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/**
 * A new signing key as Synapse writes it: one line with the algorithm, a version `a_` and four letters, and the
 * unpadded base64 of the Ed25519 seed.
 */
export function generateSigningKey(rng: Rng): string {
  const version = Array.from({ length: 4 }, () => LETTERS[rng.below(LETTERS.length)]).join('')
  const seed = rng.bytes(SEED_BYTES).toString('base64').replace(/=+$/, '')
  return `ed25519 a_${version} ${seed}\n`
}
