import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Rng, realWorld } from '#/base/world.ts'
import { diskReader } from './files.ts'
import { generateConfig, newServerPaths } from './generate.ts'
import { loadConfig } from './load.ts'
import { memoryFiles } from './memory-files.ts'
import { generateSigningKey } from './signing-key.ts'
import { createMissingFiles, writePrivateFile } from './write-private.ts'

/** Counts up, so that two secrets differ. */
function countingRng(): Rng {
  let n = 0
  return { bytes: (length) => Buffer.alloc(length, ++n), below: (limit) => n++ % limit }
}

function inTempFolder(run: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'config-test-'))
  try {
    run(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('a generated configuration loads without a warning: closed, local, SQLite', () => {
  const text = generateConfig({ serverName: 'example.org', dataDir: '/data', rng: countingRng() })
  const { config, missing, notYet, warnings } = loadConfig(
    ['/data/homeserver.yaml'],
    memoryFiles({ '/data/homeserver.yaml': text }),
  )
  assert.deepEqual([warnings, notYet], [[], []])
  assert.equal(config.registration.enableRegistration, false)
  assert.deepEqual(
    config.listeners.map((l) => l.kind === 'tcp' && [l.bindAddresses, l.port, l.resources]),
    [[['127.0.0.1'], 8008, ['client', 'federation']]],
  )
  assert.equal(config.database.engine === 'sqlite' && config.database.path, '/data/homeserver.db')
  assert.deepEqual(missing, [{ holds: 'signing key', path: '/data/example.org.signing.key' }])
  const secrets = [
    config.registration.registrationSharedSecret,
    config.api.macaroonSecretKey,
    config.api.formSecret,
  ]
  const revealed = secrets.map((secret) => secret?.reveal() ?? '')
  assert.equal(new Set(revealed).size, 3)
  for (const secret of revealed) assert.match(secret, /^[A-Za-z0-9]{50}$/)
})

test('odd names and folders are quoted', () => {
  const dataDir = '/da ta/"x": #y\\z'
  const text = generateConfig({ serverName: '[::1]:8448', dataDir, rng: countingRng() })
  const path = newServerPaths({ serverName: '[::1]:8448', dataDir }).config
  const { config } = loadConfig([path], memoryFiles({ [path]: text }))
  assert.equal(config.server.serverName, '[::1]:8448')
  assert.equal(config.database.engine === 'sqlite' && config.database.path, `${dataDir}/homeserver.db`)
})

test('a signing key has Synapse’s format', () => {
  const key = generateSigningKey(countingRng())
  assert.match(key, /^ed25519 a_[A-Za-z]{4} [A-Za-z0-9+/]{43}\n$/)
  assert.equal(Buffer.from(key.trim().split(' ')[2] ?? '', 'base64').length, 32)
  assert.notEqual(generateSigningKey(realWorld.rng), generateSigningKey(realWorld.rng))
})

test('private files: 0600 in folders 0700, never overwritten', () => {
  inTempFolder((folder) => {
    const path = join(folder, 'new', 'deep', 'file')
    writePrivateFile(path, 'one')
    assert.equal(statSync(path).mode & 0o777, 0o600)
    assert.equal(statSync(join(folder, 'new')).mode & 0o777, 0o700)
    assert.equal(statSync(join(folder, 'new', 'deep')).mode & 0o777, 0o700)
    assert.throws(() => writePrivateFile(path, 'two'), { code: 'EEXIST' })
    assert.equal(readFileSync(path, 'utf8'), 'one')
  })
})

test('missing files are made once', () => {
  inTempFolder((folder) => {
    const config = join(folder, 'h.yaml')
    writeFileSync(
      config,
      'server_name: a\nlisteners: []\ndatabase: {args: {database: d}}\nregistration_shared_secret_path: reg\n',
    )
    const files = diskReader(folder)
    const made = createMissingFiles(loadConfig([config], files).missing, realWorld.rng)
    assert.deepEqual(made, [join(folder, 'reg'), join(folder, 'a.signing.key')])
    const again = loadConfig([config], files)
    assert.deepEqual(again.missing, [])
    assert.match(again.config.registration.registrationSharedSecret?.reveal() ?? '', /^[A-Za-z0-9]{50}$/)
  })
})

test('the disk reader lists folders and refuses what it cannot read', () => {
  inTempFolder((folder) => {
    mkdirSync(join(folder, 'sub'))
    writeFileSync(join(folder, 'a.yaml'), 'x: 1')
    const files = diskReader(folder)
    const listed = files.list(folder)?.toSorted((a, b) => (a.name < b.name ? -1 : 1))
    assert.deepEqual(listed, [
      { name: 'a.yaml', isFile: true },
      { name: 'sub', isFile: false },
    ])
    assert.equal(files.list(join(folder, 'a.yaml')), undefined)
    assert.throws(() => files.readText(join(folder, 'gone')), { code: 'ENOENT' })
  })
})
