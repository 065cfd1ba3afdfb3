/** Options of consent, limits of use and notices, as tests turn them on. */
import type { ServerOptions } from '#/app/server-options.ts'
import { parseTemplate } from '#/base/template.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import type { ConsentOptions } from '#/services/accounts/options.ts'
import { USAGE_DEFAULT, type UsageOptions } from '#/services/accounts/usage-rules.ts'
import type { ServerNoticesOptions } from '#/services/admin/server-notices.ts'

export const NOTICES: ServerNoticesOptions = {
  sender: '@notices:test.example' as UserId,
  displayName: 'Notices',
  avatarUrl: undefined,
  roomName: 'Server Notices',
  roomAvatarUrl: undefined,
  roomTopic: undefined,
  autoJoin: false,
}

const DOCUMENT = `<!doctype html><title>{{ version }}</title>{% if has_consented %}<p>agreed</p>{% else %}<p>the policy</p>
{% if not public_version %}<form method="post" action="consent"><input type="hidden" name="u" value="{{user}}"/>
<input type="hidden" name="h" value="{{userhmac}}"/></form>{% endif %}{% endif %}`

export const CONSENT: ConsentOptions = {
  version: '1.0',
  policyName: 'Privacy Policy',
  documents: new Map([
    ['0.9', parseTemplate('old')],
    ['1.0', parseTemplate(DOCUMENT)],
  ]),
  success: undefined,
  atRegistration: false,
  blockEventsError: undefined,
  notice: undefined,
  noticeToGuests: false,
  secret: 'a form secret',
  publicBaseurl: 'https://test.example/',
}

/** Changes what a test server is told. */
export function withUsage(more: {
  readonly usage?: Partial<UsageOptions>
  readonly consent?: Partial<ConsentOptions>
  readonly notices?: Partial<ServerNoticesOptions>
}): (options: ServerOptions) => ServerOptions {
  return (options) => ({
    ...options,
    ...(more.usage && { usage: { ...USAGE_DEFAULT, ...more.usage } }),
    ...(more.notices && { notices: { ...NOTICES, ...more.notices } }),
    accounts: { ...options.accounts, ...(more.consent && { consent: { ...CONSENT, ...more.consent } }) },
  })
}
