import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LiveServer } from '../support/live-server.ts'
import { servePage } from './browser/site.ts'
import { browserSkip, headless, type Tab } from './browser/tab.ts'
import { until } from './conversation.ts'
import { clientReport } from './report.ts'

const OPEN = 'enable_registration: true\nenable_registration_without_verification: true\n'
/** How soon what is sent must show on the other page, whose long poll would last a minute. */
const DELIVERY_MS_MAX = 20_000

test('matrix-js-sdk in two pages of another origin, encrypted', { skip: browserSkip }, async (t) => {
  await using server = await LiveServer.start({ engine: 'sqlite', config: OPEN })
  await using site = await servePage()
  await using browser = await headless()
  const alice = await browser.tab(site.url)
  const bob = await browser.tab(site.url)
  await alice.call('register', server.url, 'alice', 'a password of alice')
  const bobId = await bob.call('register', server.url, 'bob', 'a password of bob')
  assert.notEqual(new URL(site.url).origin, new URL(server.url).origin)

  const room = await alice.call('createRoom', bobId)
  await until(
    async () => (await bob.call('invitations')).includes(room),
    () => 'bob is invited',
  )
  await bob.call('join', room)
  const said = ['hello?', 'hello!', 'an owl 🦉']
  await alice.call('send', room, 'hello?')
  await shows(bob, room, said.slice(0, 1))
  await bob.call('send', room, 'hello!')
  await shows(alice, room, said.slice(0, 2))
  await alice.call('send', room, 'an owl 🦉')
  await shows(bob, room, said)

  await t.test('a page that is loaded again goes on from the token that it kept', async () => {
    await alice.call('save')
    const asked = alice.requests.length
    await alice.close()
    await bob.call('send', room, 'while you were away')
    await alice.open(site.url)
    const token = await alice.call('goOn')
    assert.ok(token)
    const [first] = alice.requests.slice(asked).filter(({ pathname }) => pathname.endsWith('/sync'))
    assert.equal(first?.searchParams.get('since'), token)
    await shows(alice, room, [...said, 'while you were away'])
    await alice.call('send', room, 'back')
    await shows(bob, room, [...said, 'while you were away', 'back'])
  })

  await alice.call('logout')
  await bob.call('logout')
  clientReport(server, [alice, bob], (text) => t.diagnostic(text))
  const refused = /CORS|Cross-Origin|Access-Control/i
  for (const { complaints } of [alice, bob])
    assert.deepEqual(
      complaints.filter((c) => refused.test(c)),
      [],
    )
  assert.equal(await server.stop(), 0)
})

async function shows(tab: Tab, room: string, texts: readonly string[]): Promise<void> {
  const began = performance.now()
  let shown: string[] = []
  await until(
    async () => {
      shown = await tab.call('shown', room)
      return shown.filter((text) => texts.includes(text)).length >= texts.length
    },
    () => `${texts} shows, instead of ${shown}`,
  )
  assert.deepEqual(shown, texts)
  const ms = performance.now() - began
  assert.ok(ms < DELIVERY_MS_MAX, `shown after ${ms} ms`)
}
