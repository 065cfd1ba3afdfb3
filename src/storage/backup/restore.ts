/** Putting a backup in place of what was lost. */
import { basename, join } from 'node:path'
import type { Log } from '#/base/log.ts'
import { StoreError } from '#/base/store-error.ts'
import { SCHEMA_NUMBER } from '../migrations/index.ts'
import type { DatabaseLocation } from '../verify/location.ts'
import type { VerifyReport } from '../verify/report.ts'
import { runVerify } from '../verify/run-verify.ts'
import { loadDatabase, refuseOccupied, savedDatabase } from './engines.ts'
import { copyDurably, hashFile, isAbsent, isVacant, syncTree } from './files.ts'
import { type BackupFile, type Manifest, readManifest } from './manifest.ts'

/** Where the parts go. What is absent is left in the backup. */
export interface RestoreTarget {
  readonly database: DatabaseLocation
  readonly signingKeyPath?: string
  /** Folder for the configuration files, under the names they have in the backup. */
  readonly configFolder?: string
  readonly mediaPath?: string
}

export interface RestoreOptions {
  /** A folder that `backup` wrote. */
  readonly from: string
  readonly into: RestoreTarget
  readonly log: Log
}

export interface RestoreResult {
  readonly manifest: Manifest
  /** The new epoch, and the position from which it goes on. */
  readonly epoch: number
  readonly position: number
  readonly report: VerifyReport
}

/**
 * Checks a backup's hashes, then puts its parts in place, the database last. The restored server begins a new epoch
 * and its positions jump ahead, so that nothing the lost one gave out after the backup is given out again.
 * Throws a StoreError `refused` before writing anything when a target is in use or the backup is not whole.
 */
export async function restore({ from, into, log }: RestoreOptions): Promise<RestoreResult> {
  const manifest = await readManifest(from)
  if (manifest.engine !== into.database.engine) {
    throw new StoreError('refused', `this is a backup of ${manifest.engine}; give a database of that engine`)
  }
  if (manifest.schema > SCHEMA_NUMBER) {
    throw new StoreError('refused', `the backup has schema ${manifest.schema}, newer than ${SCHEMA_NUMBER}`)
  }
  await checkFiles(from, manifest)
  await refuseOccupied(into.database)
  const copies = await planCopies(manifest, into)
  if (!manifest.verified) log.warn('The database was already damaged when this backup was written')
  for (const { file, to } of copies) await copyDurably(join(from, file.path), to)
  if (into.mediaPath !== undefined && !(await isVacant(into.mediaPath))) await syncTree(into.mediaPath)
  const { epoch, position } = await loadDatabase(
    savedDatabase(from, manifest.engine),
    into.database,
    manifest,
  )
  const report = await runVerify({ database: into.database, log })
  log.info('The backup is restored', { epoch, position, ok: report.ok })
  return { manifest, epoch, position, report }
}

async function checkFiles(folder: string, manifest: Manifest): Promise<void> {
  if (!manifest.files.some((file) => file.role === 'database')) {
    throw new StoreError('refused', `${folder} holds no database`)
  }
  for (const file of manifest.files) {
    const { sha256 } = await hashFile(join(folder, file.path)).catch((error: unknown) => {
      if (isAbsent(error)) throw new StoreError('refused', `the backup lacks ${file.path}`)
      throw error
    })
    if (sha256 !== file.sha256) throw new StoreError('refused', `${file.path} is not what the backup wrote`)
  }
}

interface Copy {
  readonly file: BackupFile
  readonly to: string
}

/** The copies to make; refuses where another file is in the way. A file that is there already is left. */
async function planCopies(manifest: Manifest, into: RestoreTarget): Promise<Copy[]> {
  if (into.mediaPath !== undefined && !(await isVacant(into.mediaPath))) {
    throw new StoreError('refused', `${into.mediaPath} is not empty. It was not touched. Move it away first`)
  }
  const copies: Copy[] = []
  for (const file of manifest.files) {
    const to = placeOf(file, into)
    if (to === undefined) continue
    const there = file.role === 'media' ? undefined : await hashIfThere(to)
    if (there === file.sha256) continue
    if (there !== undefined) {
      throw new StoreError('refused', `${to} exists and differs from the backup. It was not touched`)
    }
    copies.push({ file, to })
  }
  return copies
}

function placeOf(file: BackupFile, into: RestoreTarget): string | undefined {
  if (file.role === 'key') return into.signingKeyPath
  if (file.role === 'config') return into.configFolder && join(into.configFolder, basename(file.path))
  if (file.role === 'media') return into.mediaPath && join(into.mediaPath, file.path.slice('media/'.length))
  return undefined
}

async function hashIfThere(path: string): Promise<string | undefined> {
  try {
    return (await hashFile(path)).sha256
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}
