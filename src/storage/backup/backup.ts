/** A copy of everything a server needs to go on: database, signing key, configuration, media. */
import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import type { Log } from '#/base/log.ts'
import { StoreError } from '#/base/store-error.ts'
import type { World } from '#/base/world.ts'
import type { DatabaseLocation } from '../verify/location.ts'
import type { VerifyReport } from '../verify/report.ts'
import { DATABASE_FILES, saveDatabase, savedDatabase } from './engines.ts'
import {
  copyDurably,
  filesBelow,
  hashFile,
  isAbsent,
  isVacant,
  PRIVATE_FOLDER,
  syncFile,
  syncTree,
  writeDurably,
} from './files.ts'
import { type BackupFile, type FileRole, MANIFEST_FILE, MANIFEST_FORMAT, type Manifest } from './manifest.ts'

export interface BackupOptions {
  readonly database: DatabaseLocation
  /** Absent: the key is in the configuration. */
  readonly signingKeyPath: string | undefined
  /** Configuration files, or folders of them. */
  readonly configPaths: readonly string[]
  readonly mediaPath?: string
  /** The folder to make; it must not exist or be empty. */
  readonly out: string
  /** Release of this program, for the manifest. */
  readonly version: string
  readonly world: World
  readonly log: Log
}

export interface BackupResult {
  readonly manifest: Manifest
  /** What verification said of the copy. A backup of a damaged database is kept, since it may be all there is. */
  readonly report: VerifyReport
}

/**
 * Writes a backup while the server runs. The folder gets its name when all of it is on disk and verified; until then
 * it is called `<out>.partial`. Throws a StoreError `refused` when `out` is in use or the database is not ours.
 */
export async function backup(options: BackupOptions): Promise<BackupResult> {
  const { out } = options
  if (!(await isVacant(out))) throw new StoreError('refused', `${out} is not empty. It was not touched`)
  const partial = `${resolve(out)}.partial`
  await rm(partial, { recursive: true, force: true })
  await mkdir(partial, { recursive: true, mode: PRIVATE_FOLDER })
  try {
    return await write(options, partial)
  } catch (error) {
    /* It is of no use, and may be what fills the disk. */
    await rm(partial, { recursive: true, force: true })
    throw withPlace(partial, error)
  }
}

/** SQLite's own errors name no file. */
function withPlace(partial: string, error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof StoreError || !('errcode' in error)) return error
  return new StoreError('refused', `${partial} could not be written: ${error.message}`, { cause: error })
}

async function write(options: BackupOptions, partial: string): Promise<BackupResult> {
  const { out, log } = options
  /* First: every file that the copied rows name is there already, so copying media later misses none. */
  const { engine } = options.database
  const report = await saveDatabase(options.database, savedDatabase(partial, engine), log)
  log.info('The database is copied', { position: report.position, ok: report.ok })
  const files = [await entryOf(partial, DATABASE_FILES[engine], 'database', '')]
  for await (const file of copyParts(options, partial)) files.push(file)
  const manifest: Manifest = {
    format: MANIFEST_FORMAT,
    version: options.version,
    created: options.world.clock.now(),
    engine,
    schema: report.schema,
    serverName: report.serverName,
    epoch: report.epoch,
    position: report.position,
    verified: report.ok,
    files,
  }
  await writeDurably(join(partial, MANIFEST_FILE), `${JSON.stringify(manifest, undefined, 2)}\n`)
  await syncTree(partial)
  await rename(partial, out)
  await syncFile(dirname(resolve(out)))
  log.info('The backup is written', { out, files: files.length })
  return { manifest, report }
}

async function* copyParts(options: BackupOptions, folder: string): AsyncGenerator<BackupFile> {
  if (options.signingKeyPath !== undefined) yield* copyNamed(folder, 'key', [options.signingKeyPath])
  const configs: string[] = []
  for (const path of options.configPaths) {
    if (!(await stat(path)).isDirectory()) configs.push(path)
    else for await (const file of filesBelow(path)) configs.push(join(path, file))
  }
  yield* copyNamed(folder, 'config', configs)
  if (options.mediaPath !== undefined) yield* copyMedia(folder, options.mediaPath)
}

/** Files that are few: kept under their own names, with a number before a name that comes twice. */
async function* copyNamed(
  folder: string,
  role: FileRole,
  paths: readonly string[],
): AsyncGenerator<BackupFile> {
  const names = new Set<string>()
  for (const path of paths) {
    let name = basename(path)
    for (let i = 2; names.has(name); i++) name = `${i}-${basename(path)}`
    names.add(name)
    await copyDurably(path, join(folder, role, name))
    yield await entryOf(folder, `${role}/${name}`, role, resolve(path))
  }
}

async function* copyMedia(folder: string, mediaPath: string): AsyncGenerator<BackupFile> {
  if (await isVacant(mediaPath)) return
  for await (const path of filesBelow(mediaPath)) {
    try {
      await copyDurably(join(mediaPath, path), join(folder, 'media', path))
    } catch (error) {
      /* Deleted meanwhile, or a temporary file that has got its name. */
      if (isAbsent(error)) continue
      throw error
    }
    yield await entryOf(folder, `media/${path}`, 'media', path)
  }
}

async function entryOf(folder: string, path: string, role: FileRole, from: string): Promise<BackupFile> {
  return { path, role, from, ...(await hashFile(join(folder, path))) }
}
