/** Registration by shared secret. https://element-hq.github.io/synapse/latest/admin_api/register_api.html */
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import { DISPLAYNAME_CHARS_MAX, PASSWORD_CHARS_MAX, USERNAME_CHARS_MAX } from '#/services/accounts/limits.ts'
import type { SharedSecretRegistration } from '#/services/accounts/shared-secret.ts'
import { registeredAnswer } from './registration.ts'
import { SESSION_MEMBERS, sessionOf } from './shared.ts'

export interface SharedSecretDeps {
  readonly sharedSecret: SharedSecretRegistration
}

const PATH = '/_synapse/admin/v1/register'

export const sharedSecretRoutes = (d: SharedSecretDeps): Route[] => [
  route({
    method: 'GET',
    path: PATH,
    spec: 'own',
    auth: 'sharedSecret',
    limit: 'none',
    servlet: 'UserRegisterServlet',
    handle: () => ({ nonce: d.sharedSecret.nonce() }),
  }),
  route({
    method: 'POST',
    path: PATH,
    spec: 'own',
    auth: 'sharedSecret',
    limit: 'none',
    servlet: 'UserRegisterServlet',
    statuses: { M_UNKNOWN: 400 },
    body: t.object({
      nonce: t.text(),
      username: t.text(USERNAME_CHARS_MAX),
      password: t.text(PASSWORD_CHARS_MAX),
      mac: t.text(255),
      admin: t.opt(t.nullable(t.bool)),
      user_type: t.opt(t.nullable(t.text(255))),
      displayname: t.opt(t.nullable(t.text(DISPLAYNAME_CHARS_MAX))),
      inhibit_login: t.opt(t.bool),
      ...SESSION_MEMBERS,
    }),
    async handle({ body }) {
      const made = await d.sharedSecret.register({
        nonce: body.nonce,
        username: body.username,
        password: body.password,
        mac: body.mac,
        admin: body.admin ?? false,
        userType: body.user_type || undefined,
        displayname: body.displayname ?? undefined,
        session: body.inhibit_login === true ? undefined : sessionOf(body),
      })
      return registeredAnswer(made)
    },
  }),
]
