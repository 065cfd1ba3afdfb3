/** `hash-password`. */
import { StoreError } from '#/base/store-error.ts'
import { loadConfig } from '../config/load.ts'
import { passwordsFor } from '../passwords.ts'
import { readSecretLine } from './ask.ts'

export async function printPasswordHash(configPaths: readonly string[]): Promise<void> {
  const pepper = configPaths.length === 0 ? null : loadConfig(configPaths).config.passwords.pepper
  const password = await readSecretLine('Password: ')
  if (password === '') throw new StoreError('refused', 'The password is empty.')
  process.stdout.write(`${await passwordsFor(pepper).hash(password)}\n`)
}
