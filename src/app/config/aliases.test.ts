import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ALIASES, applyAliases } from './aliases.ts'
import { plainOf } from './node.ts'
import type { Fields } from './option.ts'
import { TABLE } from './table.ts'
import { nodeAt } from './tree-edit.ts'
import { readYaml } from './yaml-node.ts'

function apply(text: string) {
  const { root, problems, notices } = applyAliases(readYaml(text, 'f').root!)
  const at = (key: string) => {
    const node = nodeAt(root, key)
    return node && JSON.parse(JSON.stringify(plainOf(node)))
  }
  return { at, root, problems, notices }
}

test('old names move to their new places and say so with their line', () => {
  const { at, notices } = apply(
    '\nuse_presence: false\nrc_messages_per_second: 3\nrc_message_burst_count: 4\nfederation_rc_concurrent: 5\n',
  )
  assert.equal(at('presence.enabled'), false)
  assert.deepEqual(at('rc_message'), { per_second: 3, burst_count: 4 })
  assert.deepEqual(at('rc_federation'), { concurrent: 5 })
  assert.equal(at('use_presence'), undefined)
  assert.deepEqual(notices[0], {
    kind: 'deprecated',
    file: 'f',
    line: 2,
    key: 'use_presence',
    text: 'old name; write presence.enabled',
  })
})

test('a value in the new place wins', () => {
  const { at, notices } = apply('use_presence: false\npresence: {enabled: true}\n')
  assert.equal(at('presence.enabled'), true)
  assert.match(notices[0]!.text, /passed over/)
})

test('values that are turned: closed registration, database path, invite state, backup store', () => {
  assert.equal(apply('disable_registration: true\n').at('enable_registration'), false)
  assert.equal(apply('disable_registration: "no"\n').at('enable_registration'), true)
  assert.deepEqual(apply('database_path: /d.db\n').at('database'), { args: { database: '/d.db' } })
  assert.deepEqual(apply('room_invite_state_types: [m.room.name]\n').at('room_prejoin_state'), {
    disable_default_event_types: true,
    additional_event_types: ['m.room.name'],
  })
  assert.equal(apply('backup_media_store_path: /b\n').at('media_storage_providers')[0].config.directory, '/b')
})

test('nested old names', () => {
  assert.deepEqual(apply('email: {riot_base_url: "https://x", app_name: A}\n').at('email'), {
    app_name: 'A',
    client_base_url: 'https://x',
  })
})

test('what does nothing says so; what cannot be kept refuses', () => {
  const dropped = apply('ldap_config: {enabled: true}\n')
  assert.deepEqual(
    dropped.notices.map((n) => [n.kind, n.key]),
    [['no-effect', 'ldap_config']],
  )
  const refused = apply(
    'log_file: x\nbind_port: 8448\nno_tls: true\ninvite_3pid_guest: false\naccount_threepid_delegates: {email: x}\n',
  )
  assert.deepEqual(
    refused.problems.map((p) => [p.line, p.key]),
    [
      [1, 'log_file'],
      [2, 'bind_port'],
      [3, 'no_tls'],
      [5, 'account_threepid_delegates.email'],
    ].sort((a, b) => order(a[1] as string) - order(b[1] as string)),
  )
  assert.deepEqual(apply('experimental_features: {msc3861: {}}\n').problems, [])
})

function order(key: string): number {
  return ALIASES.findIndex((alias) => alias.key === key)
}

test('every old name leads to an option of the table and is none itself', () => {
  const top: Fields = Object.assign({}, ...Object.values(TABLE))
  for (const alias of ALIASES) {
    assert.ok(!find(top, alias.key), `${alias.key} is in the table`)
    if ('to' in alias) assert.ok(find(top, alias.to), `${alias.to} is not in the table`)
  }
})

function find(fields: Fields, key: string): boolean {
  const [first = '', ...rest] = key.split('.')
  const row = fields[first]
  return (
    row !== undefined &&
    (rest.length === 0 || (row.type.fields !== undefined && find(row.type.fields, rest.join('.'))))
  )
}
