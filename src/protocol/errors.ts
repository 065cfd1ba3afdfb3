/**
 * The three kinds of failure. Expected outcomes in the core are a returned `Verdict`; refusals to a caller are a
 * thrown `MatrixError`; bugs are ordinary errors.
 */

/** An expected outcome. `rule` is stable and greppable, for example `auth.v11.4.3.2` or `format.prev_events`. */
export type Verdict =
  | { readonly ok: true }
  | { readonly ok: false; readonly rule: string; readonly why: string }

/** A value, or the rule that forbids it. */
export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly rule: string; readonly why: string }

/** A finished answer, or the ids of events that must be loaded before asking again. */
export type Ask<T, Id = string> = { readonly done: T } | { readonly need: readonly Id[] }

export const ALLOW: Verdict = { ok: true }

/** A refusal with the rule that was broken and a sentence for the log. */
export function refuse(
  rule: string,
  why: string,
): { readonly ok: false; readonly rule: string; readonly why: string } {
  return { ok: false, rule, why }
}

/**
 * Error codes of the specification with their usual status. An endpoint may override the status where the
 * specification says so. https://spec.matrix.org/v1.16/client-server-api/#standard-error-response
 */
export const ERRCODES = {
  'IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION': 409,
  'IO.ELEMENT.MSC4306.M_NOT_IN_THREAD': 400,
  M_BAD_ALIAS: 400,
  M_BAD_JSON: 400,
  M_BAD_STATE: 400,
  M_CANNOT_LEAVE_SERVER_NOTICE_ROOM: 403,
  M_CANNOT_OVERWRITE_MEDIA: 409,
  M_CAPTCHA_INVALID: 400,
  M_CAPTCHA_NEEDED: 400,
  M_CONNECTION_FAILED: 400,
  M_CONNECTION_TIMEOUT: 400,
  M_CONSENT_NOT_GIVEN: 403,
  M_DUPLICATE_ANNOTATION: 400,
  M_EXCLUSIVE: 400,
  M_EXPIRED_ACCOUNT: 403,
  M_FORBIDDEN: 403,
  M_GUEST_ACCESS_FORBIDDEN: 403,
  M_INCOMPATIBLE_ROOM_VERSION: 400,
  M_INVALID_PARAM: 400,
  M_INVALID_ROOM_STATE: 400,
  M_INVALID_SIGNATURE: 400,
  M_INVALID_USERNAME: 400,
  M_INVITE_BLOCKED: 403,
  M_KEY_TOO_LARGE: 400,
  M_LIMIT_EXCEEDED: 429,
  M_MISSING_PARAM: 400,
  M_MISSING_TOKEN: 401,
  M_NOT_FOUND: 404,
  M_NOT_JSON: 400,
  M_NOT_YET_UPLOADED: 504,
  M_PROFILE_TOO_LARGE: 400,
  M_RESOURCE_LIMIT_EXCEEDED: 403,
  M_ROOM_IN_USE: 400,
  M_SERVER_NOT_TRUSTED: 400,
  M_TERMS_NOT_SIGNED: 403,
  M_THREEPID_AUTH_FAILED: 400,
  M_THREEPID_DENIED: 403,
  M_THREEPID_IN_USE: 400,
  M_THREEPID_MEDIUM_NOT_SUPPORTED: 400,
  M_THREEPID_NOT_FOUND: 400,
  M_TOKEN_INCORRECT: 403,
  M_TOO_LARGE: 413,
  M_UNABLE_TO_AUTHORISE_JOIN: 400,
  M_UNABLE_TO_GRANT_JOIN: 400,
  M_UNACTIONABLE: 400,
  M_UNAUTHORIZED: 401,
  /** A refusal that has no code of its own. Bugs are no MatrixError and are answered with 500. */
  M_UNKNOWN: 400,
  M_UNKNOWN_DEVICE: 400,
  M_UNKNOWN_POS: 400,
  M_UNKNOWN_TOKEN: 401,
  M_UNRECOGNIZED: 404,
  M_UNSUPPORTED_ROOM_VERSION: 400,
  M_URL_NOT_SET: 400,
  M_USER_DEACTIVATED: 403,
  M_USER_IN_USE: 400,
  M_USER_LOCKED: 401,
  M_USER_SUSPENDED: 403,
  M_WEAK_PASSWORD: 400,
  M_WRONG_ROOM_KEYS_VERSION: 403,
} as const

export type Errcode = keyof typeof ERRCODES

interface Extra {
  M_CONSENT_NOT_GIVEN: { readonly consent_uri: string }
  M_INCOMPATIBLE_ROOM_VERSION: { readonly room_version: string }
  M_LIMIT_EXCEEDED: { readonly retry_after_ms: number }
  M_RESOURCE_LIMIT_EXCEEDED: { readonly admin_contact?: string; readonly limit_type?: string }
  M_UNKNOWN_TOKEN: { readonly soft_logout: boolean }
  M_USER_LOCKED: { readonly soft_logout: boolean }
  M_WRONG_ROOM_KEYS_VERSION: { readonly current_version: string }
}

/** A refusal to a caller. Thrown by services and routes, rendered in one place. */
export class MatrixError<C extends Errcode = Errcode> extends Error {
  readonly errcode: C
  /** Further members of the answer. */
  readonly extra: Readonly<Record<string, unknown>>
  constructor(
    errcode: C,
    message: string,
    ...rest: C extends keyof Extra ? [extra: Extra[C]] : [extra?: Readonly<Record<string, unknown>>]
  ) {
    super(message)
    this.name = 'MatrixError'
    this.errcode = errcode
    this.extra = (rest[0] ?? {}) as Readonly<Record<string, unknown>>
  }
  /** The usual status of the error code. */
  get status(): number {
    return ERRCODES[this.errcode]
  }
}

/** The refusal of a deactivated account. https://spec.matrix.org/v1.16/client-server-api/#account-deactivation */
export function deactivatedAccount(): MatrixError<'M_USER_DEACTIVATED'> {
  return new MatrixError('M_USER_DEACTIVATED', 'This account has been deactivated.')
}

/** The refusal of a locked account; its sessions stay. https://spec.matrix.org/v1.16/client-server-api/#account-locking */
export function lockedAccount(): MatrixError<'M_USER_LOCKED'> {
  return new MatrixError('M_USER_LOCKED', 'This account has been locked.', { soft_logout: true })
}
