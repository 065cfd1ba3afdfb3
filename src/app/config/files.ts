import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { CONFIG_FILE_CHARS_MAX } from './limits.ts'
import type { Notice } from './problems.ts'

/** The file system as the configuration sees it. Synchronous: it is used once, before the server starts. */
export interface FileReader {
  /** The folder from which relative paths start: the working directory, as in Synapse. */
  readonly cwd: string
  /** The text of a file. Throws when it cannot be read. */
  readText(path: string): string
  exists(path: string): boolean
  /** Names of the entries of a folder with their kind, or undefined when the path is no folder. */
  list(path: string): readonly { name: string; isFile: boolean }[] | undefined
}

/** The real file system. */
export function diskReader(cwd: string = process.cwd()): FileReader {
  return {
    cwd,
    readText(path) {
      const text = readFileSync(path, 'utf8')
      if (text.length > CONFIG_FILE_CHARS_MAX)
        throw new Error(`larger than ${CONFIG_FILE_CHARS_MAX} characters`)
      return text
    },
    exists: (path) => existsSync(path),
    list(path) {
      if (!existsSync(path) || !statSync(path).isDirectory()) return undefined
      return readdirSync(path).map((name) => ({ name, isFile: statSync(join(path, name)).isFile() }))
    },
  }
}

/**
 * The files behind several `--config-path` values: a file is itself, a folder stands for its `*.yaml` files in
 * sorted order. Other entries of a folder are passed over with a notice.
 */
export function findConfigFiles(
  paths: readonly string[],
  files: FileReader,
): { files: string[]; ignored: Notice[] } {
  const found: string[] = []
  const ignored: Notice[] = []
  for (const path of paths.map((p) => resolve(files.cwd, p))) {
    const entries = files.list(path)
    if (entries === undefined) {
      found.push(path)
      continue
    }
    const yaml = entries.filter((e) => e.isFile && e.name.endsWith('.yaml')).map((e) => e.name)
    for (const entry of entries) {
      if (yaml.includes(entry.name)) continue
      const text = entry.isFile ? 'passed over: its name does not end in .yaml' : 'passed over: not a file'
      ignored.push({ kind: 'ignored', file: join(path, entry.name), line: 0, key: '', text })
    }
    found.push(...yaml.sort().map((name) => join(path, name)))
  }
  return { files: found, ignored }
}
