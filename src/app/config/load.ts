import { dirname, join, resolve } from 'node:path'
import { reasonOf } from '#/base/system-error.ts'
import { applyAliases } from './aliases.ts'
import { checkTogether } from './checks.ts'
import type { Config, DatabaseChoice } from './config.ts'
import { checkDatabaseArgs } from './database-args.ts'
import { diskReader, type FileReader, findConfigFiles } from './files.ts'
import { type Listener, listenersOf } from './listeners.ts'
import { type LogLevels, readLogConfig } from './log-config.ts'
import type { MapNode, Node } from './node.ts'
import { type Fields, keysOf, readFields } from './option.ts'
import { byPlace, ConfigError, type Notice, type Place } from './problems.ts'
import { LoadReport } from './report.ts'
import { TABLE, type Tree } from './table.ts'
import { nodeAt, placeAt } from './tree-edit.ts'
import { readYaml } from './yaml-node.ts'

/** A file the configuration names that does not exist yet and is to be made, as Synapse makes it. */
export interface MissingFile {
  readonly holds: 'signing key' | 'registration secret'
  readonly path: string
}

/** A configuration that can be used, with what the operator should know about it. */
export interface Loaded {
  readonly config: Config
  readonly warnings: readonly Notice[]
  /** Paths of options that are set and do nothing yet. */
  readonly notYet: readonly string[]
  readonly missing: readonly MissingFile[]
  /** The files that were read, in order. */
  readonly files: readonly string[]
  /** Other files that these name and that were read: secrets, certificates, documents, the signing key. */
  readonly companions: readonly string[]
  /** Where an option stands, for messages. */
  readonly placeOf: (key: string) => Place
}

/**
 * Reads homeserver.yaml. Several files merge as in Synapse: whole top-level keys, the later file wins.
 * @param paths files, or folders whose `*.yaml` files are read in sorted order.
 * @throws ConfigError with every problem found.
 */
export function loadConfig(paths: readonly string[], disk: FileReader = diskReader()): Loaded {
  const report = new LoadReport()
  const read = new Set<string>()
  const files = remembering(disk, read)
  const found = findConfigFiles(paths, files)
  report.add([], found.ignored)
  const merged = mergeFiles(found.files, files, report)
  /* What is missing in half of a configuration is no news. */
  if (report.problems.length > 0) throw new ConfigError(report.problems, report.notices)
  const aliased = applyAliases(merged)
  report.add(aliased.problems, aliased.notices)
  const root = aliased.root
  const missing = withoutMissingSecret(root, files)
  const tree = readTree(missing.root, report.reading(files))
  report.unknownKeys(root, allKeys())
  if (report.problems.length > 0) throw new ConfigError(report.problems, report.notices)
  const config = derive(tree, root, dirname(found.files.at(-1) ?? files.cwd), files, report)
  checkTogether(config, tree, root, files, report)
  if (report.problems.length > 0) throw new ConfigError(report.problems, report.notices)
  const unmade = [...missing.files, ...missingKey(config, files)]
  return {
    config,
    warnings: report.notices.toSorted(byPlace),
    notYet: report.notYet,
    missing: unmade,
    files: found.files,
    companions: [...read].filter((path) => !found.files.includes(path)),
    placeOf: (key) => placeAt(root, key),
  }
}

/** The same files; `read` is told of each that is read. */
function remembering(files: FileReader, read: Set<string>): FileReader {
  return {
    ...files,
    readText(path) {
      const text = files.readText(path)
      read.add(resolve(files.cwd, path))
      return text
    },
  }
}

function mergeFiles(paths: readonly string[], files: FileReader, report: LoadReport): MapNode {
  const last = paths.at(-1) ?? ''
  const entries = new Map<string, Node>()
  for (const path of paths) {
    let text: string
    try {
      text = files.readText(path)
    } catch (error) {
      report.problem({ file: path, line: 0, key: '' }, `expected a readable file: ${reasonOf(error)}`)
      continue
    }
    const yaml = readYaml(text, path)
    report.add(yaml.problems, yaml.notices)
    for (const [key, node] of yaml.root?.entries ?? []) entries.set(key, node)
  }
  if (paths.length === 0)
    report.problem({ file: '', line: 0, key: '' }, 'expected at least one configuration file')
  return { kind: 'map', at: { file: last, line: 0, key: '' }, entries }
}

function readTree(root: MapNode, reading: Parameters<typeof readFields>[2]): Tree {
  const groups = Object.entries(TABLE).map(([name, fields]) => [
    name,
    readFields(fields as Fields, root, reading, false),
  ])
  return Object.fromEntries(groups) as Tree
}

function allKeys(): string[] {
  return Object.values(TABLE).flatMap((fields) => keysOf(fields))
}

/** `registration_shared_secret_path` may name a file that is still to be made. */
function withoutMissingSecret(root: MapNode, files: FileReader): { root: MapNode; files: MissingFile[] } {
  const key = 'registration_shared_secret_path'
  const node = nodeAt(root, key)
  const isInline = nodeAt(root, 'registration_shared_secret') !== undefined
  if (isInline || node?.kind !== 'scalar' || typeof node.value !== 'string') return { root, files: [] }
  const path = resolve(files.cwd, node.value)
  if (files.exists(path)) return { root, files: [] }
  const entries = new Map(root.entries)
  entries.delete(key)
  return { root: { ...root, entries }, files: [{ holds: 'registration secret', path }] }
}

function missingKey(config: Config, files: FileReader): MissingFile[] {
  if (config.keys.signingKey !== null || files.exists(config.keys.signingKeyPath)) return []
  return [{ holds: 'signing key', path: config.keys.signingKeyPath }]
}

function derive(tree: Tree, root: MapNode, configDir: string, files: FileReader, report: LoadReport): Config {
  const { listeners, publicBaseurl, ...server } = tree.server
  const { enabled, ...passwordConfig } = tree.passwords.passwordConfig
  const passwords = enabled ?? !server.matrixAuthenticationService.enabled
  const { signingKeyPath, ...keys } = tree.keys
  const { dataDir, ...myelin } = tree.myelin.myelin
  return {
    ...tree,
    server: {
      ...server,
      publicBaseurl: (publicBaseurl ?? `https://${server.serverName}/`).replace(/\/?$/, '/'),
      servesClientWellknown: publicBaseurl !== null,
    },
    listeners: deriveListeners(tree, root, report),
    database: deriveDatabase(tree, root, files, report),
    logging: deriveLogging(tree, root, files, report),
    passwords: {
      ...passwordConfig,
      enabledForLogin: passwords === true,
      enabledForReauth: passwords !== false,
    },
    keys: { ...keys, signingKeyPath: signingKeyPath ?? join(configDir, `${server.serverName}.signing.key`) },
    api: {
      ...tree.api,
      macaroonSecretKey: tree.api.macaroonSecretKey ?? tree.registration.registrationSharedSecret,
    },
    myelin: { ...myelin, dataDir: dataDir ?? configDir },
  }
}

function deriveListeners(tree: Tree, root: MapNode, report: LoadReport): Listener[] {
  const list = nodeAt(root, 'listeners')
  const at = (key: string) => {
    const index = Number(key.slice('listeners['.length, -1))
    const node = list?.kind === 'list' ? list.items[index] : undefined
    return node ? { ...node.at, key } : placeAt(root, 'listeners')
  }
  const listeners = listenersOf(tree.server.listeners, {
    problem: (key, text) => report.problem(at(key), text),
    ignored: (key, text) => report.notice('ignored', at(key), text),
  })
  if (listeners.length === 0)
    report.notice('ignored', placeAt(root, 'listeners'), 'nothing to listen on is given')
  return listeners
}

function deriveDatabase(tree: Tree, root: MapNode, files: FileReader, report: LoadReport): DatabaseChoice {
  const { database, databases } = tree.database
  const at = placeAt(root, 'database')
  if (database !== null && databases.size > 0) {
    report.problem(placeAt(root, 'databases'), 'expected `database` or `databases`, both are given')
  }
  const chosen = database ?? (databases.size === 1 ? [...databases.values()][0] : undefined)
  if (chosen === undefined) {
    const text =
      databases.size > 1 ? 'expected one database: several are not supported yet' : 'missing; expected a map'
    report.problem(databases.size > 1 ? placeAt(root, 'databases') : at, text)
    return { engine: 'sqlite', path: '', args: {} }
  }
  const engine = chosen.name === 'psycopg2' ? 'postgres' : 'sqlite'
  const args = nodeAt(root, database ? 'database.args' : `databases.${[...databases.keys()][0]}.args`)
  if (args?.kind === 'map') checkDatabaseArgs(engine, args, report)
  if (engine === 'postgres') return { engine, args: chosen.args }
  const path = chosen.args['database']
  if (typeof path !== 'string' || path === '') {
    report.problem(placeAt(root, 'database.args.database'), 'missing; expected the path of the SQLite file')
    return { engine: 'sqlite', path: '', args: chosen.args }
  }
  if (path === ':memory:')
    report.problem(placeAt(root, 'database.args.database'), 'expected a file: memory is lost at every stop')
  return { engine: 'sqlite', path: resolve(files.cwd, path), args: chosen.args }
}

function deriveLogging(tree: Tree, root: MapNode, files: FileReader, report: LoadReport): LogLevels {
  const own = tree.myelin.myelin.logLevel
  const path = tree.logging.logConfig
  if (path === null) return { level: own ?? 'info' }
  const read = readLogConfig(path, placeAt(root, 'log_config'), files)
  report.add(read.problems, read.notices)
  return { level: own ?? read.level }
}
