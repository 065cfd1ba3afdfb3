import assert from 'node:assert/strict'
import { mkdtempDisposableSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { POSTGRES_WRITERS_DEFAULT } from '#/storage/limits.ts'
import { databaseLocation, readersOf } from './database.ts'

test('cp_max bounds all connections: those that write, the one that holds the lock, and the rest for reads', () => {
  const readers = (args: Record<string, unknown>) => readersOf({ engine: 'postgres', args })
  assert.equal(readers({ cp_max: 10 }), 10 - POSTGRES_WRITERS_DEFAULT - 1)
  assert.equal(readers({ cp_max: 1 }), 1)
  assert.equal(readers({}), undefined)
  assert.equal(readersOf({ engine: 'sqlite', path: 'x', args: {} }), undefined)
})

test('sslmode and its files, for the client and for the programs of PostgreSQL', () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), 'ssl-'))
  const root = join(folder.path, 'root.pem')
  writeFileSync(root, 'a certificate')
  const targetOf = (args: Record<string, unknown>) => {
    const location = databaseLocation({ engine: 'postgres', args: { host: 'db', ...args } })
    assert.ok(location.engine === 'postgres')
    return location.target as { ssl?: Record<string, unknown>; libpq?: object }
  }
  assert.equal(targetOf({}).ssl, undefined)
  assert.equal(targetOf({ sslmode: 'prefer' }).ssl, undefined)
  assert.deepEqual(targetOf({ sslmode: 'require' }).ssl, { rejectUnauthorized: false })
  const full = targetOf({ sslmode: 'verify-full', sslrootcert: root })
  assert.deepEqual(full.ssl, { rejectUnauthorized: true, ca: 'a certificate' })
  assert.deepEqual(full.libpq, { sslmode: 'verify-full', sslrootcert: root })
  const signer = targetOf({ sslmode: 'verify-ca' }).ssl
  assert.equal(signer?.['rejectUnauthorized'], true)
  assert.equal(typeof signer?.['checkServerIdentity'], 'function')
  assert.throws(
    () => targetOf({ sslmode: 'verify-full', sslrootcert: '/nothing/here' }),
    /`sslrootcert` of the database, \/nothing\/here, cannot be read: there is no such file/,
  )
})
