/**
 * Imported first, finds the project's own modules by their names alone: `#/` is src, and every other name says where
 * the file is. Node's way (a package.json for each folder, the real path of each file, its kind) finds the same and
 * took a third of the processor time of a start. Threads: storage/thread.ts.
 */
import { registerHooks } from 'node:module'

const SRC = new URL('../', import.meta.url).href
/** Tests have modules of their own beside it. */
const ROOT = new URL('../../', import.meta.url).href

registerHooks({
  resolve(specifier, context, next) {
    const url = specifier.endsWith('.ts') ? ownModule(specifier, context.parentURL) : undefined
    return url === undefined
      ? next(specifier, context)
      : { url, format: 'module-typescript', shortCircuit: true }
  },
})

function ownModule(specifier: string, parent: string | undefined): string | undefined {
  if (parent?.startsWith(ROOT) !== true) return undefined
  if (specifier.startsWith('#/')) return SRC + specifier.slice(2)
  return specifier.startsWith('./') || specifier.startsWith('../')
    ? new URL(specifier, parent).href
    : undefined
}
