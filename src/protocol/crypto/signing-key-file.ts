/** The signing key file of Synapse: one key per line, `ed25519 <version> <seed in unpadded Base64>`. */
import { type Result, refuse } from '../errors.ts'
import { isPublishedKey } from './bad-keys.ts'
import { decodeBase64, encodeBase64 } from './base64.ts'
import { type SigningKey, signingKeyFromSeed } from './ed25519.ts'

/**
 * Reads all keys of a file; the first one signs. Blank lines and lines that start with `#` are left out.
 * @returns rules `signing_key_file.format` and, for a key that others hold too (adv-26), `signing_key_file.published`,
 *   with the line number; the seed never appears in the message
 */
export function parseSigningKeys(text: string): Result<readonly [SigningKey, ...SigningKey[]]> {
  const keys: SigningKey[] = []
  for (const [index, line] of text.split('\n').entries()) {
    const words = line.split(/\s/).filter((word) => word !== '')
    if (words.length === 0 || words[0]!.startsWith('#')) continue
    const key = keyOf(words)
    if (key === undefined) {
      return refuse('signing_key_file.format', `line ${index + 1} is not "ed25519 <version> <seed>"`)
    }
    if (isPublishedKey(key.verifyKey.base64)) {
      return refuse(
        'signing_key_file.published',
        `the private key of line ${index + 1} is public; make a new one`,
      )
    }
    keys.push(key)
  }
  const [first, ...rest] = keys
  if (first === undefined) return refuse('signing_key_file.format', 'there is no key')
  return { ok: true, value: [first, ...rest] }
}

/** One line of the file, with its line feed. */
export function encodeSigningKey(key: SigningKey): string {
  return `ed25519 ${key.keyId.slice('ed25519:'.length)} ${encodeBase64(key.seed)}\n`
}

function keyOf(words: readonly string[]): SigningKey | undefined {
  const [algorithm, version, base64] = words
  if (words.length !== 3 || algorithm !== 'ed25519') return undefined
  const seed = decodeBase64(base64!)
  if (seed?.length !== 32) return undefined
  try {
    return signingKeyFromSeed(version!, seed)
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}
