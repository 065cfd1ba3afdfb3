/** Keeps secrets out of logs: by the names of fields and by the shapes of tokens in texts. */

/** Written in place of a secret. */
export const REDACTED = '<redacted>'

/** Fields whose values never appear, whatever they are. Compared in lower case without `_` and `-`. */
const SECRET_NAMES: ReadonlySet<string> = new Set([
  'accesstoken',
  'astoken',
  'auth',
  'authorization',
  'body',
  'clientsecret',
  'content',
  'cookie',
  'form',
  'hstoken',
  'key',
  'logintoken',
  'mac',
  'macaroonsecretkey',
  'newpassword',
  'nonce',
  'passphrase',
  'password',
  'pepper',
  'privatekey',
  'refreshtoken',
  'registrationsharedsecret',
  'secret',
  'setcookie',
  'sharedsecret',
  'signingkey',
  'token',
])

/** Depth and breadth of what one log line may hold; the rest is cut, so that a line stays a line. */
const DEPTH_MAX = 4
const ENTRIES_MAX = 50
const TEXT_CHARS_MAX = 16_384

/** True for a field whose value must not be written. */
export function isSecretName(name: string): boolean {
  return SECRET_NAMES.has(name.toLowerCase().replaceAll('_', '').replaceAll('-', ''))
}

/** Each is followed by the secret itself, which ends at the first character that no token has. */
const BEFORE_SECRET =
  /((?:access_token|login_token|loginToken|token|password)=|bearer |syt_|mas_)[^&\s"'<>,;]*/gi

/**
 * Takes tokens out of a text: `access_token=...` in URLs, `Bearer ...` in headers, tokens with a known start.
 */
export function redactText(text: string): string {
  const short = text.length > TEXT_CHARS_MAX ? `${text.slice(0, TEXT_CHARS_MAX)} <cut>` : text
  return short.replace(BEFORE_SECRET, `$1${REDACTED}`)
}

/** A copy of a log field without secrets. Errors become their type, message, code and stack. */
export function redactValue(value: unknown, depth = 0): unknown {
  switch (typeof value) {
    case 'string':
      return redactText(value)
    case 'number':
    case 'boolean':
    case 'undefined':
      return value
    case 'object':
      break
    default:
      return String(value)
  }
  if (value === null) return null
  if (value instanceof Error) return redactError(value, depth)
  if (depth >= DEPTH_MAX) return '<deep>'
  if (ArrayBuffer.isView(value)) return `<${value.byteLength} bytes>`
  if (Array.isArray(value)) return value.slice(0, ENTRIES_MAX).map((item) => redactValue(item, depth + 1))
  const out: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(value).slice(0, ENTRIES_MAX)) {
    const safe = isSecretName(name) ? REDACTED : redactValue(field, depth + 1)
    if (name !== '__proto__') out[name] = safe
  }
  return out
}

function redactError(error: Error, depth: number): Record<string, unknown> {
  const { code } = error as { code?: unknown }
  const out: Record<string, unknown> = { type: error.name, message: redactText(error.message) }
  if (typeof code === 'string' || typeof code === 'number') out['code'] = code
  if (error.stack !== undefined) out['stack'] = redactText(error.stack)
  if (error.cause !== undefined && depth < DEPTH_MAX) out['cause'] = redactValue(error.cause, depth + 1)
  return out
}
