/** `backup`, `restore` and `verify`. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { logPino } from '#/adapters/log-pino.ts'
import { realWorld } from '#/base/world.ts'
import { backup } from '#/storage/backup/backup.ts'
import { restore } from '#/storage/backup/restore.ts'
import type { VerifyReport } from '#/storage/verify/report.ts'
import { runVerify } from '#/storage/verify/run-verify.ts'
import { type Loaded, loadConfig } from '../config/load.ts'
import { databaseLocation } from '../database.ts'
import { configPathsOrDefault } from '../first-run.ts'
import { VERSION } from '../version.ts'

/** Standard error, so that standard output holds the result alone. */
const STDERR = 2

function commandLog() {
  return logPino({ level: 'info', to: STDERR, bufferBytes: 0 })
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

function sayReport(report: VerifyReport): void {
  const rows = Object.entries(report.checked).map(([table, count]) => `${table} ${count}`)
  say(`Checked: ${rows.join(', ')}.`)
  for (const finding of report.findings) say(JSON.stringify(finding))
  say(report.ok ? 'No damage found.' : `Damage found: ${JSON.stringify(report.counts)}`)
  if (!report.ok) process.exitCode = 1
}

/** Those that are there: a listener may have none. */
function certificatesOf({ config }: Loaded): string[] {
  const { tlsCertificatePath, tlsPrivateKeyPath } = config.tls
  return [tlsCertificatePath, tlsPrivateKeyPath].filter(
    (path) => path !== null && existsSync(path),
  ) as string[]
}

export async function runBackup(options: { configPath: readonly string[]; out: string }): Promise<void> {
  const loaded = loadConfig(configPathsOrDefault(options.configPath))
  const { signingKey, signingKeyPath } = loaded.config.keys
  const { manifest, report } = await backup({
    database: databaseLocation(loaded.config.database),
    signingKeyPath: signingKey === null ? signingKeyPath : undefined,
    configPaths: [...loaded.files, ...loaded.companions, ...certificatesOf(loaded)],
    out: resolve(options.out),
    version: VERSION,
    world: realWorld,
    log: commandLog(),
  })
  say(`Backup written to ${resolve(options.out)}: ${manifest.files.length} files.`)
  sayReport(report)
}

export async function runRestore(options: {
  configPath: readonly string[]
  from: string
  configFolder?: string
}): Promise<void> {
  const { config } = loadConfig(configPathsOrDefault(options.configPath))
  const result = await restore({
    from: resolve(options.from),
    into: {
      database: databaseLocation(config.database),
      signingKeyPath: config.keys.signingKeyPath,
      ...(options.configFolder === undefined ? {} : { configFolder: resolve(options.configFolder) }),
    },
    log: commandLog(),
  })
  say(`Restored ${result.manifest.serverName}; it goes on in epoch ${result.epoch}.`)
  sayReport(result.report)
}

export async function runVerification(options: { configPath: readonly string[] }): Promise<void> {
  const { config } = loadConfig(configPathsOrDefault(options.configPath))
  sayReport(await runVerify({ database: databaseLocation(config.database), log: commandLog() }))
}
