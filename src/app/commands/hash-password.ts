/** `hash-password`. */

import { loadConfig } from '../config/load.ts'
import { passwordsFor } from '../passwords.ts'
import { readSecretLine } from './ask.ts'

export async function printPasswordHash(configPaths: readonly string[]): Promise<void> {
  const pepper = configPaths.length === 0 ? null : loadConfig(configPaths).config.passwords.pepper
  const password = await readSecretLine('Password: ')
  process.stdout.write(`${await passwordsFor(pepper).hash(password)}\n`)
}
