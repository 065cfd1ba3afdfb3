/** Keys that prove nothing: public keys that any signature fits, and keys whose private half is public. */

/**
 * The seven y coordinates of the eight points whose order divides the cofactor, the sign bit cleared, little-endian;
 * two of them are zero and one written beyond the modulus. For these keys there are signatures that fit any text.
 * https://www.rfc-editor.org/rfc/rfc8032#section-5.1
 */
const SMALL_ORDER = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
])

/** Public keys, in unpadded standard Base64, whose private half anybody can look up. A closed list. */
const PUBLISHED: ReadonlySet<string> = new Set([
  // CVE-2026-24044: Element Server Suite drew its key from a generator with the fixed seed 0.
  'l/O9hxMVKB6Lg+3Hqf0FQQZhVESQcMzbPN1Cz2nM3og',
  // The test vectors of the specification's appendices.
  'XGX0JRS2Af3be3knz2fBiRbApjm2Dh61gXDJA8kcJNI',
  // The seed of 32 zero bytes.
  'O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik',
])

/** Whether a raw public key of 32 bytes is a point of small order. Synapse's library refuses these too. */
export function hasSmallOrder(raw: Uint8Array): boolean {
  const y = Buffer.from(raw)
  y.writeUInt8(y.readUInt8(31) & 0x7f, 31)
  return SMALL_ORDER.has(y.toString('hex'))
}

/**
 * Whether a server's key is one that others hold too. Asked of our own keys and of those of other servers; not in the
 * authorisation rules, on whose answers all servers must agree.
 * @param base64 unpadded standard Base64
 */
export function isPublishedKey(base64: string): boolean {
  return PUBLISHED.has(base64)
}
