import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
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
  makeFolders(dirname(path))
  if (existsSync(path)) throw exists(path)
  /* Under another name until it is whole: half a key that a full disk or a crash left would be taken for one. */
  const unfinished = `${path}.${process.pid}.new`
  try {
    writeWhole(unfinished, text)
    giveName(unfinished, path)
  } catch (error) {
    throw Object.assign(error as Error, { path })
  } finally {
    rmSync(unfinished, { force: true })
  }
  syncFolder(dirname(path))
}

function exists(path: string): Error {
  return Object.assign(new Error(`${path} exists`), { code: 'EEXIST', path })
}

function writeWhole(path: string, text: string): void {
  const file = openSync(path, 'w', OWNER_FILE)
  try {
    const bytes = Buffer.from(text)
    for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

const WITHOUT_LINKS: readonly unknown[] = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']

/** A link never replaces a file that came meanwhile; some file systems have none. */
function giveName(unfinished: string, path: string): void {
  try {
    linkSync(unfinished, path)
  } catch (error) {
    if (!WITHOUT_LINKS.includes((error as { code?: unknown }).code)) throw error
    renameSync(unfinished, path)
  }
}

/** One by one from the first that is there: Node's own way never ends below /proc. */
function makeFolders(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return
  const parent = dirname(path)
  if (parent !== path) makeFolders(parent)
  mkdirSync(path, { mode: OWNER_FOLDER })
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
