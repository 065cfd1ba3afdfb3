import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { type Loaded, loadConfig } from './load.ts'
import { memoryFiles } from './memory-files.ts'
import { ConfigError, describe } from './problems.ts'
import { Secret } from './secret.ts'

const BASE = `server_name: example.org
listeners:
  - {port: 8008, type: http, resources: [{names: [client]}]}
database: {name: sqlite3, args: {database: home.db}}
`

function fixture(name: string): string {
  return readFileSync(new URL(`../../../tests/fixtures/config/${name}`, import.meta.url), 'utf8')
}

/** Loads one file `/work/h.yaml` with this text after the base. */
function load(text: string, others: Record<string, string> = {}): Loaded {
  return loadConfig(['h.yaml'], memoryFiles({ '/work/h.yaml': BASE + text, ...others }))
}

/** Problems as `line: key: text`; the base has four lines. */
function problemsOf(text: string, others: Record<string, string> = {}): string[] {
  try {
    load(text, others)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.problems.map((p) => describe(p).replace('/work/h.yaml:', ''))
  }
  return []
}

function warningsOf(loaded: Loaded): string[] {
  return loaded.warnings.map((w) => `${w.kind} ${describe(w).replace('/work/h.yaml:', '')}`)
}

test('a file that Synapse wrote loads', () => {
  const files = memoryFiles({
    '/data/homeserver.yaml': fixture('synapse.yaml'),
    '/data/example.org.log.config': fixture('synapse.log.config'),
    '/data/example.org.signing.key': 'ed25519 a_test AAAA\n',
  })
  const { config, missing, notYet, warnings } = loadConfig(['/data/homeserver.yaml'], files)
  assert.equal(config.server.serverName, 'example.org')
  assert.deepEqual(config.listeners, [
    {
      kind: 'tcp',
      type: 'http',
      key: 'listeners[0]',
      tag: '8008',
      port: 8008,
      bindAddresses: ['::1', '127.0.0.1'],
      tls: false,
      xForwarded: true,
      requestIdHeader: null,
      resources: ['client', 'federation'],
      compressed: [],
    },
  ])
  assert.deepEqual(
    [config.database.engine, config.database.engine === 'sqlite' && config.database.path],
    ['sqlite', '/data/homeserver.db'],
  )
  assert.equal(
    config.registration.registrationSharedSecret?.reveal(),
    ',made-up:Registration*Secret#1=;&@~^0',
  )
  assert.equal(config.keys.signingKeyPath, '/data/example.org.signing.key')
  assert.deepEqual(missing, [])
  assert.ok(warnings.every((w) => w.kind !== 'unknown'))
  for (const entry of notYet) assert.ok(['media_store_path'].includes(entry), entry)
})

test('the defaults are those of Synapse 1.163', () => {
  const { config } = load('')
  assert.equal(config.server.publicBaseurl, 'https://example.org/')
  assert.equal(config.server.servesClientWellknown, false)
  assert.equal(config.server.defaultRoomVersion, '12')
  assert.deepEqual(config.rateLimits.rcMessage, { perSecond: 0.2, burstCount: 10 })
  assert.deepEqual(config.rateLimits.rcRegistration, { perSecond: 0.17, burstCount: 3 })
  assert.deepEqual(config.rateLimits.rcLogin, {
    address: { perSecond: 0.003, burstCount: 5 },
    account: { perSecond: 0.003, burstCount: 5 },
    failedAttempts: { perSecond: 0.17, burstCount: 3 },
  })
  assert.deepEqual(config.rateLimits.rcJoins, {
    local: { perSecond: 0.1, burstCount: 10 },
    remote: { perSecond: 0.01, burstCount: 10 },
  })
  assert.deepEqual(config.rateLimits.rcThirdPartyInvite, { perSecond: 0.0025, burstCount: 5 })
  assert.equal(config.rateLimits.rcAdminRedaction, null)
  assert.equal(config.media.maxUploadSize, 52_428_800)
  assert.equal(config.media.mediaStorePath, '/work/media_store')
  assert.equal(config.blocking.redactionRetentionPeriod, 604_800_000)
  assert.equal(config.blocking.userIpsMaxAge, 2_419_200_000)
  assert.equal(config.sessions.sessionLifetime, null)
  assert.equal(config.sessions.refreshableAccessTokenLifetime, 300_000)
  assert.equal(config.registration.enableRegistration, false)
  assert.equal(config.keys.keyRefreshInterval, 86_400_000)
  assert.deepEqual([config.passwords.enabledForLogin, config.passwords.enabledForReauth], [true, true])
  assert.equal(config.server.ipRangeBlacklist.length, 19)
  assert.equal(config.federation.federationDomainWhitelist, null)
  assert.equal(config.keys.signingKeyPath, '/work/example.org.signing.key')
  assert.equal(config.logging.level, 'info')
  assert.deepEqual(config.listeners[0]?.kind === 'tcp' && config.listeners[0].bindAddresses, [
    '::',
    '0.0.0.0',
  ])
})

test('public_baseurl gets its slash and switches the client well-known on', () => {
  const { config } = load('public_baseurl: https://m.example.org\n')
  assert.equal(config.server.publicBaseurl, 'https://m.example.org/')
  assert.equal(config.server.servesClientWellknown, true)
})

test('files merge by top-level key and the later file wins', () => {
  const files = memoryFiles({
    '/work/a.yaml': `${BASE}rc_login:\n  address: {per_second: 1}\nenable_metrics: true\n`,
    '/work/b.yaml': 'rc_login:\n  account: {per_second: 2}\n',
  })
  const { config, files: read } = loadConfig(['a.yaml', 'b.yaml'], files)
  assert.deepEqual(read, ['/work/a.yaml', '/work/b.yaml'])
  assert.deepEqual(config.rateLimits.rcLogin.account, { perSecond: 2, burstCount: 5 })
  assert.deepEqual(
    config.rateLimits.rcLogin.address,
    { perSecond: 0.003, burstCount: 5 },
    'replaced as a whole',
  )
  assert.equal(config.metrics.enableMetrics, true)
})

test('a folder stands for its yaml files in sorted order, other entries are passed over', () => {
  const files = memoryFiles({
    '/etc/m/20.yaml': 'server_name: second.example\n',
    '/etc/m/10.yaml': BASE,
    '/etc/m/README': 'not yaml',
    '/etc/m/sub/30.yaml': 'server_name: third.example\n',
  })
  const loaded = loadConfig(['/etc/m'], files)
  assert.deepEqual(loaded.files, ['/etc/m/10.yaml', '/etc/m/20.yaml'])
  assert.equal(loaded.config.server.serverName, 'second.example')
  assert.equal(loaded.config.keys.signingKeyPath, '/etc/m/second.example.signing.key')
  assert.deepEqual(
    loaded.warnings.filter((w) => w.kind === 'ignored').map((w) => w.file),
    ['/etc/m/README', '/etc/m/sub'],
  )
})

test('all problems are reported at once, each with file, line and key, in order', () => {
  const text =
    'session_lifetime: 3 days\nmax_upload_size: lots\nenable_registration: perhaps\nrc_message:\n  per_second: -1\n'
  assert.deepEqual(problemsOf(text), [
    '5: session_lifetime: expected a duration: whole milliseconds, or a whole number followed by s, m, h, d, w or y, more than 0, found "3 days"',
    '6: max_upload_size: expected a size: whole bytes, or a whole number followed by K, M, G or T (powers of 1024), found "lots"',
    '7: enable_registration: expected true or false, found "perhaps"',
    '9: rc_message.per_second: expected a number, at least 0, found the number -1',
  ])
})

test('problems in a second file name that file', () => {
  const files = memoryFiles({ '/work/a.yaml': BASE, '/work/b.yaml': '\n\nenable_search: 3\n' })
  assert.throws(
    () => loadConfig(['a.yaml', 'b.yaml'], files),
    /\/work\/b\.yaml:3: enable_search: expected true or false/,
  )
})

test('each kind of wrong value is refused with its line', () => {
  const cases: [string, RegExp][] = [
    ['listeners: 5', /^5: listeners: expected a list of .*, found the number 5$/],
    [
      'listeners:\n  - {port: 99999, type: http}',
      /^6: listeners\[0\]\.port: expected a port from 0 to 65535/,
    ],
    [
      'listeners:\n  - port: 1\n    type: htp',
      /^7: listeners\[0\]\.type: expected one of http, metrics, manhole, found "htp"/,
    ],
    ['listeners:\n  - port: 1', /^6: listeners\[0\]\.type: missing; expected one of/],
    [
      'listeners:\n  - port: 1\n    type: http\n    resources:\n      - names: [client, clinet]',
      /^9: .*names\[1\]: expected one of client/,
    ],
    ['rc_login: fast', /^5: rc_login: expected a map with the keys address, account, failed_attempts/],
    [
      'password_config:\n  pepper: 17',
      /^6: password_config\.pepper: expected a string \(a secret\), found a number$/,
    ],
    [
      'ip_range_whitelist: [10.0.0.0/99]',
      /^5: ip_range_whitelist\[0\]: expected an IP address or a CIDR range/,
    ],
    ['allowed_local_3pids: [{medium: email, pattern: "("}]', /pattern: expected a regular expression/],
    ['public_baseurl: example.org', /^5: public_baseurl: expected an http or https URL/],
    ['database: {name: mysql}', /^5: database\.name: expected one of sqlite3, psycopg2, found "mysql"/],
    ['old_signing_keys: {"ed25519:a": {key: x}}', /^5: old_signing_keys\.ed25519:a\.expired_ts: missing/],
    ['server_name: 5', /^5: server_name: expected a string, found the number 5; put it in quotes/],
    ['a: [', /^\d: expected valid YAML/],
  ]
  for (const [text, expected] of cases) {
    const problems = problemsOf(`${text}\n`)
    assert.ok(
      problems.some((p) => expected.test(p)),
      `${text}: ${problems.join(' | ')}`,
    )
  }
})

test('what must be given is missed: server name and database', () => {
  const files = memoryFiles({ '/work/h.yaml': 'report_stats: false\n' })
  assert.throws(
    () => loadConfig(['h.yaml'], files),
    (error: ConfigError) => error.problems.some((p) => p.key === 'server_name' && /missing/.test(p.text)),
  )
  const noDatabase = memoryFiles({ '/work/h.yaml': 'server_name: a\n' })
  assert.throws(() => loadConfig(['h.yaml'], noDatabase), /database: missing/)
  assert.throws(() => loadConfig(['gone.yaml'], files), /gone\.yaml: expected a readable file/)
  assert.throws(() => loadConfig([], files), /at least one configuration file/)
})

test('an unknown key warns with the nearest name, or with where it belongs', () => {
  const loaded = load('rc_mesage: {}\nidle_timeout: 5m\nwholly_made_up: 1\npassword_config:\n  peper: x\n')
  const unknown = warningsOf(loaded).filter((w) => w.startsWith('unknown'))
  assert.deepEqual(unknown, [
    'unknown 5: rc_mesage: unknown, not read; did you mean `rc_message`?',
    'unknown 6: idle_timeout: unknown; it belongs under `presence`',
    'unknown 7: wholly_made_up: unknown, not read',
    'unknown 9: password_config.peper: unknown, not read; did you mean `pepper`?',
  ])
})

test('options that do nothing yet are listed once, by the outermost key, and only when they differ', () => {
  const text =
    'url_preview_enabled: false\nrecaptcha_public_key: x\nemail:\n  smtp_host: mail\n  notif_from: x@y\n'
  assert.deepEqual(load(text).notYet.toSorted(), ['email', 'recaptcha_public_key'])
})

test('what is not supported yet and would protect is a warning of its own', () => {
  const loaded = load('federation_domain_whitelist: [a.example]\n')
  assert.deepEqual(loaded.notYet, ['federation_domain_whitelist'])
  assert.deepEqual(
    loaded.warnings.map((w) => [w.kind, w.key, w.line]),
    [['unsafe', 'federation_domain_whitelist', 5]],
  )
})

test('what has no effect says why, and is silent at its default', () => {
  const loaded = load('bcrypt_rounds: 12\ngc_thresholds: [1, 2, 3]\n')
  assert.deepEqual(warningsOf(loaded), [
    'no-effect 6: gc_thresholds: has no effect: it tunes the memory of a Python process',
  ])
})

test('an empty value counts as not given, with a warning where that is not the default anyway', () => {
  const loaded = load('enable_metrics:\npresence:\nsession_lifetime:\nredaction_retention_period:\n')
  assert.deepEqual(warningsOf(loaded), ['ignored 5: enable_metrics: has no value and counts as not given'])
  assert.equal(loaded.config.blocking.redactionRetentionPeriod, null, 'empty means for ever here')
})

test('_path twins read the file, relative to the working directory, without white space around', () => {
  const others = { '/work/secrets/m': '  topsecret\n', '/work/r': 'other\n' }
  const { config } = load(
    'macaroon_secret_key_path: secrets/m\nregistration_shared_secret_path: /work/r\n',
    others,
  )
  assert.equal(config.api.macaroonSecretKey?.reveal(), 'topsecret')
  assert.equal(config.registration.registrationSharedSecret?.reveal(), 'other')
})

test('_path twins also inside maps and lists', () => {
  const text =
    'redis:\n  password_path: /p\noidc_providers:\n  - {idp_id: a, idp_name: b, issuer: c, client_id: d, client_secret_path: /p}\n'
  const { config } = load(text, { '/p': 'pw' })
  assert.equal(config.workers.redis.password?.reveal(), 'pw')
  assert.equal(config.sso.oidcProviders?.[0]?.clientSecret?.reveal(), 'pw')
})

test('a secret and its twin together, and a twin that cannot be read, are problems', () => {
  assert.deepEqual(problemsOf('form_secret: x\nform_secret_path: /f\n', { '/f': 'y' }), [
    '6: form_secret_path: expected either form_secret or form_secret_path, both are given',
  ])
  assert.deepEqual(problemsOf('form_secret_path: /gone\n'), [
    '5: form_secret_path: expected a readable file that holds a string (a secret): no such file: /gone',
  ])
  assert.deepEqual(problemsOf('form_secret_path: [a]\n'), [
    '5: form_secret_path: expected the path of a file',
  ])
})

test('files that are to be made are named: signing key and registration secret', () => {
  const loaded = load('registration_shared_secret_path: reg.txt\nsigning_key_path: keys/k\n')
  assert.deepEqual(loaded.missing, [
    { holds: 'registration secret', path: '/work/reg.txt' },
    { holds: 'signing key', path: '/work/keys/k' },
  ])
  assert.equal(loaded.config.registration.registrationSharedSecret, null)
  assert.deepEqual(load('signing_key_path: k\n', { '/work/k': 'ed25519 a x' }).missing, [])
})

test('arguments of the database: wrong ones refuse, unknown ones and those without effect are told', () => {
  assert.deepEqual(
    problemsOf(
      'database:\n  name: psycopg2\n  args: {user: true, port: x, cp_max: ten, sslmode: yes please}\n',
    ).sort(),
    [
      '7: database.args.cp_max: expected a whole number, at least 1',
      '7: database.args.port: expected a port from 1 to 65535',
      '7: database.args.sslmode: expected one of disable, allow, prefer, require, verify-ca, verify-full',
      '7: database.args.user: expected a string',
    ],
  )
  const loaded = load(
    'database: {name: psycopg2, args: {pasword: x, cp_min: 5, target: y, sslmode: prefer}}\n',
  )
  assert.deepEqual(warningsOf(loaded).sort(), [
    'ignored 5: database: given twice; the value on line 4 is passed over',
    'no-effect 5: database.args.cp_min: has no effect: connections are opened when they are needed',
    'unknown 5: database.args.pasword: not passed on to the database; did you mean `password`?',
    'unknown 5: database.args.target: not passed on to the database',
    'unsafe 5: database.args.sslmode: the connection is not encrypted; write `require` or `verify-full` for TLS',
  ])
})

test('the files that the configuration names are known, for a backup', () => {
  const others = { '/work/s': 'secret', '/work/log.yaml': 'root: {level: INFO}' }
  assert.deepEqual(load('form_secret_path: s\nlog_config: log.yaml\n', others).companions, [
    '/work/s',
    '/work/log.yaml',
  ])
})

test('without a macaroon secret the registration secret is taken, else none', () => {
  assert.equal(load('registration_shared_secret: reg\n').config.api.macaroonSecretKey?.reveal(), 'reg')
  assert.equal(load('').config.api.macaroonSecretKey, null)
})

test('adv-59 no secret is printed with the configuration', () => {
  const secrets = ['registration_shared_secret', 'macaroon_secret_key', 'form_secret', 'turn_shared_secret']
  const text = [
    ...secrets.map((key) => `${key}: hunter2`),
    'password_config: {pepper: hunter2}',
    'worker_replication_secret: hunter2',
    'recaptcha_private_key: hunter2',
    'jwt_config: {enabled: true, secret: hunter2, algorithm: HS256}',
    'email: {smtp_pass: hunter2}',
    'redis: {password: hunter2}',
    'signing_key: ed25519 a hunter2',
    'database: {name: psycopg2, args: {user: u, password: hunter2, dsn: hunter2}}',
  ].join('\n')
  const { config } = load(`${text}\n`)
  assert.doesNotMatch(JSON.stringify(config), /hunter2/)
  assert.doesNotMatch(inspect(config, { depth: 20, showHidden: true }), /hunter2/)
  assert.ok(config.database.args['password'] instanceof Secret)
  assert.equal(config.database.args['password'].reveal(), 'hunter2')
})

test('PostgreSQL: the arguments are handed on', () => {
  const { config } = load(
    'database: {name: psycopg2, args: {user: u, host: h, port: 5432, dbname: d, cp_max: 10}}\n',
  )
  assert.equal(config.database.engine, 'postgres')
  assert.deepEqual({ ...config.database.args }, { user: 'u', host: 'h', port: 5432, dbname: 'd', cp_max: 10 })
})

test('SQLite: the path is relative to the working directory; memory is refused', () => {
  const pathOf = ({ config }: Loaded) => config.database.engine === 'sqlite' && config.database.path
  assert.equal(pathOf(load('')), '/work/home.db')
  assert.deepEqual(problemsOf('database: {args: {database: ":memory:"}}\n'), [
    '5: database.args.database: expected a file: memory is lost at every stop',
  ])
  assert.deepEqual(problemsOf('database: {name: sqlite3}\n'), [
    '5: database.args.database: missing; expected the path of the SQLite file',
  ])
})

test('one database under `databases` is that database, several are refused, both spellings too', () => {
  const one = loadConfig(
    ['h.yaml'],
    memoryFiles({
      '/work/h.yaml':
        'server_name: a\nlisteners: []\ndatabases: {m: {name: sqlite3, args: {database: /d}}}\n',
    }),
  )
  assert.equal(one.config.database.engine === 'sqlite' && one.config.database.path, '/d')
  assert.match(problemsOf('databases: {m: {args: {database: /d}}}\n').join(), /both are given/)
})

test('our own additions', () => {
  const { config } = load(
    'myelin: {cache_bytes: 128M, trusted_proxies: [10.0.0.0/8], log_level: debug, data_dir: d}\n',
  )
  assert.deepEqual(config.myelin, {
    cacheBytes: 134_217_728,
    trustedProxies: ['10.0.0.0/8'],
    logLevel: 'debug',
    dataDir: '/work/d',
    readerThreads: config.myelin.readerThreads,
    wellKnownSupport: null,
    wellKnownPolicyServer: null,
  })
  assert.equal(config.logging.level, 'debug')
})

test('passwords only to confirm, and none with a Matrix Authentication Service', () => {
  const state = (text: string) => {
    const { passwords } = load(text).config
    return [passwords.enabledForLogin, passwords.enabledForReauth]
  }
  assert.deepEqual(state('password_config: {enabled: only_for_reauth}\n'), [false, true])
  assert.deepEqual(state('password_config: {enabled: false}\n'), [false, false])
  assert.deepEqual(state('matrix_authentication_service: {enabled: true, secret: x}\n'), [false, false])
})
