import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SourceFile } from './check.ts'

const ROOT = join(import.meta.dirname, '../..')
/** Folders that are not the project's own. */
const SKIPPED = new Set(['node_modules', '.git', '.cache', 'data'])

/** All text files of the checkout, except the locks that npm writes. */
export function projectFiles(): SourceFile[] {
  return [...walk('')]
}

function* walk(folder: string): Generator<SourceFile> {
  for (const entry of readdirSync(join(ROOT, folder), { withFileTypes: true })) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`
    /* `.git` is a file where the checkout is one of several. */
    if (SKIPPED.has(entry.name)) continue
    if (entry.isDirectory()) {
      yield* walk(path)
    } else if (entry.isFile() && entry.name !== 'package-lock.json') {
      const text = readFileSync(join(ROOT, path), 'utf8')
      if (!text.includes('\0')) yield { path, text }
    }
  }
}
