/** The login fallback: the page is fetched and its script run as a browser would. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import vm from 'node:vm'
import { called, covers } from '../../support/covers.ts'
import { V3 } from '../../support/room-calls.ts'
import { TestServer } from '../../support/test-server.ts'

covers('GET /_matrix/static/client/login/')

const PAGE = '/_matrix/static/client/login/'

interface Page {
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
}

async function fetched(server: TestServer, url = PAGE): Promise<Page> {
  const reply = await server.assembled.dispatches.client({
    method: 'GET',
    url,
    headers: {},
    remote: '127.0.0.1',
    signal: new AbortController().signal,
  })
  called('GET', url, reply.status)
  assert.equal(reply.status, 200)
  return { headers: reply.headers, text: String(reply.body) }
}

/** Submits the form of a page; gives what it shows and what it told the client. */
async function submitted(server: TestServer, page: Page, fields: object, search: string) {
  const script = /<script>([\s\S]*)<\/script>/.exec(page.text)?.[1] ?? ''
  const hash = createHash('sha256').update(script).digest('base64')
  assert.ok(page.headers['Content-Security-Policy']?.includes(`script-src 'sha256-${hash}'`))
  const alert = { textContent: '' }
  const told: object[] = []
  const form: { elements: object; onsubmit?: (event: object) => Promise<void> } = { elements: fields }
  vm.runInNewContext(script, {
    URLSearchParams,
    location: { search },
    document: { forms: [form], querySelector: () => alert },
    window: { matrixLogin: { onLogin: (answer: object) => told.push(answer) } },
    async fetch(url: string, { method, body }: { method: 'POST'; body: string }) {
      const { status, json } = await server.anonymous().call(method, url, body)
      return { ok: status === 200, json: async () => json }
    },
  })
  await form.onsubmit?.({ preventDefault: () => {} })
  return { shown: alert.textContent, told }
}

test('the login fallback logs in with the parameters of its address, and tells the client', async () => {
  const server = await TestServer.start()
  try {
    const alice = await server.user('alice')
    const page = await fetched(server, `${PAGE}?device_id=PHONE`)
    assert.match(page.headers['Content-Type'] ?? '', /^text\/html/)
    assert.match(page.headers['Content-Security-Policy'] ?? '', /connect-src 'self'/)
    assert.equal(page.headers['X-Frame-Options'], 'DENY')
    const field = (value: string) => ({ value })
    const wrong = { user: field(alice.userId), password: field('wrong') }
    const refused = await submitted(server, page, wrong, '?device_id=PHONE')
    assert.match(refused.shown, /password/)
    assert.deepEqual(refused.told, [])
    const right = { user: field(alice.userId), password: field('a password') }
    const search = '?device_id=PHONE&initial_device_display_name=A%20phone&type=m.login.token'
    const { told } = await submitted(server, page, right, search)
    const [session] = told as { user_id: string; device_id: string; access_token: string }[]
    assert.equal(session?.device_id, 'PHONE')
    alice.become(session!)
    assert.equal((await alice.get(`${V3}/devices/PHONE`)).display_name, 'A phone')
  } finally {
    await server.close()
  }
})

test('the login fallback says where there is no login with a password', async () => {
  const server = await TestServer.start({
    configure: (plain) => ({
      ...plain,
      accounts: { ...plain.accounts, passwords: { ...plain.accounts.passwords, forLogin: false } },
    }),
  })
  try {
    const { text } = await fetched(server)
    assert.match(text, /no login with a password/)
    assert.doesNotMatch(text, /<form|<script/)
  } finally {
    await server.close()
  }
})
