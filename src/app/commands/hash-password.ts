/** `hash-password`. */
import { existsSync } from 'node:fs'
import { loadConfig } from '../config/load.ts'
import { configPathsOrDefault } from '../first-run.ts'
import { passwordsFor } from '../passwords.ts'
import { readNewPassword } from './ask.ts'

export async function printPasswordHash(configPaths: readonly string[]): Promise<void> {
  const paths = configPathsOrDefault(configPaths)
  /* Without any configuration there is no pepper. */
  const isGiven = configPaths.length > 0 || paths.some((path) => existsSync(path))
  const pepper = isGiven ? loadConfig(paths).config.passwords.pepper : null
  const password = await readNewPassword('Password: ')
  process.stdout.write(`${await passwordsFor(pepper).hash(password)}\n`)
}
