/** `serve`: from configuration files to a running server, and its end. */
import { logPino, type OwnedLog } from '#/adapters/log-pino.ts'
import { collectEverywhere } from '#/base/collection.ts'
import type { LogLevel } from '#/base/log.ts'
import { realWorld } from '#/base/world.ts'
import type { Config } from './config/config.ts'
import { type Loaded, loadConfig } from './config/load.ts'
import { checkNamedFiles } from './config/named-files.ts'
import { describe } from './config/problems.ts'
import { createMissingFiles } from './config/write-private.ts'
import { prepareDataDir } from './first-run.ts'
import { collectWhenIdle, eventLoopShare } from './idle-collector.ts'
import { type RunningServer, startServer } from './server.ts'

export interface ServeOptions {
  readonly configPath: readonly string[]
  readonly serverName?: string
  readonly dataDir: string
}

/** Time for requests under way to end after SIGTERM. */
const DRAIN_MS = 10_000

export async function serve(options: ServeOptions): Promise<void> {
  /* Until it is known what to read anew; without this, one that comes during the start would end it. */
  process.on('SIGHUP', () => {})
  const paths = options.configPath.length > 0 ? given(options) : [firstRun(options)]
  const loaded = loadConfig(paths)
  checkNamedFiles(loaded)
  const log = logPino({ level: levelOf(loaded.config) })
  sayLoaded(loaded, log)
  for (const path of createMissingFiles(loaded.missing, realWorld.rng))
    log.warn(`made ${path}, because the configuration names it and it was not there`)
  const server = await startServer(loaded.config, {
    world: realWorld,
    log,
    onFatal: (error) => stopAtOnce(log, error),
  })
  sayReady(server, loaded)
  handleSignals(server, paths, log)
  collectMemory()
}

/** Only where `bin/myelin` has made the collector callable. */
function collectMemory(): void {
  if (!globalThis.gc) return
  collectWhenIdle({ clock: realWorld.clock, busyShare: eventLoopShare(), collect: collectEverywhere })
}

function given({ configPath, serverName }: ServeOptions): readonly string[] {
  if (serverName !== undefined) say('--server-name is ignored: the configuration names the server already.')
  return configPath
}

function say(text: string): void {
  process.stderr.write(`${text}\n`)
}

function firstRun(options: ServeOptions): string {
  const run = prepareDataDir(options.dataDir, options.serverName, realWorld.rng)
  if (run.made) {
    say(`Made ${run.configPath}, a signing key and secrets for the new server ${run.serverName}.`)
    if (options.serverName === undefined) {
      say(
        'Its name is localhost, good for trying out only. A server’s name is part of every account and room and',
      )
      say(
        'can NEVER change: for a real server stop, delete the folder, and start with --server-name example.org',
      )
    }
  } else if (options.serverName !== undefined) {
    say(`--server-name is ignored: ${run.configPath} names the server already.`)
  }
  return run.configPath
}

function levelOf(config: Config): LogLevel {
  return config.logging.level
}

function sayLoaded(loaded: Loaded, log: OwnedLog): void {
  for (const warning of loaded.warnings) log.warn(describe(warning))
  if (loaded.notYet.length > 0) {
    log.warn('options that are set and have no effect yet', { options: loaded.notYet.join(', ') })
  }
}

function sayReady(server: RunningServer, loaded: Loaded): void {
  for (const address of server.bound) {
    const where = 'path' in address ? address.path : `${address.host}:${address.port}`
    say(`Listening on ${where}.`)
  }
  const { serverName, publicBaseurl } = loaded.config.server
  if (server.lacksAdmin) {
    say('')
    say(`There is no account on ${serverName} yet, and anybody may register. To make an administrator:`)
    say(`  bin/myelin register-user --admin -c ${loaded.files.join(' -c ')} -u NAME`)
  }
  if (server.firstToken === undefined) return
  const [first] = server.bound
  const here = first && 'port' in first ? `http://${first.host}:${first.port}` : publicBaseurl
  say('')
  say(`There is no account on ${serverName} yet. To make the first one, which is the administrator:`)
  say(`  homeserver          ${here}`)
  say(`  registration token  ${server.firstToken}`)
  say('Choose "create account" in any Matrix client that asks for a token. The token works once.')
}

function stopAtOnce(log: OwnedLog, error: Error): void {
  log.fatal('the server must stop', { error })
  log.flush()
  process.exit(1)
}

function handleSignals(server: RunningServer, paths: readonly string[], log: OwnedLog): void {
  let stopping = false
  const stop = async (signal: string): Promise<void> => {
    if (stopping) return
    stopping = true
    log.info('stopping', { signal })
    try {
      await server.stop(DRAIN_MS)
      log.info('stopped')
      log.flush()
      process.exit(0)
    } catch (error) {
      log.fatal('could not stop in order', { error })
      log.flush()
      process.exit(1)
    }
  }
  process.on('SIGTERM', (signal) => void stop(signal))
  process.on('SIGINT', (signal) => void stop(signal))
  process.on('SIGHUP', () => reload(server, paths, log))
  process.on('uncaughtException', (error) => stopAtOnce(log, error))
  process.on('unhandledRejection', (reason) =>
    stopAtOnce(log, reason instanceof Error ? reason : new Error(String(reason))),
  )
}

/** Log level and certificates; a file that is wrong now changes nothing. */
function reload(server: RunningServer, paths: readonly string[], log: OwnedLog): void {
  try {
    log.reopen()
    const loaded = loadConfig(paths)
    checkNamedFiles(loaded)
    server.reloadTls()
    log.setLevel(levelOf(loaded.config))
    log.note('reloaded log level and certificates')
  } catch (error) {
    log.note('could not reload; everything stays as it was', { error })
  }
}
