import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { request, type Session } from '../support/live-server.ts'
import { NewServer } from './new-server.ts'

const REGISTER = '/_matrix/client/v3/register'
const WHOAMI = '/_matrix/client/v3/account/whoami'

/** Walks through registration with a token as a client does; gives the last answer. */
async function registerWithToken(url: string, username: string, token: string) {
  const wanted = { username, password: 'long enough to be one' }
  const begun = await request(url, 'POST', REGISTER, wanted)
  if (begun.status !== 401) return begun
  assert.deepEqual(begun.json['flows'], [{ stages: ['m.login.registration_token', 'm.login.dummy'] }])
  const { session } = begun.json
  const auth = { type: 'm.login.registration_token', token, session }
  const afterToken = await request(url, 'POST', REGISTER, { ...wanted, auth })
  if (!JSON.stringify(afterToken.json['completed'] ?? []).includes('registration_token')) return afterToken
  return request(url, 'POST', REGISTER, { ...wanted, auth: { type: 'm.login.dummy', session } })
}

function hashOf(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}

const TOKEN_LINE = /registration token +(\S+)\n/

test('the first start in an empty folder makes everything, for its owner alone', async () => {
  await using server = await NewServer.make()
  const program = await server.serve()
  const [, token = ''] = await program.printed(TOKEN_LINE)
  assert.match(program.output, /name is localhost/)
  assert.match(program.output, /can NEVER change/)
  assert.match(program.output, new RegExp(`homeserver +${server.url}\n`))
  const data = join(server.folder, 'data')
  assert.equal(statSync(data).mode & 0o777, 0o700)
  const files = readdirSync(data)
  for (const name of ['homeserver.yaml', 'homeserver.db', 'localhost.signing.key'])
    assert.ok(files.includes(name))
  for (const name of files) assert.equal(statSync(join(data, name)).mode & 0o777, 0o600, name)

  const validity = `/_matrix/client/v1/register/m.login.registration_token/validity?token=${token}`
  assert.deepEqual((await request(server.url, 'GET', validity)).json, { valid: true })
  const wrong = await registerWithToken(server.url, 'mallory', 'a guess')
  assert.equal(wrong.status, 401)
  const made = await registerWithToken(server.url, 'olivia', token)
  assert.equal(made.status, 200)
  const session = made.json as unknown as Session
  assert.equal(session.user_id, '@olivia:localhost')
  using database = openReadOnly(join(data, 'homeserver.db'))
  const admins = database.db.prepare('SELECT user_id FROM accounts WHERE admin = 1').all()
  assert.deepEqual(
    admins.map((row) => row['user_id']),
    ['@olivia:localhost'],
  )

  const again = await registerWithToken(server.url, 'paul', token)
  assert.deepEqual(
    [again.status, again.json['errcode']],
    [403, 'M_FORBIDDEN'],
    'registration is closed again',
  )

  const kept = ['homeserver.yaml', 'localhost.signing.key'].map((name) => hashOf(join(data, name)))
  program.child.kill('SIGTERM')
  assert.equal(await program.end(), 0)
  const second = await server.serve()
  assert.equal((await request(server.url, 'GET', WHOAMI, undefined, session.access_token)).status, 200)
  assert.doesNotMatch(second.output, /token|NEVER|Made/)
  assert.deepEqual(
    ['homeserver.yaml', 'localhost.signing.key'].map((name) => hashOf(join(data, name))),
    kept,
  )
})

function openReadOnly(path: string): Disposable & { readonly db: DatabaseSync } {
  const db = new DatabaseSync(path, { readOnly: true })
  return { db, [Symbol.dispose]: () => db.close() }
}

test('a name is taken once, and the printed token lives until it is used', async () => {
  await using server = await NewServer.make()
  const first = await server.serve('--server-name', 'chat.example')
  const [, token = ''] = await first.printed(TOKEN_LINE)
  assert.doesNotMatch(first.output, /NEVER/)
  assert.match(first.output, /Made .*homeserver\.yaml.*chat\.example/)
  first.child.kill('SIGKILL')
  await first.end()

  const second = await server.serve('--server-name', 'other.example')
  const [, same] = await second.printed(TOKEN_LINE)
  assert.equal(same, token, 'an unused token is printed again, not replaced')
  assert.match(second.output, /--server-name is ignored/)
  const both = await Promise.all(['ann', 'ben'].map((name) => registerWithToken(server.url, name, token)))
  assert.deepEqual(both.map((answer) => answer.status === 200).sort(), [false, true], 'one of two at once')
  const made = both.find((answer) => answer.status === 200)
  assert.match(String(made?.json['user_id']), /^@(ann|ben):chat\.example$/)
})
