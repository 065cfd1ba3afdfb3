/**
 * Every option with the status `supported` is read: a file that changes it alone gives the server something else. What
 * is not handed on as plain values is named with the file that reads it.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { Config } from './config/config.ts'
import { loadConfig } from './config/load.ts'
import { memoryFiles } from './config/memory-files.ts'
import type { Fields, Option } from './config/option.ts'
import { Secret } from './config/secret.ts'
import { TABLE } from './config/table.ts'
import { configuredRates } from './rate-limits.ts'
import { serverOptions } from './server-options.ts'

type Written = { [key: string]: unknown }

/** A file in which whatever switches others on is on. */
const CONTEXT: Written = {
  server_name: 'example.org',
  public_baseurl: 'https://m.example.org/',
  listeners: [{ port: 8008, type: 'http', resources: [{ names: ['client'] }] }],
  database: { name: 'sqlite3', args: { database: 'home.db' } },
  enable_registration_without_verification: true,
  auto_join_mxid_localpart: 'greeter',
  require_auth_for_profile_requests: true,
  password_config: { policy: { enabled: true } },
  max_event_delay_duration: '1d',
  rc_admin_redaction: { per_second: 1, burst_count: 1 },
  form_secret: 'a form secret',
  user_consent: { template_dir: '/work/policy', version: '1.0' },
  server_notices: { system_mxid_localpart: 'notices' },
  limit_usage_by_mau: true,
  alias_creation_rules: [{}],
  room_list_publication_rules: [{}],
  retention: { enabled: true, default_policy: {}, purge_jobs: [{ interval: '1d' }] },
  matrix_rtc: { transports: [{ type: 'livekit' }] },
}

const FILES = memoryFiles({
  '/work/policy/en/1.0.html': 'one',
  '/work/policy/en/2.0.html': 'two',
  '/work/elsewhere/en/1.0.html': 'another',
})

/** Values for options where those by type would not do. */
const SAMPLES: Written = {
  server_name: 'example.com',
  default_room_version: '11',
  'password_config.enabled': false,
  'presence.last_active_granularity': '2m',
  extra_well_known_client_content: { 'org.example.x': {} },
  'myelin.well_known_support': { support_page: 'https://example.org/help' },
  'myelin.well_known_policy_server': { public_keys: { ed25519: 'AAAA' } },
  default_power_level_content_override: { public_chat: { ban: 1 } },
  'user_consent.template_dir': '/work/elsewhere',
  'user_consent.version': '2.0',
  'user_consent.server_notice_content': { msgtype: 'm.text', body: 'x' },
  'experimental_features.msc4140_max_delayed_events_per_user': 7,
}

/** Options that Synapse reads without an effect, and so does this server. */
const WITHOUT_EFFECT = new Set(['retention.default_policy.min_lifetime'])

/** Options that are read by other parts of the program than those asked below: the file, and what it reads. */
const READ_BY: { readonly [key: string]: readonly [file: string, text: string] } = {
  listeners: ['listen.ts', 'config.listeners'],
  'myelin.trusted_proxies': ['listen.ts', 'trustedProxies'],
  'myelin.log_level': ['serve.ts', 'config.logging.level'],
  'myelin.reader_threads': ['database.ts', 'readerThreads'],
  database: ['database.ts', 'config.database'],
  enable_metrics: ['server.ts', 'config.metrics.enableMetrics'],
  databases: ['database.ts', 'config.database'],
  log_config: ['serve.ts', 'config.logging.level'],
  signing_key: ['server.ts', 'signingKey?.reveal()'],
  signing_key_path: ['server.ts', 'readOwnFile(signingKeyPath'],
  tls_certificate_path: ['listen.ts', 'tlsCertificatePath'],
  tls_private_key_path: ['listen.ts', 'tlsPrivateKeyPath'],
}

function* leaves(fields: Fields, prefix = ''): Generator<[string, Option<unknown>]> {
  for (const [key, row] of Object.entries(fields)) {
    if (row.status.state !== 'supported') continue
    if (row.type.fields) yield* leaves(row.type.fields, `${prefix}${key}.`)
    else yield [`${prefix}${key}`, row]
  }
}

/** Another value than the default, by the name of the type. */
function sampleOf(key: string, row: Option<unknown>, present: unknown): unknown {
  if (Object.hasOwn(SAMPLES, key)) return SAMPLES[key]
  const { name } = row.type
  const now = present ?? row.fallback
  if (name.startsWith('boolean')) return now !== true
  if (name === 'duration') return '17m'
  if (name === 'integer') return now === 7 ? 8 : 7
  if (name === 'number') return 0.5
  if (name.startsWith('`'))
    return name
      .split(', ')
      .map((each) => each.replaceAll('`', ''))
      .find((each) => each !== now)
  if (name === 'URL') return 'https://changed.example.org/'
  if (name === 'size') return '33M'
  if (name === 'list of string') return ['#changed:example.org']
  if (name === 'string' || name === 'secret' || name === 'glob') return 'changed'
  throw new Error(`no value for ${key}, a ${name}: give one in SAMPLES, or say in READ_BY who reads it`)
}

/** The context with one option set; in a list of maps in its first one. */
function written(key: string, value: (present: unknown) => unknown): string {
  const file = structuredClone(CONTEXT)
  const names = key.split('.')
  const last = names.pop() as string
  let at = file
  for (const name of names) {
    at[name] ??= {}
    const next = at[name]
    at = (Array.isArray(next) ? next[0] : next) as Written
  }
  at[last] = value(at[last])
  return JSON.stringify(file)
}

function load(text: string): Config {
  return loadConfig(['h.yaml'], {
    ...FILES,
    readText: (path) => (path === '/work/h.yaml' ? text : FILES.readText(path)),
  }).config
}

/** What the parts of the server are told, as text. */
function told(config: Config): string {
  const all = [serverOptions(config, FILES), configuredRates(config.rateLimits), config.passwords.pepper]
  return JSON.stringify(all, (_, value) => {
    if (value instanceof Secret) return value.reveal()
    if (value instanceof Map || value instanceof Set) return [...value]
    return value
  })
}

test('every supported option changes what the server is told, or names who reads it', () => {
  const before = told(load(JSON.stringify(CONTEXT)))
  const unread: string[] = []
  for (const fields of Object.values(TABLE)) {
    for (const [key, row] of leaves(fields as Fields)) {
      const reader = Object.entries(READ_BY).find(([name]) => key === name || key.startsWith(`${name}.`))
      if (reader || WITHOUT_EFFECT.has(key)) continue
      const after = told(load(written(key, (present) => sampleOf(key, row, present))))
      if (after === before) unread.push(key)
    }
  }
  assert.deepEqual(unread, [])
})

test('whoever is named as a reader reads', () => {
  for (const [key, [file, text]] of Object.entries(READ_BY)) {
    const source = readFileSync(new URL(file, import.meta.url), 'utf8')
    assert.ok(source.includes(text), `${file} does not read ${key}`)
  }
})
