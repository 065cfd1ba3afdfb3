/** What several groups of account endpoints share. */
import type { Requester } from '#/http/requester.ts'
import { t } from '#/http/schema.ts'
import type { UiaFlow } from '#/http/uia.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { serverOf, type UserId } from '#/protocol/ids/user-id.ts'
import type { Tokens } from '#/services/accounts/grants.ts'
import { DEVICE_ID_CHARS_MAX, DEVICE_NAME_CHARS_MAX } from '#/services/accounts/limits.ts'
import type { NewSession } from '#/services/accounts/sessions.ts'

/** Members of a body that opens a session. Some clients send null for what they do not have. */
export const SESSION_MEMBERS = {
  device_id: t.opt(t.nullable(t.text(DEVICE_ID_CHARS_MAX))),
  initial_device_display_name: t.opt(t.nullable(t.text(DEVICE_NAME_CHARS_MAX))),
  refresh_token: t.opt(t.bool),
}

export function sessionOf(body: {
  device_id?: string | null
  initial_device_display_name?: string | null
  refresh_token?: boolean
}): NewSession {
  return {
    deviceId: body.device_id ?? undefined,
    displayName: body.initial_device_display_name ?? undefined,
    refreshable: body.refresh_token,
  }
}

/** Tokens as login and registration answer them. `home_server` is for clients of old. */
export function tokensAnswer(tokens: Tokens): object {
  return {
    user_id: tokens.userId,
    home_server: serverOf(tokens.userId),
    device_id: tokens.deviceId,
    ...renewedAnswer(tokens),
  }
}

/** Tokens alone, as `/refresh` answers them. */
export function renewedAnswer(tokens: Tokens): object {
  const { accessToken, refreshToken, expiresInMs } = tokens
  return {
    access_token: accessToken,
    ...(refreshToken === undefined ? {} : { refresh_token: refreshToken }),
    ...(expiresInMs === undefined ? {} : { expires_in_ms: expiresInMs }),
  }
}

/** Refuses a path that names somebody else. */
export function requireSelf(who: Requester, userId: UserId): void {
  if (who.userId !== userId) throw new MatrixError('M_FORBIDDEN', 'That is another user.')
}

/** How an account's holder confirms a sensitive change. Throws M_FORBIDDEN where there is no way. */
export function reauthFlows(passwordsConfirm: boolean): readonly UiaFlow[] {
  if (passwordsConfirm) return [['m.login.password']]
  throw new MatrixError('M_FORBIDDEN', 'This server has no way to confirm such a change.')
}
