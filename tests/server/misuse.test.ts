/** What a clumsy operator does: every answer is a sentence, and nothing is left behind or held up. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseSigningKeys } from '#/protocol/crypto/signing-key-file.ts'
import { freePort, LiveServer, MYELIN_BIN, plainListener, run, temporary } from '../support/live-server.ts'

const noFullDisk = existsSync('/dev/full') ? false : 'this system has no /dev/full'

/** A configuration of its own with SQLite; gives its path. */
async function configured(folder: string, more = ''): Promise<{ config: string; url: string }> {
  const config = join(folder, 'homeserver.yaml')
  const port = await freePort()
  const lines = [
    'server_name: example.org',
    `listeners:\n${plainListener(port)}`,
    `database: { name: sqlite3, args: { database: '${folder}/homeserver.db' } }`,
    `signing_key_path: ${folder}/signing.key`,
    more,
  ]
  writeFileSync(config, lines.join('\n'))
  return { config, url: `http://127.0.0.1:${port}` }
}

async function answers(url: string): Promise<boolean> {
  for (let tries = 0; tries < 300; tries++) {
    const ok = await fetch(`${url}/_matrix/client/versions`, { signal: AbortSignal.timeout(1000) }).then(
      (response) => response.ok,
      () => false,
    )
    if (ok) return true
    await sleep(50)
  }
  return false
}

for (const [name, stdio] of [
  ['its log', ['ignore', 'full', 'ignore']],
  ['what it says at the start', ['ignore', 'ignore', 'full']],
] as const) {
  test(`a full disk under ${name} holds no server up`, { skip: noFullDisk }, async () => {
    using place = temporary()
    const { config, url } = await configured(place.folder)
    const child = spawn(MYELIN_BIN, ['serve', '-c', config], {
      stdio: stdio.map((one) => (one === 'full' ? openSync('/dev/full', 'w') : 'ignore')),
    })
    const over = once(child, 'exit')
    try {
      assert.ok(await answers(url))
      // The log is written once a second.
      await sleep(1500)
      for (let i = 0; i < 20; i++) assert.ok(await answers(url))
      child.kill('SIGTERM')
      assert.deepEqual(await Promise.race([over, sleep(8000, 'late')]), [0, null])
    } finally {
      child.kill('SIGKILL')
    }
  })
}

test('the result of a command on a full disk, or with nobody to read it, is no stack', {
  skip: noFullDisk,
}, async () => {
  const full = openSync('/dev/full', 'w')
  const child = spawn(MYELIN_BIN, ['generate-config', '--server-name', 'example.org'], {
    stdio: ['ignore', full, 'pipe'],
  })
  let said = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  assert.deepEqual(await once(child, 'close'), [1, null])
  assert.equal(said, 'The output cannot be written: the disk is full.\n')
  const piped = spawn('sh', ['-c', `"${MYELIN_BIN}" generate-config --server-name example.org | true`], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let stderr = ''
  piped.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  await once(piped, 'close')
  assert.equal(stderr, '')
})

test('files that are not there, or are folders, are told by name and without a stack', async () => {
  using place = temporary()
  const { folder } = place
  const { config } = await configured(folder, 'registration_shared_secret: x')
  const absent = join(folder, 'absent')
  const there = join(folder, 'there')
  writeFileSync(there, 'x')
  const user = ['register-user', '-c', config, '-u', 'ann', '--password-file']
  const wrong: [args: string[], said: RegExp][] = [
    [['serve', '-c', absent], /^.*\/absent: expected a readable file: there is no such file or folder\n$/],
    [['check-config', '-c', there], /^$/],
    [['generate-signing-key', '-o', there], /^.*\/there: it exists already and is not replaced\n$/],
    [['serve', '--data-dir', there], /^.*\/there: it is a file, not a folder\n$/],
    [[...user, absent], /^the password, .*\/absent, cannot be read: there is no such file or folder\n$/],
    [[...user, folder], /^the password, .*, cannot be read: it is a folder, not a file\n$/],
    [[...user, there, '--url', 'nonsense'], /^--url must be an address such as .*, not nonsense\n$/],
    [[...user, there], /^The server at http:\/\/127\.0\.0\.1:\d+ does not answer: nothing listens there\n$/],
    [['restore', '-c', config, '--from', absent], /its manifest\.json cannot be read: there is no such file/],
    [['verify', '-c', config], /^there is no database .*\/homeserver\.db\n$/],
  ]
  for (const [args, said] of wrong) {
    const { code, stderr } = await run(args)
    assert.equal(code, 1, args.join(' '))
    assert.match(stderr, said, args.join(' '))
  }
})

test('a database in a folder that is not there is told by name', async () => {
  using place = temporary()
  const { config } = await configured(place.folder)
  const text = readFileSync(config, 'utf8').replace('/homeserver.db', '/nothing/homeserver.db')
  writeFileSync(config, text)
  const { code, stderr } = await run(['serve', '-c', config])
  assert.equal(code, 1)
  assert.match(
    stderr,
    /the database .*\/nothing\/homeserver\.db cannot be opened for writing: .*\/nothing: there is/,
  )
})

test('a signing key that was lost is made anew with a warning', async () => {
  using place = temporary()
  const { config, url } = await configured(place.folder)
  const child = spawn(MYELIN_BIN, ['serve', '-c', config], { stdio: ['ignore', 'pipe', 'ignore'] })
  let log = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    log += text
  })
  const over = once(child, 'exit')
  assert.ok(await answers(url))
  child.kill('SIGTERM')
  await over
  assert.match(log, /made .*signing\.key, because the configuration names it and it was not there/)
})

test('register-user finds the server by its configuration', async () => {
  await using server = await LiveServer.start({ engine: 'sqlite' })
  const { code, stdout } = await run(['register-user', '-c', server.configPath, '-u', 'eve'], {
    input: 'secret eve\n',
  })
  assert.deepEqual([code, stdout], [0, 'Made @eve:live.test.\n'])
})

test('a backup holds what the configuration names; a failed one leaves nothing', async () => {
  using place = temporary()
  const { folder } = place
  const key = (await run(['generate-signing-key'])).stdout.trim()
  assert.ok(parseSigningKeys(key).ok)
  writeFileSync(join(folder, 'secret'), 'the form secret')
  const more = `signing_key: ${key}\nform_secret_path: ${folder}/secret`
  const { config, url } = await configured(folder, more)
  const failed = await run(['backup', '-c', config, '-o', join(folder, 'none')])
  assert.match(failed.stderr, /^there is no database /)
  assert.deepEqual(readdirSync(folder).sort(), ['homeserver.yaml', 'secret'])

  const child = spawn(MYELIN_BIN, ['serve', '-c', config], { stdio: 'ignore' })
  const over = once(child, 'exit')
  assert.ok(await answers(url))
  const out = join(folder, 'backup')
  const { code, stderr } = await run(['backup', '-c', config, '-o', out])
  assert.equal(code, 0, stderr)
  child.kill('SIGTERM')
  await over
  assert.deepEqual(readdirSync(join(out, 'config')).sort(), ['homeserver.yaml', 'secret'])
  assert.ok(!existsSync(join(out, 'key')), 'the key is in the configuration')
  mkdirSync(join(folder, 'new'))
  const text = readFileSync(config, 'utf8').replace('/homeserver.db', '/new/homeserver.db')
  writeFileSync(config, text)
  const restored = await run(['restore', '-c', config, '--from', out, '--config-folder', join(folder, 'new')])
  assert.equal(restored.code, 0, restored.stderr)
  assert.deepEqual(readdirSync(join(folder, 'new')).sort(), ['homeserver.db', 'homeserver.yaml', 'secret'])
})
