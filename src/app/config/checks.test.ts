import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadConfig } from './load.ts'
import { memoryFiles } from './memory-files.ts'
import { ConfigError } from './problems.ts'

/** The lines and keys of the problems; the text of the operator starts on line 4. */
function problems(text: string, serverName = 'a.example'): string[] {
  const head = `server_name: ${JSON.stringify(serverName)}\ndatabase: {args: {database: x}}\nlisteners: []\n`
  try {
    loadConfig(['h.yaml'], memoryFiles({ '/work/h.yaml': `${head}${text}\n` }))
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map((p) => `${p.line} ${p.key}`)
    throw error
  }
  return []
}

test('server names', () => {
  for (const name of [
    'example.org',
    'localhost',
    'a.b:8448',
    '1.2.3.4',
    '1.2.3.4:80',
    '[::1]',
    '[2001:db8::1]:8448',
    'UPPER.org',
  ]) {
    assert.deepEqual(problems('', name), [], name)
  }
  for (const name of [
    '',
    'exa mple',
    'a_b',
    'https://a',
    'a/b',
    'a:b',
    '::1',
    '[::1',
    '[x]',
    'a:999999',
    'ü.org',
    'a'.repeat(300),
  ]) {
    assert.deepEqual(problems('', name), ['1 server_name'], name)
  }
})

test('values beyond their type', () => {
  assert.deepEqual(problems('public_baseurl: https://a/?x=1'), ['4 public_baseurl'])
  assert.deepEqual(problems('default_room_version: 13'), ['4 default_room_version'])
  assert.deepEqual(problems('default_room_version: 10'), [])
  assert.deepEqual(problems('extra_well_known_client_content:\n  m.homeserver: {}'), [
    '4 extra_well_known_client_content',
  ])
  assert.deepEqual(problems('auto_join_rooms: ["!x:y"]'), ['4 auto_join_rooms'])
})

test('open registration needs a hurdle that works, or to be said twice', () => {
  assert.deepEqual(problems('enable_registration: true'), ['4 enable_registration'])
  assert.deepEqual(problems('enable_registration: true\nenable_registration_without_verification: true'), [])
  assert.deepEqual(problems('enable_registration: true\nregistration_requires_token: true'), [])
})

test('timers of presence and lifetimes of sessions fit each other', () => {
  assert.deepEqual(problems('presence:\n  idle_timeout: 30s'), ['5 presence.idle_timeout'])
  assert.deepEqual(problems('session_lifetime: 1h\nrefresh_token_lifetime: 2h'), ['5 refresh_token_lifetime'])
  assert.deepEqual(problems('session_lifetime: 1m\nrefreshable_access_token_lifetime: 5m'), [
    '5 refreshable_access_token_lifetime',
  ])
  assert.deepEqual(problems('session_lifetime: 1m'), [], 'the default is not held against it')
})

test('options that need each other', () => {
  assert.deepEqual(problems('limit_profile_requests_to_users_who_share_rooms: true'), [
    '4 limit_profile_requests_to_users_who_share_rooms',
  ])
  assert.deepEqual(problems('autocreate_auto_join_room_preset: private_chat'), [
    '4 autocreate_auto_join_room_preset',
  ])
  assert.deepEqual(problems('email: {force_tls: true, enable_tls: false}'), ['4 email.force_tls'])
  assert.deepEqual(problems('url_preview_enabled: true'), ['4 url_preview_enabled'])
  const support = 'myelin.well_known_support'
  assert.deepEqual(problems('myelin: {well_known_support: {contacts: []}}'), [`4 ${support}`])
  assert.deepEqual(problems('myelin: {well_known_support: {support_page: "https://a.example/"}}'), [])
  const policy = 'myelin.well_known_policy_server'
  assert.deepEqual(problems('myelin: {well_known_policy_server: {public_keys: {rsa: x}}}'), [`4 ${policy}`])
  assert.deepEqual(problems('myelin: {well_known_policy_server: {public_keys: null}}'), [`4 ${policy}`])
  assert.deepEqual(problems('myelin: {well_known_policy_server: {public_keys: {ed25519: x}}}'), [])
  assert.deepEqual(problems('redis: {username: x}'), ['4 redis.username'])
  assert.deepEqual(problems('jwt_config: {enabled: true}'), ['4 jwt_config.algorithm', '4 jwt_config.secret'])
})
