/** The command line: parsing only; the work is in `src/app`. */
import { Command, CommanderError } from 'commander'
import { ConfigError, describe } from '#/app/config/problems.ts'
import { VERSION } from '#/app/version.ts'
import { StoreError } from '#/base/store-error.ts'
import { sentenceOf } from '#/base/system-error.ts'

const DATA_DIR = './data'

const collect = (value: string, before: string[]): string[] => [...before, value]

/** Adds the option that names configuration files. */
function withConfig(command: Command): Command {
  return command.option(
    '-c, --config-path <path>',
    'configuration file or folder of files; may be given several times',
    collect,
    [],
  )
}

interface ConfigOption {
  readonly configPath: string[]
}

function program(): Command {
  const root = new Command('myelin').description('A Matrix homeserver').version(VERSION)
  withConfig(root.command('serve'))
    .description('run the server; without a configuration one is made in ./data')
    .option('--server-name <name>', 'name of a new server; it can never change')
    .option('--data-dir <folder>', 'folder of a new server', DATA_DIR)
    .action(async (options: ConfigOption & { serverName?: string; dataDir: string }) => {
      const { serve } = await import('#/app/serve.ts')
      await serve(options)
    })
  root
    .command('generate-config')
    .description('print a configuration for a new server, with fresh secrets')
    .requiredOption('--server-name <name>', 'name of the server; it can never change')
    .option('--data-dir <folder>', 'folder of the signing key and the database', DATA_DIR)
    .action(async (options: { serverName: string; dataDir: string }) => {
      const { printConfig } = await import('#/app/commands/generate.ts')
      printConfig(options)
    })
  root
    .command('generate-signing-key')
    .description('make a signing key; prints it, or writes a file that only you can read')
    .option('-o, --output-file <path>', 'file to write; it must not exist')
    .action(async (options: { outputFile?: string }) => {
      const { printSigningKey } = await import('#/app/commands/generate.ts')
      printSigningKey(options.outputFile)
    })
  withConfig(root.command('register-user'))
    .description('make an account on a running server, through its registration_shared_secret')
    .option('-u, --user <name>', 'name of the account, without @ and server')
    .option('--password-file <path>', 'file with the password; without it you are asked')
    .option('--admin', 'make it a server administrator', false)
    .option('--url <address>', 'address of the server; without it that of the configuration')
    .action(async (options) => {
      const { registerUser } = await import('#/app/commands/register-user.ts')
      await registerUser(options)
    })
  withConfig(root.command('hash-password'))
    .description('print the hash of a password read from standard input, with the configured pepper')
    .action(async (options: ConfigOption) => {
      const { printPasswordHash } = await import('#/app/commands/hash-password.ts')
      await printPasswordHash(options.configPath)
    })
  withConfig(root.command('check-config'))
    .description('read a configuration and say what is wrong with it')
    .action(async (options: ConfigOption) => {
      const { printConfigCheck } = await import('#/app/commands/check.ts')
      printConfigCheck(options.configPath)
    })
  maintenance(root)
  return root
}

function maintenance(root: Command): void {
  withConfig(root.command('backup'))
    .description('write database, keys, configuration and media into a new folder; the server may be running')
    .requiredOption('-o, --out <folder>', 'folder to make')
    .action(async (options: ConfigOption & { out: string }) => {
      const { runBackup } = await import('#/app/commands/maintenance.ts')
      await runBackup(options)
    })
  withConfig(root.command('restore'))
    .description('put a backup in place; the server must be stopped and its database absent or empty')
    .requiredOption('--from <folder>', 'folder that backup wrote')
    .option('--config-folder <folder>', 'also restore the configuration files into this folder')
    .action(async (options: ConfigOption & { from: string; configFolder?: string }) => {
      const { runRestore } = await import('#/app/commands/maintenance.ts')
      await runRestore(options)
    })
  withConfig(root.command('recount'))
    .description('count all notifications again and say what differs; the server must be stopped')
    .option('--repair', 'put right what differs', false)
    .action(async (options: ConfigOption & { repair: boolean }) => {
      const { runRecount } = await import('#/app/commands/recount.ts')
      await runRecount(options)
    })
  withConfig(root.command('directory-rebuild'))
    .description('compare the directories of users and rooms with the truth; the server must be stopped')
    .option('--repair', 'put right what differs', false)
    .action(async (options: ConfigOption & { repair: boolean }) => {
      const { runDirectoryRebuild } = await import('#/app/commands/directory-rebuild.ts')
      await runDirectoryRebuild(options)
    })
  withConfig(root.command('verify'))
    .description('check every invariant of the database; the server may be running')
    .action(async (options: ConfigOption) => {
      const { runVerification } = await import('#/app/commands/maintenance.ts')
      await runVerification(options)
    })
  withConfig(root.command('search-rebuild'))
    .description('have the search index built anew at the next start; the server must be stopped')
    .action(async (options: ConfigOption) => {
      const { runSearchRebuild } = await import('#/app/commands/search-rebuild.ts')
      await runSearchRebuild(options)
    })
}

/** Parses and runs. What went wrong is said in a sentence; only our own mistakes show a stack. */
export async function run(argv: readonly string[]): Promise<void> {
  /* Whoever reads what is said may be gone, or on a full disk: no reason for a server to stop. */
  process.stderr.on('error', () => {})
  process.stdout.on('error', outputLost)
  try {
    await program()
      .exitOverride()
      .parseAsync([...argv])
  } catch (error) {
    process.exitCode = report(error)
  }
}

/** The result of a command did not get where it should: `| head` has seen enough, or a disk is full. */
function outputLost(error: Error & { code?: string }): void {
  if (error.code !== 'EPIPE') process.stderr.write(`The output cannot be written: ${sentenceOf(error)}.\n`)
  process.exit(1)
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode
  if (error instanceof ConfigError) {
    for (const problem of error.problems) process.stderr.write(`${describe(problem)}\n`)
    return 1
  }
  if (error instanceof StoreError) {
    process.stderr.write(`${error.message}\n`)
    return 1
  }
  if (error instanceof Error && 'code' in error) {
    process.stderr.write(`${sentenceOf(error)}\n`)
    return 1
  }
  throw error
}
