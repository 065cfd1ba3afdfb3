import { anyMap, list, map, object, oneOf, optionalSection, orNull, section } from '../compound-types.ts'
import { accepted, later, option, supported, type Type } from '../option.ts'
import { Secret } from '../secret.ts'
import { bool, duration, number, path, size, string } from '../types.ts'

/** Arguments of a database driver that must not be printed. */
const SECRET_ARGS = ['password', 'passwd', 'sslpassword', 'dsn']

/** Arguments of a connection, handed on as they are; passwords are wrapped. */
const connectionArgs: Type<Readonly<Record<string, unknown>>> = {
  name: 'map',
  expected: 'a map of connection arguments',
  read(node, reading) {
    const args = anyMap.read(node, reading)
    if (args === undefined) return undefined
    for (const key of SECRET_ARGS) {
      if (args[key] !== undefined && args[key] !== null)
        Object.assign(args, { [key]: new Secret(String(args[key])) })
    }
    return args
  },
}

const databaseFields = {
  name: option(
    oneOf('sqlite3', 'psycopg2'),
    supported,
    'sqlite3',
    '`sqlite3` for a file, `psycopg2` for PostgreSQL (the name of the driver in Synapse).',
  ),
  txn_limit: option(
    orNull(number),
    accepted('connections are not worn out here'),
    0,
    'After how many transactions a connection is replaced; 0 for never.',
  ),
  allow_unsafe_locale: option(
    bool,
    accepted('every comparison names the order it needs, so any locale is safe'),
    false,
    'Whether a PostgreSQL database with another locale than C is used.',
  ),
  args: option(
    connectionArgs,
    supported,
    {},
    'How to connect: `database` is the file of SQLite; for PostgreSQL `host`, `port`, `user`, `password`, `dbname`, `sslmode`, `sslrootcert`, `sslcert`, `sslkey`, `connect_timeout`, `cp_max`.',
  ),
  statement_timeout: option(orNull(duration), later, null, 'Longest time of one PostgreSQL statement.', '1h'),
  data_stores: option(
    orNull(list(oneOf('main', 'state'))),
    later,
    null,
    'Which tables this database holds.',
    'all',
  ),
}

/** Group "Database". */
export const database = {
  database: optionalSection(supported, 'The database.', databaseFields),
  databases: option(
    map(object(databaseFields)),
    later,
    {},
    'Several databases, by name, each with some of the tables. Not together with `database`.',
  ),
}

const ownCaches = accepted('caches share one budget in bytes: `myelin.cache_bytes`')

/** Group "Caching". */
export const caches = {
  event_cache_size: option(size, ownCaches, '10K', 'How many events are kept in memory.'),
  caches: section(ownCaches, 'Sizes of caches.', {
    global_factor: option(number, ownCaches, 0.5, 'Factor on the size of every cache.'),
    per_cache_factors: option(map(number), ownCaches, {}, 'Factor of single caches, by name.'),
    expire_caches: option(bool, ownCaches, true, 'Whether entries leave a cache after a time without use.'),
    cache_entry_ttl: option(duration, ownCaches, '30m', 'That time.'),
    sync_response_cache_duration: option(
      duration,
      later,
      '2m',
      'How long the answer to a sync is kept for a client that asks again; 0 for not at all.',
    ),
    track_memory_usage: option(bool, ownCaches, false, 'Whether to measure what each cache holds.'),
    cache_autotuning: section(ownCaches, 'Emptying caches when memory runs short.', {
      max_cache_memory_usage: option(orNull(size), ownCaches, null, 'Memory at which emptying begins.'),
      target_cache_memory_usage: option(orNull(size), ownCaches, null, 'Memory at which it stops.'),
      min_cache_ttl: option(orNull(duration), ownCaches, null, 'Age below which an entry stays.'),
    }),
  }),
}

/** Group "Logging". */
export const logging = {
  log_config: option(
    orNull(path),
    supported,
    null,
    'A Python logging file: the level of its root is taken, its loggers and handlers are not.',
  ),
}

/** Group "Metrics". */
export const metrics = {
  enable_metrics: option(bool, supported, false, 'Whether metrics are collected and served.'),
  sentry: optionalSection(later, 'Reports of errors to a Sentry server.', {
    dsn: option(orNull(string), later, null, 'Address given by that server.'),
    environment: option(orNull(string), later, null, 'Label of this installation.'),
  }),
  metrics_flags: section(later, 'Metrics that cost more.', {
    known_servers: option(bool, later, false, 'Whether to count the servers we share rooms with.'),
  }),
  report_stats: option(
    bool,
    accepted('this server reports nothing to anyone'),
    false,
    'Whether figures about this server go to `report_stats_endpoint`. Synapse wants an answer; here it may be left out.',
  ),
  report_stats_endpoint: option(
    string,
    accepted('this server reports nothing to anyone'),
    'https://matrix.org/report-usage-stats/push',
    'Where those figures go.',
  ),
}
