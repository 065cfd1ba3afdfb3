/** The arguments of a database connection: which are read, how they are written, and what is done with others. */
import { nearestName } from './nearest.ts'
import { isNull, type MapNode, type Node } from './node.ts'
import type { LoadReport } from './report.ts'

export const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const

interface Argument {
  readonly expected: string
  fits(node: Node): boolean
}

const text: Argument = {
  expected: 'a string',
  fits: (node) =>
    node.kind === 'scalar' && (typeof node.value === 'string' || typeof node.value === 'number'),
}
const words: Argument = { ...text, fits: (node) => node.kind === 'scalar' && typeof node.value === 'string' }

function whole(expected: string, min: number, max: number): Argument {
  return {
    expected,
    fits(node) {
      const n = node.kind === 'scalar' && /^\d{1,9}$/.test(node.source) ? Number(node.source) : Number.NaN
      return n >= min && n <= max
    },
  }
}

const POSTGRES: Readonly<Record<string, Argument>> = {
  host: words,
  port: whole('a port from 1 to 65535', 1, 65_535),
  user: text,
  password: text,
  dbname: text,
  database: text,
  application_name: text,
  connect_timeout: whole('a whole number of seconds', 0, 86_400),
  cp_max: whole('a whole number, at least 1', 1, 100_000),
  sslmode: {
    expected: `one of ${SSL_MODES.join(', ')}`,
    fits: (node) => node.kind === 'scalar' && (SSL_MODES as readonly unknown[]).includes(node.value),
  },
  sslrootcert: words,
  sslcert: words,
  sslkey: words,
}

const SQLITE: Readonly<Record<string, Argument>> = { database: words }

/** Arguments that mean something to Synapse's connection pool, and nothing here. */
const WITHOUT_EFFECT: Readonly<Record<string, string>> = {
  cp_min: 'connections are opened when they are needed',
  cp_max: 'reads have threads of their own (`myelin.reader_threads`)',
  cp_noisy: 'there is no such log',
  cp_reconnect: 'connections that are lost are always replaced',
  cp_openfun: 'it is Python',
  check_same_thread: 'it is Python',
  keepalives: 'connections are always kept alive',
  keepalives_idle: 'the system decides',
  keepalives_interval: 'the system decides',
  keepalives_count: 'the system decides',
}

/** Checks `database.args` of one engine. */
export function checkDatabaseArgs(engine: 'sqlite' | 'postgres', args: MapNode, report: LoadReport): void {
  const known = engine === 'sqlite' ? SQLITE : POSTGRES
  for (const [key, node] of args.entries) {
    if (isNull(node)) continue
    const argument = Object.hasOwn(known, key) ? known[key] : undefined
    if (argument !== undefined) {
      if (!argument.fits(node)) report.problem(node.at, `expected ${argument.expected}`)
    } else if (Object.hasOwn(WITHOUT_EFFECT, key)) {
      report.notice('no-effect', node.at, `has no effect: ${WITHOUT_EFFECT[key]}`)
    } else {
      const nearest = nearestName(key, Object.keys(known))
      const hint = nearest === undefined ? '' : `; did you mean \`${nearest}\`?`
      report.notice('unknown', node.at, `not passed on to the database${hint}`)
    }
  }
  const mode = args.entries.get('sslmode')
  if (engine === 'postgres' && mode?.kind === 'scalar' && (mode.value === 'prefer' || mode.value === 'allow'))
    report.notice(
      'unsafe',
      mode.at,
      'the connection is not encrypted; write `require` or `verify-full` for TLS',
    )
}
