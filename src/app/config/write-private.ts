import { closeSync, fsyncSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Rng } from '#/base/world.ts'
import { randomSecret } from './generate.ts'
import type { MissingFile } from './load.ts'
import { generateSigningKey } from './signing-key.ts'

const OWNER_FILE = 0o600
const OWNER_FOLDER = 0o700

/**
 * Writes a file that only its owner can read, in folders made likewise, and flushes it to disk. Never replaces a
 * file: throws an error with code `EEXIST` when there is one.
 */
export function writePrivateFile(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: OWNER_FOLDER })
  const file = openSync(path, 'wx', OWNER_FILE)
  try {
    const bytes = Buffer.from(text)
    for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  syncFolder(dirname(path))
}

/** A new name in a folder is on disk only once the folder is. */
function syncFolder(path: string): void {
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

/** Makes the files a configuration names that do not exist yet. @returns their paths. */
export function createMissingFiles(missing: readonly MissingFile[], rng: Rng): string[] {
  for (const { holds, path } of missing) {
    writePrivateFile(path, holds === 'signing key' ? generateSigningKey(rng) : `${randomSecret(rng)}\n`)
  }
  return missing.map(({ path }) => path)
}
