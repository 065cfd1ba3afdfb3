import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createPasswords } from '#/adapters/passwords.ts'
import { realWorld } from '#/base/world.ts'
import { parseSigningKeys } from '#/protocol/crypto/signing-key-file.ts'
import {
  freePort,
  LiveServer,
  Program,
  request,
  run,
  type Session,
  temporary,
  untilReady,
} from '../support/live-server.ts'

const V3 = '/_matrix/client/v3'
const COMMANDS = [
  'serve',
  'generate-config',
  'generate-signing-key',
  'register-user',
  'hash-password',
  'check-config',
]
COMMANDS.push('backup', 'restore', 'verify', 'recount', 'search-rebuild', 'directory-rebuild')

test('every command explains itself; a wrong one is said to be wrong', async () => {
  const all = await run(['--help'])
  assert.equal(all.code, 0)
  const helps = await Promise.all(COMMANDS.map((command) => run([command, '--help'])))
  for (const [i, command] of COMMANDS.entries()) {
    assert.match(all.stdout, new RegExp(`^  ${command} `, 'm'))
    const help = helps[i]
    assert.equal(help?.code, 0, command)
    assert.match(help?.stdout ?? '', new RegExp(`^Usage: myelin ${command} `), command)
  }
  for (const args of [['nonsense'], ['serve', '--nonsense'], ['backup'], ['generate-config']]) {
    const { code, stderr } = await run(args)
    assert.notEqual(code, 0, args.join(' '))
    assert.match(stderr, /^error: /, args.join(' '))
  }
  assert.match((await run(['--version'])).stdout, /^\d+\.\d+\.\d+/)
})

test('generate-config writes what check-config finds good; signing keys are never replaced', async () => {
  using place = temporary()
  const { folder } = place
  const made = await run(['generate-config', '--server-name', 'chat.example', '--data-dir', folder])
  assert.equal(made.code, 0)
  const config = join(folder, 'homeserver.yaml')
  writeFileSync(config, made.stdout)
  const again = await run(['generate-config', '--server-name', 'chat.example', '--data-dir', folder])
  assert.notEqual(again.stdout, made.stdout, 'secrets are new each time')
  const checked = await run(['check-config', '-c', config])
  assert.deepEqual([checked.code, checked.stderr], [0, ''])
  const wrong = await run(['generate-config', '--server-name', 'not a name'])
  assert.equal(wrong.code, 1)
  assert.match(wrong.stderr, /not a name/)

  const key = join(folder, 'chat.example.signing.key')
  assert.equal((await run(['generate-signing-key', '-o', key])).code, 0)
  const text = readFileSync(key, 'utf8')
  assert.equal(statSync(key).mode & 0o777, 0o600)
  assert.ok(parseSigningKeys(text).ok)
  assert.equal((await run(['generate-signing-key', '-o', key])).code, 1)
  assert.equal(readFileSync(key, 'utf8'), text)
  const printed = await run(['generate-signing-key'])
  assert.ok(parseSigningKeys(printed.stdout).ok)
})

test('hash-password: the hash verifies, with and without the pepper of a configuration', async () => {
  const password = 'correct horse «battery»'
  const verifies = async (hash: string, pepper: string, tried = password) =>
    createPasswords({ pepper, rng: realWorld.rng }).verify(tried, hash.trim())
  const empty = await run(['hash-password'], { input: '' })
  assert.deepEqual([empty.code, empty.stdout, empty.stderr], [1, '', 'The password is empty.\n'])
  const plain = await run(['hash-password'], { input: `${password}\n` })
  assert.equal(plain.code, 0)
  assert.match(plain.stdout, /^\$argon2id\$/)
  assert.equal(await verifies(plain.stdout, ''), true)
  assert.equal(await verifies(plain.stdout, '', 'wrong'), false)

  using place = temporary()
  const { folder } = place
  const generated = await run(['generate-config', '--server-name', 'chat.example', '--data-dir', folder])
  const config = join(folder, 'homeserver.yaml')
  writeFileSync(config, `${generated.stdout}\npassword_config: { pepper: some pepper }\n`)
  /* Without a newline at the end, as `printf` writes it. */
  const peppered = await run(['hash-password', '-c', config], { input: password })
  assert.equal(await verifies(peppered.stdout, 'some pepper'), true)
  assert.equal(await verifies(peppered.stdout, ''), false)
})

test('register-user makes accounts on a running server, from a file, from standard input, administrators too', async () => {
  await using server = await LiveServer.start({ engine: 'sqlite' })
  const file = join(server.folder, 'password')
  writeFileSync(file, 'the password of ann\n')
  const base = ['register-user', '-c', server.configPath, '--url', server.url]
  const ann = await run([...base, '-u', 'ann', '--password-file', file])
  assert.deepEqual([ann.code, ann.stdout], [0, 'Made @ann:live.test.\n'])
  const ben = await run([...base, '-u', 'ben', '--admin'], { input: 'the password of ben\n' })
  assert.deepEqual([ben.code, ben.stdout], [0, 'Made @ben:live.test.\n'])
  for (const name of ['ann', 'ben']) {
    const identifier = { type: 'm.id.user', user: name }
    const login = { type: 'm.login.password', identifier, password: `the password of ${name}` }
    assert.equal((await request(server.url, 'POST', `${V3}/login`, login)).status, 200)
  }
  const twice = await run([...base, '-u', 'ann', '--password-file', file])
  assert.equal(twice.code, 1)
  assert.match(twice.stderr, /The server refused: .*taken/i)
  const nobody = `http://127.0.0.1:${await freePort()}`
  const away = await run([
    'register-user',
    '-c',
    server.configPath,
    '--url',
    nobody,
    '-u',
    'x',
    '--password-file',
    file,
  ])
  assert.equal(away.code, 1)
  assert.match(away.stderr, /does not answer/)
})

const SENT_BEFORE = 30

/** Sends until told to stop; gives the ids of what was acknowledged, in order. */
function sender(server: LiveServer, room: string, { access_token: token }: Session) {
  const ids: string[] = []
  let stop = false
  const work = (async () => {
    for (let i = 0; !stop; i++) {
      const path = `${V3}/rooms/${encodeURIComponent(room)}/send/m.room.message/${i}`
      const sent = await server.call('PUT', path, { msgtype: 'm.text', body: `message ${i}` }, token)
      ids.push(String(sent['event_id']))
    }
  })()
  return {
    ids,
    async end() {
      stop = true
      await work
    },
  }
}

test('backup while messages are sent, restore in a new place, start there, verify', async (t) => {
  await using server = await LiveServer.start({ engine: 'sqlite' })
  const session = await server.makeAccount('ann', 'a password')
  const { room_id } = await server.call('POST', `${V3}/createRoom`, {}, session.access_token)
  const room = String(room_id)
  const sending = sender(server, room, session)
  while (sending.ids.length < SENT_BEFORE) await sleep(5)
  const synced = await server.call('GET', `${V3}/sync`, undefined, session.access_token)
  const before = [...sending.ids]
  const out = join(server.folder, 'backup')
  const saved = await run(['backup', '-c', server.configPath, '-o', out], { msMax: 60_000 })
  await sending.end()
  assert.equal(saved.code, 0, saved.stdout + saved.stderr)
  assert.match(saved.stdout, /No damage found/)
  assert.equal(statSync(out).mode & 0o777, 0o700)
  t.diagnostic(`${before.length} messages before, ${sending.ids.length} at the end of the backup`)
  assert.ok(sending.ids.length > before.length, 'sends went on meanwhile')
  const live = await run(['verify', '-c', server.configPath])
  assert.equal(live.code, 0, live.stdout)
  const occupied = await run(['restore', '-c', server.configPath, '--from', out])
  assert.equal(occupied.code, 1, 'nothing that exists is overwritten')
  await server.stop('SIGKILL')

  const elsewhere = join(server.folder, 'elsewhere')
  mkdirSync(elsewhere)
  const port = await freePort()
  const config = join(elsewhere, 'homeserver.yaml')
  const moved = readFileSync(server.configPath, 'utf8')
    .replaceAll(`${server.folder}/`, `${elsewhere}/`)
    .replace(/port: \d+, bind/, `port: ${port}, bind`)
  writeFileSync(config, moved)
  const restored = await run(['restore', '-c', config, '--from', out], { msMax: 60_000 })
  assert.equal(restored.code, 0, restored.stdout + restored.stderr)
  const clean = await run(['verify', '-c', config])
  assert.deepEqual([clean.code, /No damage found/.test(clean.stdout)], [0, true])

  const program = new Program(['serve', '-c', config])
  try {
    const url = `http://127.0.0.1:${port}`
    await untilReady(program, url)
    const get = (path: string) => request(url, 'GET', path, undefined, session.access_token)
    for (const id of before) {
      const { status } = await get(`${V3}/rooms/${encodeURIComponent(room)}/event/${encodeURIComponent(id)}`)
      assert.equal(status, 200, `${id} was acknowledged before the backup`)
    }
    const resumed = await get(`${V3}/sync?since=${String(synced['next_batch'])}`)
    assert.equal(resumed.status, 200, 'a sync token of before begins anew')
    assert.ok(JSON.stringify(resumed.json['rooms']).includes(room))
    assert.notEqual(resumed.json['next_batch'], synced['next_batch'])
    program.child.kill('SIGTERM')
    assert.equal(await program.end(), 0)
  } finally {
    if (!program.over) program.child.kill('SIGKILL')
  }
})

test('verify finds a changed byte, and says so with its exit code', async () => {
  await using server = await LiveServer.start({ engine: 'sqlite' })
  const session = await server.makeAccount('ann', 'a password')
  const room = await server.call('POST', `${V3}/createRoom`, { name: 'A room of owls' }, session.access_token)
  assert.equal(typeof room['room_id'], 'string')
  assert.equal(await server.stop(), 0)
  const database = join(server.folder, 'homeserver.db')
  const bytes = readFileSync(database)
  const at = bytes.indexOf('"name":"A room of owls"')
  assert.ok(at > 0, 'the event stands in the file as text')
  bytes.write('"name":"A room of owlz"', at)
  writeFileSync(database, bytes)
  const { code, stdout } = await run(['verify', '-c', server.configPath])
  assert.equal(code, 1, stdout)
  assert.match(stdout, /Damage found/)
})
