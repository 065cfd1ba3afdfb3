/** The rules of the house as tables; docs/architecture.md shows the first one. check.ts applies them. */

/** What a layer may import besides itself. `src/app` may import all; nothing but `cli` imports `app`. */
export const LAYERS: Record<string, string[]> = {
  base: [],
  protocol: [],
  ports: ['protocol', 'base'],
  services: ['protocol', 'ports', 'base'],
  http: ['protocol', 'base'],
  api: ['services', 'http', 'protocol', 'base'],
  identity: ['http', 'ports', 'protocol', 'base'],
  overlay: ['base'],
  storage: ['ports', 'protocol', 'base'],
  // A server on real sockets is an adapter that calls http's dispatch.
  adapters: ['http', 'ports', 'protocol', 'overlay', 'base'],
  importer: ['ports', 'protocol', 'base'],
  app: 'base protocol ports services http api identity overlay storage adapters importer'.split(' '),
  cli: ['app', 'importer', 'base'],
}

/** Folders of src/services; each imports only from those to its left. News to the left travel as a stream. */
export const SERVICES =
  'jobs accounts devices keys media rooms e2ee ephemeral push appservice search federation sync admin'.split(
    ' ',
  )

/** Packages and parts of Node, and the folders of src that may import them. Others: see NODE_LAYERS. */
export const PACKAGES: Record<string, string[]> = {
  bcrypt: ['adapters'],
  commander: ['cli'],
  pg: ['storage/postgres', 'storage/backup', 'importer'],
  pino: ['adapters'],
  'prom-client': ['adapters'],
  'sodium-native': ['protocol'],
  typebox: ['http', 'api'],
  yaml: ['app/config'],
  'node:child_process': ['adapters', 'storage/backup', 'app'],
  // Hashes and comparisons; what draws randomness is a banned global.
  'node:crypto': ['base', 'protocol', 'services', 'storage', 'adapters', 'importer', 'app', 'cli'],
  'node:dgram': ['adapters'],
  'node:dns': ['adapters'],
  'node:http': ['adapters'],
  'node:http2': ['adapters'],
  'node:https': ['adapters'],
  'node:net': ['adapters'],
  'node:sqlite': ['storage/sqlite', 'storage/backup', 'importer'],
  'node:tls': ['adapters'],
  'node:worker_threads': ['storage', 'adapters'],
}

/** Imports that no table covers, by file. */
export const IMPORTS_ALLOWED: Record<string, string[]> = {
  // The version stands in one place.
  'src/app/version.ts': ['../../package.json'],
}

/** Layers that may import the rest of Node. */
export const NODE_LAYERS = ['base', 'storage', 'adapters', 'importer', 'app', 'cli']

/** Time, randomness, timers, environment and console come from World, so that a seed decides everything. */
export const BANNED_GLOBALS =
  /\b(Date\.now|new Date\(\)|performance\.now|Math\.random|setTimeout|setInterval|setImmediate|process\.env|crypto\.subtle|console\.)|\b(randomBytes|randomUUID|randomInt|getRandomValues|generateKeyPair\w*)\b/
export const GLOBALS_ALLOWED = /^src\/(base\/world\.ts|app\/|cli\/|adapters\/)/

/**
 * The only regular expressions of the protocol core: each looks at one character and repeats nothing, so none can
 * backtrack on foreign text.
 */
export const PROTOCOL_PATTERNS = [
  ...['/[.eE]/', '/\\s/', '/^[A-Za-z0-9_]$/', '/^[A-Za-z0-9]$/'],
  // The classes of characters by which texts are cut into words.
  ...['/\\p{M}/u', '/[\\p{L}\\p{N}]/u', '/[\\p{sc=Khmr}\\p{sc=Mymr}\\p{Extended_Pictographic}\\p{RI}]/u'],
  '/[\\p{sc=Han}\\p{sc=Hira}\\p{sc=Kana}\\p{sc=Hang}\\p{sc=Bopo}\\p{sc=Thai}\\p{sc=Laoo}]/u',
]

export const LINES_MAX = 600

/** Files that must break a rule, each with its reason. */
export const EXEMPT: Record<string, string[]> = {
  // node --test-reporter takes the default export.
  'default export': ['tests/run/reporter.ts'],
  // These files speak about the rules.
  unfinished: ['tests/tidy/rules.ts', 'tests/tidy/check.ts', 'tests/tidy.test.ts'],
}

/** Marks of unfinished work; an issue is the place for it. */
export const UNFINISHED = /\b(FIXME|TODO|XXX|HACK)\b/

/**
 * The tree speaks of the project alone: not of the tools it was written with, nor of folders of one machine.
 * A letter in brackets keeps a rule from finding itself.
 */
export const BANNED_WORDS =
  /\b(cl[a]ude|anthr[o]pic|c[o]pilot|chat-?g[p]t|open[a]i|ll[m]s?|ai[ -]g[e]nerated|language m[o]dels?|co-auth[o]red-by|sub-?ag[e]nts?)\b|\/w[o]rk\/(main|shared|briefs|\.mirror|\.library)/i
