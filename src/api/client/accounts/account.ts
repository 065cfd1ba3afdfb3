/** Password, deactivation, whoami. https://spec.matrix.org/v1.16/client-server-api/#account-management */
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import type { Uia } from '#/http/uia.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { AccountService } from '#/services/accounts/account.ts'
import { PASSWORD_CHARS_MAX } from '#/services/accounts/limits.ts'
import type { PasswordPolicy } from '#/services/accounts/options.ts'
import { reauthFlows } from './shared.ts'

export interface AccountDeps {
  readonly account: AccountService
  readonly uia: Uia
  /** Whether a password confirms changes. */
  readonly passwordsConfirm: boolean
  /** `password_config.policy`, where it is enabled. */
  readonly policy: PasswordPolicy | undefined
}

/** What clients show beside the field of a new password (MSC2000). */
function shownPolicy(policy: PasswordPolicy | undefined): object {
  if (policy === undefined) return {}
  return {
    'm.minimum_length': policy.minimumLength,
    'm.require_digit': policy.requireDigit,
    'm.require_symbol': policy.requireSymbol,
    'm.require_lowercase': policy.requireLowercase,
    'm.require_uppercase': policy.requireUppercase,
  }
}

export const accountManagementRoutes = (d: AccountDeps): Route[] => [
  route({
    method: 'GET',
    path: '/_matrix/client/v3/account/whoami',
    also: ['/_matrix/client/r0/account/whoami'],
    spec: 'client-server-api/#get_matrixclientv3accountwhoami',
    operations: ['getTokenOwner'],
    auth: 'guest',
    limit: 'none',
    servlet: 'WhoamiRestServlet',
    handle: ({ who }) => ({
      user_id: who.userId,
      is_guest: who.isGuest,
      ...(who.deviceId === undefined ? {} : { device_id: who.deviceId }),
    }),
  }),
  route({
    method: 'GET',
    path: '/_matrix/client/v3/account/3pid',
    also: ['/_matrix/client/r0/account/3pid'],
    spec: 'client-server-api/#get_matrixclientv3account3pid',
    operations: ['getAccount3PIDs'],
    auth: 'user',
    limit: 'none',
    servlet: 'ThreepidRestServlet',
    /* No account has an address; settings pages of clients ask, and show an error where nobody answers. */
    handle: () => ({ threepids: [] }),
  }),
  route({
    method: 'GET',
    path: '/_matrix/client/v3/password_policy',
    also: ['/_matrix/client/r0/password_policy'],
    spec: 'MSC2000',
    auth: 'none',
    limit: 'none',
    servlet: 'PasswordPolicyServlet',
    handle: () => shownPolicy(d.policy),
  }),
  route({
    method: 'POST',
    path: '/_matrix/client/v3/account/password',
    also: ['/_matrix/client/r0/account/password'],
    spec: 'client-server-api/#post_matrixclientv3accountpassword',
    operations: ['changePassword'],
    auth: 'user',
    limit: 'none',
    servlet: 'PasswordRestServlet',
    body: t.object({
      auth: t.opt(t.json),
      new_password: t.opt(t.text(PASSWORD_CHARS_MAX)),
      logout_devices: t.opt(t.bool),
    }),
    async handle({ who, body, request }) {
      const { auth, new_password: password } = body
      if (password !== undefined) d.account.checkPassword(password)
      const proof = await d.uia.run({
        flows: reauthFlows(d.passwordsConfirm),
        auth,
        operation: 'change password',
        userId: who.userId,
        deviceId: who.deviceId,
        remote: request.remote,
      })
      if (!proof.done) return proof.reply
      if (password === undefined) throw new MatrixError('M_MISSING_PARAM', 'The body lacks new_password.')
      await d.account.setPassword(who.userId, password, body.logout_devices ?? true, who.deviceId)
      await d.uia.finish(proof.session)
      return {}
    },
  }),
  route({
    method: 'POST',
    path: '/_matrix/client/v3/account/deactivate',
    also: ['/_matrix/client/r0/account/deactivate'],
    spec: 'client-server-api/#post_matrixclientv3accountdeactivate',
    operations: ['deactivateAccount'],
    auth: 'user',
    limit: 'none',
    servlet: 'DeactivateAccountRestServlet',
    body: t.object({ auth: t.opt(t.json), id_server: t.opt(t.nullable(t.text())), erase: t.opt(t.bool) }),
    emptyBody: true,
    async handle({ who, body, request }) {
      const proof = await d.uia.run({
        flows: reauthFlows(d.passwordsConfirm),
        auth: body.auth,
        operation: 'deactivate',
        userId: who.userId,
        remote: request.remote,
      })
      if (!proof.done) return proof.reply
      await d.account.deactivate(who.userId, body.erase ?? false)
      await d.uia.finish(proof.session)
      /* There are no addresses that an identity server would have to forget. */
      return { id_server_unbind_result: 'success' }
    },
  }),
]
