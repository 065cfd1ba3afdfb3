import type { Config } from './config.ts'
import { diskReader, type FileReader } from './files.ts'
import type { Listener } from './listeners.ts'
import { type Loaded, loadConfig } from './load.ts'
import { checkNamedFiles } from './named-files.ts'
import { ConfigError, describe } from './problems.ts'
import { formatDuration, formatSize } from './units.ts'

/** The outcome of a check, for a person and for an exit code. */
export interface ConfigCheck {
  readonly ok: boolean
  /** Ends in a newline; holds no secret. */
  readonly text: string
}

/** Reads the configuration without starting anything and reports problems, warnings and what would apply. */
export function checkConfig(paths: readonly string[], files: FileReader = diskReader()): ConfigCheck {
  try {
    const loaded = loadConfig(paths, files)
    checkNamedFiles(loaded, files)
    return { ok: true, text: lines(reportOf(loaded)) }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const problems = error.problems.map((p) => `  ${describe(p)}`)
    const warnings = block('Warnings', error.warnings.map(describe))
    return { ok: false, text: lines([`Problems (${problems.length}):`, ...problems, ...warnings]) }
  }
}

function lines(parts: readonly string[]): string {
  return `${parts.join('\n')}\n`
}

function reportOf({ config, files, missing, notYet, warnings }: Loaded): string[] {
  return [
    'The configuration can be used.',
    '',
    'Files:',
    ...files.map((file) => `  ${file}`),
    ...block('Warnings', warnings.map(describe)),
    ...block('Set, but not supported yet', notYet),
    ...block(
      'Will be made',
      missing.map((file) => `${file.path} (${file.holds})`),
    ),
    ...block('In effect', summaryOf(config)),
  ]
}

function block(title: string, entries: readonly string[]): string[] {
  return entries.length === 0 ? [] : ['', `${title}:`, ...entries.map((entry) => `  ${entry}`)]
}

/** The main values in effect, without secrets. */
function summaryOf(config: Config): string[] {
  const { registration, sessions } = config
  const lifetime = sessions.sessionLifetime
  return [
    `server name: ${config.server.serverName}`,
    `clients reach it at: ${config.server.publicBaseurl}`,
    `database: ${config.database.engine} ${databaseOf(config)}`,
    ...config.listeners.map((listener) => `listener: ${listenerText(listener)}`),
    `registration: ${registrationText(config)}`,
    `registration with the shared secret: ${registration.registrationSharedSecret ? 'possible' : 'off'}`,
    `passwords: ${config.passwords.enabledForLogin ? 'log in' : config.passwords.enabledForReauth ? 'confirm only' : 'off'}`,
    `sessions last: ${lifetime === null ? 'for ever' : formatDuration(lifetime)}`,
    `new rooms have version: ${config.server.defaultRoomVersion}`,
    `signing key: ${config.keys.signingKey ? 'in the configuration' : config.keys.signingKeyPath}`,
    `caches: ${formatSize(config.myelin.cacheBytes)}`,
    `log level: ${config.logging.level}`,
  ]
}

function databaseOf({ database }: Config): string {
  if (database.engine === 'sqlite') return database.path
  const { host, port, dbname, database: name, user } = database.args
  return `${user ?? ''}@${host ?? 'local'}${port === undefined ? '' : `:${port}`}/${dbname ?? name ?? ''}`
}

function registrationText({ registration }: Config): string {
  if (!registration.enableRegistration) return 'closed'
  return registration.registrationRequiresToken ? 'with a token' : 'open to all'
}

function listenerText(listener: Listener): string {
  const scheme = listener.kind === 'tcp' && listener.tls ? 'https' : 'http'
  const where =
    listener.kind === 'unix'
      ? listener.path
      : listener.bindAddresses.map((a) => `${a.includes(':') ? `[${a}]` : a}:${listener.port}`).join(', ')
  const forwarded = listener.xForwarded ? ', behind a proxy' : ''
  return `${scheme} ${where} (${listener.resources.join(', ')})${forwarded}`
}
