/** The page on which people read the policy and agree to it, as Synapse's `/_matrix/consent`. */

import { renderTemplate } from '#/base/template.ts'
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { Consent, ConsentLink } from '#/services/accounts/consent.ts'
import { CONSENT_VERSION_CHARS_MAX, USER_ID_BYTES_MAX } from '#/services/accounts/limits.ts'
import { html, page, rawPage } from '../../html.ts'
import { type Form, formOf } from './form.ts'

const TEXT = t.opt(t.text(USER_ID_BYTES_MAX))
const QUERY = t.object({ u: TEXT, h: TEXT, v: t.opt(t.text(CONSENT_VERSION_CHARS_MAX)) })

const facts = {
  path: '/_matrix/consent',
  spec: 'own',
  auth: 'none',
  limit: 'none',
  servlet: 'ConsentResource',
  query: QUERY,
} as const

export const consentRoutes = (d: { consent: Consent }): Route[] => [
  route({
    ...facts,
    method: 'GET',
    async handle({ query }) {
      const link = query.u === undefined || query.u === '' ? undefined : linkOf(query.u, query.h)
      return rawPage(200, await d.consent.page(query.v, link))
    },
  }),
  route({
    ...facts,
    method: 'POST',
    body: 'bytes',
    async handle({ query, body }) {
      const form = formOf(body)
      const field = (name: 'u' | 'v' | 'h') => fieldOf(form, name) ?? query[name]
      const [user, version] = [field('u'), field('v')]
      if (user === undefined) throw new MatrixError('M_MISSING_PARAM', 'The form lacks u, the user.')
      if (version === undefined) throw new MatrixError('M_MISSING_PARAM', 'The form lacks v, the version.')
      await d.consent.accept(version, linkOf(user, field('h')))
      const { success } = d.consent.options
      if (success !== undefined) return rawPage(200, renderTemplate(success, {}))
      return page(200, 'Thank you', html`<p>Your agreement has been noted.</p>`)
    },
  }),
]

function fieldOf(form: Form, name: string): string | undefined {
  const value = form.get(name)
  if (value !== undefined && value.length > USER_ID_BYTES_MAX) {
    throw new MatrixError('M_INVALID_PARAM', `The field ${name} is too long.`)
  }
  return value
}

function linkOf(user: string, mac: string | undefined): ConsentLink {
  if (mac === undefined) throw new MatrixError('M_MISSING_PARAM', 'The link lacks h, its HMAC.')
  return { user, mac }
}
