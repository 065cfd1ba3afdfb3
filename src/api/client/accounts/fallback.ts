/**
 * Stages of authentication as pages, for clients that do not know them.
 * https://spec.matrix.org/v1.16/client-server-api/#fallback
 */

import type { Reply } from '#/http/reply.ts'
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import type { Uia } from '#/http/uia.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import type { Consent } from '#/services/accounts/consent.ts'
import { REGISTRATION_TOKEN_CHARS_MAX, UIA_SESSION_CHARS_MAX } from '#/services/accounts/limits.ts'
import { type Html, html, page } from '../../html.ts'
import { type Form, formOf } from './form.ts'

export interface FallbackDeps {
  readonly uia: Uia
  readonly consent: Consent | undefined
}

/** A stage with a page: what it asks, and what its form says to the stage. */
interface StagePage {
  readonly title: string
  readonly ask: () => Html
  readonly auth: (form: Form) => JsonObject
}

const PATH = {
  path: '/_matrix/client/v3/auth/:authType/fallback/web',
  also: ['/_matrix/client/r0/auth/:authType/fallback/web'],
  spec: 'client-server-api/#fallback',
  auth: 'none',
  servlet: 'AuthRestServlet',
  query: t.object({ session: t.text(UIA_SESSION_CHARS_MAX) }),
} as const

function stagePages(consent: Consent | undefined): ReadonlyMap<string, StagePage> {
  const pages = new Map<string, StagePage>([
    [
      'm.login.dummy',
      {
        title: 'Confirm',
        ask: () => html`<p>Nothing more is asked of you.</p><button>Continue</button>`,
        auth: () => ({}),
      },
    ],
    [
      'm.login.registration_token',
      {
        title: 'Registration token',
        ask: () => html`<p>Enter the token that the administrator of this server has given to you.</p>
<p><input name="token" autocomplete="off" required maxlength="${String(REGISTRATION_TOKEN_CHARS_MAX)}"></p>
<button>Continue</button>`,
        auth: (form) => ({ token: form.get('token') ?? '' }),
      },
    ],
  ])
  if (consent) {
    const { terms, options } = consent
    const { url } = (terms as { policies: { privacy_policy: { en: { url: string } } } }).policies
      .privacy_policy.en
    pages.set('m.login.terms', {
      title: 'Terms',
      ask: () => html`<p>Please read and accept: <a href="${url}" target="_blank" rel="noopener noreferrer">${options.policyName}</a></p>
<button>I accept</button>`,
      auth: () => ({}),
    })
  }
  return pages
}

/** The form of a stage. The session travels in the address of the page. */
function formPage(status: number, stage: StagePage, error?: string): Reply {
  const said = error === undefined ? html`` : html`<p role="alert"><strong>${error}</strong></p>`
  return page(status, stage.title, html`${said}<form method="post">${stage.ask()}</form>`)
}

export function fallbackRoutes({ uia, consent }: FallbackDeps): Route[] {
  const pages = stagePages(consent)
  const pageOf = (type: string): StagePage => {
    const stage = pages.get(type)
    if (!stage) throw new MatrixError('M_NOT_FOUND', 'There is no page for this kind of authentication.')
    return stage
  }
  return [
    route({
      ...PATH,
      method: 'GET',
      limit: 'none',
      async handle({ params, query }) {
        const stage = pageOf(params.authType)
        if (!(await uia.knows(query.session))) throw unknownSession()
        return formPage(200, stage)
      },
    }),
    route({
      ...PATH,
      method: 'POST',
      limit: 'rc_registration_token_validity',
      body: 'bytes',
      async handle({ params, query, body, request }) {
        const stage = pageOf(params.authType)
        const auth = stage.auth(formOf(body))
        const result = await uia.completeStage(query.session, params.authType, auth, request.remote)
        if (result === undefined) throw unknownSession()
        if (!result.ok) return formPage(401, stage, result.error)
        return page(200, 'Thank you', html`<p>You may now close this window and go back.</p>`, true)
      },
    }),
  ]
}

function unknownSession(): MatrixError<'M_INVALID_PARAM'> {
  return new MatrixError('M_INVALID_PARAM', 'This authentication session is not known. Please begin again.')
}
