/** Registration. https://spec.matrix.org/v1.16/client-server-api/#account-registration-and-management */
import { Lru } from '#/base/lru.ts'
import { addressKey } from '#/http/address.ts'
import { type Route, route } from '#/http/route.ts'
import { type Static, t } from '#/http/schema.ts'
import type { Uia } from '#/http/uia.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import { type JsonObject, member } from '#/protocol/json/value.ts'
import type { GuestAccounts } from '#/services/accounts/guests.ts'
import { PASSWORD_CHARS_MAX, REGISTERED_LATELY_MAX, USERNAME_CHARS_MAX } from '#/services/accounts/limits.ts'
import type { LoginService } from '#/services/accounts/login.ts'
import { type Registered, type RegistrationService, TERMS_STAGE } from '#/services/accounts/registration.ts'
import { SESSION_MEMBERS, sessionOf, tokensAnswer } from './shared.ts'

export interface RegistrationDeps {
  readonly registration: RegistrationService
  readonly guests: GuestAccounts
  readonly uia: Uia
  readonly login: LoginService
}

const REGISTER_BODY = t.object({
  auth: t.opt(t.json),
  username: t.opt(t.nullable(t.text(USERNAME_CHARS_MAX))),
  password: t.opt(t.text(PASSWORD_CHARS_MAX)),
  inhibit_login: t.opt(t.bool),
  guest_access_token: t.opt(t.text()),
  ...SESSION_MEMBERS,
})

const TOKEN_STAGE = 'm.login.registration_token'

/** An account as registration answers it, without tokens when there is no session. */
export function registeredAnswer(made: Registered): object {
  return made.tokens === undefined ? { user_id: made.userId } : tokensAnswer(made.tokens)
}

/** The session that a request names, perhaps one that has done its work. */
function sessionNamed(auth: JsonObject | undefined): string | undefined {
  const session = auth && member(auth, 'session')
  return typeof session === 'string' ? session : undefined
}

function registerRoute(d: RegistrationDeps): Route {
  /* By their sessions: who did not get the answer asks again, and then proves the password as in a login. */
  const lately = new Lru<string, { userId: UserId; username: string | undefined }>(REGISTERED_LATELY_MAX)
  const again = async (body: Static<typeof REGISTER_BODY>): Promise<object | undefined> => {
    const session = sessionNamed(body.auth)
    const made = session === undefined ? undefined : lately.get(session)
    if (made?.username !== (body.username ?? undefined)) return undefined
    if (made === undefined || body.password === undefined) return undefined
    if (body.inhibit_login === true) return { user_id: made.userId }
    return tokensAnswer(await d.login.withPassword(made.userId, body.password, sessionOf(body)))
  }
  return route({
    method: 'POST',
    path: '/_matrix/client/v3/register',
    also: ['/_matrix/client/r0/register'],
    spec: 'client-server-api/#post_matrixclientv3register',
    operations: ['register'],
    auth: 'none',
    limit: 'service',
    servlet: 'RegisterRestServlet',
    query: t.object({ kind: t.opt(t.oneOf('guest', 'user')) }),
    body: REGISTER_BODY,
    emptyBody: true,
    async handle({ query, body, request }) {
      const address = addressKey(request.remote)
      d.registration.refuseFlood(address)
      if (query.kind === 'guest') {
        const name = body.initial_device_display_name ?? undefined
        return registeredAnswer(await d.guests.register(name, address))
      }
      const before = await again(body)
      if (before !== undefined) return before
      const flows = await d.registration.flows()
      const username = body.username ?? undefined
      const guest =
        body.guest_access_token === undefined
          ? undefined
          : await d.guests.upgrading(body.guest_access_token, username)
      await d.registration.check(guest === undefined ? username : undefined, body.password)
      const { auth } = body
      const proof = await d.uia.run({ flows, auth, operation: 'register', remote: request.remote })
      if (!proof.done) return proof.reply
      if (body.password === undefined) throw new MatrixError('M_MISSING_PARAM', 'The body lacks password.')
      const token = proof.completed[TOKEN_STAGE]
      const made = await d.registration.register(
        {
          username,
          password: body.password,
          token: typeof token === 'string' ? token : undefined,
          guest,
          agreed: proof.completed[TERMS_STAGE] !== undefined,
          session: body.inhibit_login === true ? undefined : sessionOf(body),
        },
        address,
      )
      await d.uia.finish(proof.session)
      lately.set(proof.session, { userId: made.userId, username })
      return registeredAnswer(made)
    },
  })
}

export const registrationRoutes = (d: RegistrationDeps): Route[] => [
  registerRoute(d),
  route({
    method: 'GET',
    path: '/_matrix/client/v3/register/available',
    also: ['/_matrix/client/r0/register/available'],
    spec: 'client-server-api/#get_matrixclientv3registeravailable',
    operations: ['checkUsernameAvailability'],
    auth: 'none',
    limit: 'username_available',
    servlet: 'UsernameAvailabilityRestServlet',
    query: t.object({ username: t.text(USERNAME_CHARS_MAX) }),
    async handle({ query }) {
      await d.registration.available(query.username)
      return { available: true }
    },
  }),
  route({
    method: 'GET',
    path: '/_matrix/client/v1/register/m.login.registration_token/validity',
    spec: 'client-server-api/#get_matrixclientv1registermloginregistration_tokenvalidity',
    operations: ['registrationTokenValidity'],
    auth: 'none',
    limit: 'rc_registration_token_validity',
    servlet: 'RegistrationTokenValidityRestServlet',
    query: t.object({ token: t.text() }),
    async handle({ query }) {
      await d.registration.flows()
      return { valid: (await d.registration.tokens.valid(query.token)) !== undefined }
    },
  }),
]
