import { execFileSync } from 'node:child_process'
import {
  closeSync,
  fdatasyncSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { percentile } from './samples.ts'

/** How long the disk takes to make 4 KiB durable, milliseconds. */
export interface SyncTimes {
  /** In place, as a write-ahead log that is used again. */
  readonly overwriteP50: number
  readonly overwriteP99: number
  /** At the end of a growing file, whose new length must be durable too. */
  readonly appendP50: number
  readonly appendP99: number
}

/** Where the server keeps its bytes, as far as it is known. */
export interface StorageProbe {
  readonly dataDir: string | null
  /** A shell command that makes a checkpoint and prints the size in bytes, for a database server. */
  readonly sizeCommand: string | null
}

const ROUNDS = 200
const BLOCK_BYTES = 4096
const SQLITE_MAGIC = 'SQLite format 3\0'

/** Times 200 writes of 4 KiB with fdatasync in a file of its own in `dir`, overwriting and appending. */
export function measureSync(dir: string): SyncTimes {
  const folder = mkdtempSync(join(dir, 'fdatasync-'))
  try {
    const append = timeWrites(join(folder, 'file'), (round) => round * BLOCK_BYTES)
    const overwrite = timeWrites(join(folder, 'file'), (round) => round * BLOCK_BYTES)
    return {
      overwriteP50: percentile(overwrite, 50),
      overwriteP99: percentile(overwrite, 99),
      appendP50: percentile(append, 50),
      appendP99: percentile(append, 99),
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** The sorted times of 200 writes; a second call on the same file overwrites what the first appended. */
function timeWrites(path: string, offset: (round: number) => number): number[] {
  const file = openSync(path, statSync(path, { throwIfNoEntry: false }) ? 'r+' : 'w')
  const block = Buffer.alloc(BLOCK_BYTES)
  const times: number[] = []
  try {
    for (let round = 0; round < ROUNDS; round++) {
      block.writeUInt32LE(round)
      const start = performance.now()
      writeSync(file, block, 0, BLOCK_BYTES, offset(round))
      fdatasyncSync(file)
      times.push(performance.now() - start)
    }
  } finally {
    closeSync(file)
  }
  return times.sort((a, b) => a - b)
}

/**
 * Bytes that the server has on disk, after a checkpoint: every SQLite database in the data folder gets its
 * write-ahead log moved into the database and emptied, then all files but logs of text (*.log) are added up;
 * the size command's answer is added. Null when neither is given.
 */
export function bytesOnDisk(probe: StorageProbe): number | null {
  if (!probe.dataDir && !probe.sizeCommand) return null
  let total = 0
  if (probe.sizeCommand) {
    const printed = execFileSync('sh', ['-c', probe.sizeCommand], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .at(-1)
    const size = Number(printed)
    if (!(size > 0))
      throw new Error(`the size command printed ${JSON.stringify(printed)}, not a number of bytes`)
    total += size
  }
  if (probe.dataDir) {
    for (const file of filesUnder(probe.dataDir)) if (isSqlite(file)) checkpoint(file)
    for (const file of filesUnder(probe.dataDir)) {
      if (!file.endsWith('.log')) total += statSync(file, { throwIfNoEntry: false })?.size ?? 0
    }
  }
  return total
}

function filesUnder(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

function isSqlite(path: string): boolean {
  const file = openSync(path, 'r')
  try {
    const magic = Buffer.alloc(SQLITE_MAGIC.length)
    readSync(file, magic, 0, magic.length, 0)
    return magic.toString('latin1') === SQLITE_MAGIC
  } finally {
    closeSync(file)
  }
}

/** Moves the whole write-ahead log of the database into it; waits up to ten seconds for the server's own work. */
function checkpoint(path: string): void {
  const db = new DatabaseSync(path, { timeout: 10_000 })
  try {
    const row = db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get() as { busy: number } | undefined
    if (row?.busy) throw new Error(`${path}: the checkpoint was refused, the database is busy`)
  } finally {
    db.close()
  }
}
