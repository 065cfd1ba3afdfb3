/** The stages of user-interactive authentication that this server can check. */
import type { UiaStage } from '#/http/uia.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { isObject, type JsonObject, member } from '#/protocol/json/value.ts'
import type { Consent } from '#/services/accounts/consent.ts'
import type { Credentials } from '#/services/accounts/credentials.ts'
import { PASSWORD_CHARS_MAX } from '#/services/accounts/limits.ts'
import type { RegistrationTokens } from '#/services/accounts/registration-tokens.ts'

/** Proves nothing. https://spec.matrix.org/v1.16/client-server-api/#dummy-auth */
export const dummyStage: UiaStage = { check: async () => ({ ok: true }) }

/** https://spec.matrix.org/v1.16/client-server-api/#token-authenticated-registration */
export function registrationTokenStage(tokens: RegistrationTokens): UiaStage {
  return {
    async check(auth) {
      const token = member(auth, 'token')
      const row = typeof token === 'string' ? await tokens.valid(token) : undefined
      if (row) return { ok: true, keep: row.token }
      return { ok: false, errcode: 'M_UNAUTHORIZED', error: 'This registration token is not valid.' }
    },
  }
}

/** https://spec.matrix.org/v1.16/client-server-api/#terms-of-service-at-registration */
export function termsStage(consent: Consent): UiaStage {
  return { params: () => consent.terms, check: async () => ({ ok: true }) }
}

/** https://spec.matrix.org/v1.16/client-server-api/#password-based */
export function passwordStage(credentials: Credentials): UiaStage {
  const wrong = { ok: false, errcode: 'M_FORBIDDEN', error: 'Wrong password.' } as const
  return {
    async check(auth, request) {
      const password = member(auth, 'password')
      if (request.userId === undefined || typeof password !== 'string') return wrong
      if (password.length > PASSWORD_CHARS_MAX) return wrong
      const named = userOf(auth)
      if (named !== undefined && (await credentials.account(named))?.user !== request.userId) {
        throw new MatrixError('M_FORBIDDEN', 'Only the holder of this account can confirm this.')
      }
      return (await credentials.confirms(request.userId, password)) ? { ok: true } : wrong
    },
  }
}

/** Whom a client names; nobody else than the holder of the session can be meant. */
function userOf(auth: JsonObject): string | undefined {
  const identifier = member(auth, 'identifier')
  const user = isObject(identifier) ? member(identifier, 'user') : member(auth, 'user')
  return typeof user === 'string' ? user : undefined
}
