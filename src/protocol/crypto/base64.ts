/** Unpadded Base64: loose on input, strict on output. https://spec.matrix.org/v1.16/appendices/#unpadded-base64 */

/** Standard alphabet, no padding. */
export function encodeBase64(bytes: Uint8Array): string {
  const text = asBuffer(bytes).toString('base64')
  return text.endsWith('==') ? text.slice(0, -2) : text.endsWith('=') ? text.slice(0, -1) : text
}

/** URL-safe alphabet, no padding. */
export function encodeBase64Url(bytes: Uint8Array): string {
  return asBuffer(bytes).toString('base64url')
}

/**
 * Decodes either alphabet, with correct padding or none, or returns undefined. Bits beyond the last byte are not
 * looked at: the specification wants input accepted wherever possible. Linear.
 */
export function decodeBase64(text: string): Buffer | undefined {
  let end = text.length
  let padding = 0
  while (padding < 2 && end > 0 && text.charCodeAt(end - 1) === 0x3d) {
    end--
    padding++
  }
  if (end % 4 === 1 || (padding > 0 && text.length % 4 !== 0)) return undefined
  for (let i = 0; i < end; i++) if (!isBase64Char(text.charCodeAt(i))) return undefined
  return Buffer.from(text.slice(0, end), 'base64')
}

/** Whether two texts are Base64 of the same bytes. */
export function sameBase64(a: string, b: string): boolean {
  if (a === b) return decodeBase64(a) !== undefined
  const x = decodeBase64(a)
  const y = decodeBase64(b)
  return x !== undefined && y?.equals(x) === true
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function isBase64Char(c: number): boolean {
  if (c >= 0x61 && c <= 0x7a) return true
  if (c >= 0x41 && c <= 0x5a) return true
  if (c >= 0x30 && c <= 0x39) return true
  return c === 0x2b || c === 0x2f || c === 0x2d || c === 0x5f
}
