/** Pages for people. Foreign text is escaped where it is put in, and no script runs but the one named here. */
import { escapeHtml } from '#/base/template.ts'
import { content, type Reply } from '#/http/reply.ts'

/** A piece of HTML that is safe to be put into a page. */
export class Html {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

/** Makes HTML of a template literal: texts are escaped, pieces of HTML are put in as they are. */
export function html(parts: TemplateStringsArray, ...values: readonly (string | Html)[]): Html {
  let text = parts[0] ?? ''
  for (const [n, value] of values.entries()) {
    text += (value instanceof Html ? value.text : escapeHtml(value)) + (parts[n + 1] ?? '')
  }
  return new Html(text)
}

/**
 * Tells the client that opened the page that its stage is done.
 * https://spec.matrix.org/v1.16/client-server-api/#fallback
 */
export const DONE_SCRIPT =
  "if(window.onAuthDone)window.onAuthDone();else if(window.opener&&window.opener.postMessage)window.opener.postMessage('authDone','*')"

/** SHA-256 of the script, as the policy of the page names it. */
export const DONE_SCRIPT_HASH = 'sha256-fvOVfksifO3CcS2sKQB6qBExYFjLuq/xy8gVF+kUZfI='

/** Headers of a page: it may not be framed (adv-84), loads nothing, and runs the one script named by its hash. */
function headersWith(scriptHash: string, more = ''): Readonly<Record<string, string>> {
  return Object.freeze({
    'Content-Security-Policy': `default-src 'none'; script-src '${scriptHash}'; style-src 'unsafe-inline'; img-src https: data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'${more}`,
    'X-Frame-Options': 'DENY',
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    'Cache-Control': 'no-store',
  })
}

/** Headers of every page that does not say otherwise. */
export const PAGE_HEADERS = headersWith(DONE_SCRIPT_HASH)

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:32em;margin:3em auto;padding:0 1em}input,button{font:inherit;padding:.4em .8em}'

/** A page with a title and a body. */
export function page(status: number, title: string, body: Html, done = false): Reply {
  return rawPage(status, pageText(title, body, done ? DONE_SCRIPT : undefined))
}

/** A page with a script of its own, which may speak to this server and to nobody else. `hash` names the script. */
export function scriptPage(status: number, title: string, body: Html, script: string, hash: string): Reply {
  const headers = headersWith(hash, "; connect-src 'self'")
  return content(status, 'text/html; charset=utf-8', pageText(title, body, script), headers)
}

function pageText(title: string, body: Html, script: string | undefined): string {
  const run = script === undefined ? '' : `<script>${script}</script>`
  const head = `<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(title)}</title><style>${STYLE}</style>`
  return `<!doctype html><html lang="en"><head>${head}</head><body><h1>${escapeHtml(title)}</h1>${body.text}${run}</body></html>`
}

/** A page that is finished HTML, such as an operator's. */
export function rawPage(status: number, text: string): Reply {
  return content(status, 'text/html; charset=utf-8', text, PAGE_HEADERS)
}
