import { dirname, resolve } from 'node:path'
import type { FileReader } from './files.ts'

/** Files that are only in memory, by absolute path, for tests and simulations. Folders are the parents of files. */
export function memoryFiles(texts: Readonly<Record<string, string>>, cwd = '/work'): FileReader {
  const paths = Object.keys(texts)
  return {
    cwd,
    readText(path) {
      const text = texts[resolve(cwd, path)]
      if (text === undefined) throw new Error(`no such file: ${path}`)
      return text
    },
    exists: (path) => paths.some((p) => p === path || p.startsWith(`${path}/`)),
    list(path) {
      const inside = paths.filter((p) => p.startsWith(`${path}/`))
      if (inside.length === 0) return undefined
      const names = new Set(inside.map((p) => p.slice(path.length + 1).split('/')[0] ?? ''))
      return [...names].map((name) => ({
        name,
        isFile: paths.some((p) => dirname(p) === path && p.endsWith(`/${name}`)),
      }))
    },
  }
}
