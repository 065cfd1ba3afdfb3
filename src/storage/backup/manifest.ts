/** The list of what a backup holds. It is written last: a folder without it is no backup. */
import { readFile, stat } from 'node:fs/promises'
import { isAbsolute, join, normalize, sep } from 'node:path'
import { StoreError } from '#/base/store-error.ts'
import { reasonOf } from '#/base/system-error.ts'
import type { EngineName } from '../sql/dialect.ts'
import { MANIFEST_BYTES_MAX } from './limits.ts'

export const MANIFEST_FILE = 'manifest.json'
/** Counts changes of the folder's form that an older release cannot read. */
export const MANIFEST_FORMAT = 1

export type FileRole = 'database' | 'key' | 'config' | 'media'

export interface BackupFile {
  /** Inside the backup folder, with forward slashes. */
  readonly path: string
  readonly role: FileRole
  /** Where it was: for keys and configuration the whole path, for media below the media folder. */
  readonly from: string
  readonly bytes: number
  /** Hexadecimal. */
  readonly sha256: string
}

export interface Manifest {
  readonly format: number
  /** Release that wrote it. */
  readonly version: string
  /** Milliseconds since the epoch. */
  readonly created: number
  readonly engine: EngineName
  readonly schema: number
  readonly serverName: string
  readonly epoch: number
  readonly position: number
  /** Whether verification found nothing in the database that was written. */
  readonly verified: boolean
  readonly files: readonly BackupFile[]
}

/** Reads and checks a backup's manifest. Throws a StoreError `refused` where it is none that we can use. */
export async function readManifest(folder: string): Promise<Manifest> {
  const path = join(folder, MANIFEST_FILE)
  let manifest: unknown
  try {
    const { size } = await stat(path)
    if (size > MANIFEST_BYTES_MAX) throw new RangeError(`it has ${size} bytes`)
    manifest = JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    throw refuse(folder, `its ${MANIFEST_FILE} cannot be read: ${reasonOf(error)}`)
  }
  if (!isManifest(manifest)) throw refuse(folder, `its ${MANIFEST_FILE} is not one of ours`)
  if (manifest.format !== MANIFEST_FORMAT) {
    throw refuse(folder, `it has the format ${manifest.format}; this release reads ${MANIFEST_FORMAT}`)
  }
  for (const { path: file } of manifest.files) {
    if (!isInside(file)) throw refuse(folder, `it names a file outside: ${file}`)
  }
  return manifest
}

function refuse(folder: string, why: string): StoreError {
  return new StoreError('refused', `${folder} cannot be restored: ${why}`)
}

function isManifest(value: unknown): value is Manifest {
  if (typeof value !== 'object' || value === null) return false
  const { format, engine, schema, serverName, epoch, position, verified, files } = value as Partial<Manifest>
  const numbers = [format, schema, epoch, position].every((number) => Number.isSafeInteger(number))
  const known = (engine === 'sqlite' || engine === 'postgres') && typeof verified === 'boolean'
  return numbers && known && typeof serverName === 'string' && Array.isArray(files) && files.every(isFile)
}

function isFile(value: unknown): value is BackupFile {
  if (typeof value !== 'object' || value === null) return false
  const { path, role, from, bytes, sha256 } = value as Partial<BackupFile>
  const texts = [path, role, from, sha256].every((text) => typeof text === 'string')
  return texts && Number.isSafeInteger(bytes)
}

/** Whether a relative path stays inside the folder it is joined to. */
export function isInside(path: string): boolean {
  const normal = normalize(path)
  return path !== '' && !isAbsolute(path) && normal !== '..' && !normal.startsWith(`..${sep}`)
}
