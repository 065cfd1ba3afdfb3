import { posix } from 'node:path'
import * as rules from './rules.ts'

/** A file of the tree: its path from the root with forward slashes, and its text. */
export type SourceFile = { path: string; text: string }

const CODE = /\.(ts|js|mjs|cjs)$/
/** Tests and their helpers beside the code answer to none of the layer rules. */
const TEST = /\.(test|fixture)\.ts$/
const KEBAB = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+)*\.ts$/
const IMPORT = /\b(?:from\s*|import\s*\(?\s*)['"]([^'"\n]+)['"]/g

/** Everything in the tree that breaks a rule of rules.ts: one line each, starting with the path. */
export function check(files: SourceFile[]): string[] {
  return files.flatMap((file) => {
    const problems = [...words(file)]
    if (CODE.test(file.path)) problems.push(...code(file))
    if (file.path.startsWith('src/') && !TEST.test(file.path) && CODE.test(file.path))
      problems.push(...layers(file))
    return problems.map((problem) => `${file.path}: ${problem}`)
  })
}

function* words({ path, text }: SourceFile): Generator<string> {
  const unfinished = rules.UNFINISHED.exec(text)
  if (unfinished && !rules.EXEMPT['unfinished']?.includes(path)) yield `unfinished work: ${unfinished[0]}`
  const banned = rules.BANNED_WORDS.exec(text)
  if (banned) yield `speaks of tools or of one machine: ${banned[0]}`
}

function* code({ path, text }: SourceFile): Generator<string> {
  const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0)
  if (lines > rules.LINES_MAX) yield `${lines} lines, at most ${rules.LINES_MAX}`
  if (!path.endsWith('.ts')) return
  if (!KEBAB.test(posix.basename(path))) yield 'file names are kebab-case'
  if (/^export default\b/m.test(text) && !rules.EXEMPT['default export']?.includes(path))
    yield 'default export; name it'
  if (/^\s*(export\s+)?(declare\s+)?(const\s+)?enum\s+\w/m.test(text)) yield 'enum; use an `as const` object'
  if (/^export \* /m.test(text)) yield 'barrel (export *); import from the file that has it'
}

function* layers(file: SourceFile): Generator<string> {
  const { path, text } = file
  const layer = path.split('/')[1] ?? ''
  if (!rules.LAYERS[layer]) {
    yield `src/${layer} is no layer of tests/tidy/rules.ts`
    return
  }
  for (const specifier of importsOf(text)) yield* imported(path, layer, specifier)
  if (layer === 'ports' && /^export (const|let|function|class|async)\b/m.test(text))
    yield 'ports holds types alone'
  if (layer === 'protocol')
    for (const pattern of patternsOf(text))
      if (!rules.PROTOCOL_PATTERNS.includes(pattern)) yield `${pattern} is not in the list of linear patterns`
  if (!rules.GLOBALS_ALLOWED.test(path)) {
    const banned = rules.BANNED_GLOBALS.exec(withoutComments(text))
    if (banned) yield `${banned[0]}: time, randomness, timers and environment come from World`
  }
}

function* imported(path: string, layer: string, specifier: string): Generator<string> {
  if (rules.IMPORTS_ALLOWED[path]?.includes(specifier)) return
  if (specifier.startsWith('.')) {
    if (!/\.ts$/.test(specifier)) yield `${specifier}: a relative import ends in .ts`
    const to = posix.join(posix.dirname(path), specifier)
    if (to.split('/').slice(0, 2).join('/') !== `src/${layer}`)
      yield `${specifier} leaves the layer; write #/<layer>/...`
    else yield* servicesInOrder(path, to)
  } else if (specifier.startsWith('#/')) {
    const to = specifier.slice(2).split('/')[0] ?? ''
    if (to === layer) yield `${specifier}: imports inside a layer are relative`
    else if (!rules.LAYERS[layer]?.includes(to)) yield `${layer} must not import ${to} (${specifier})`
  } else yield* packageImported(path, layer, specifier)
}

function* servicesInOrder(from: string, to: string): Generator<string> {
  const [a, b] = [from, to].map((path) => /^src\/services\/([^/]+)\//.exec(path)?.[1])
  if (a === undefined || b === undefined || a === b) return
  const [left, right] = [rules.SERVICES.indexOf(b), rules.SERVICES.indexOf(a)]
  if (left < 0 || right < 0) yield `services/${left < 0 ? b : a} has no place in the order of services`
  else if (left > right) yield `services/${a} must not import services/${b}, which stands to its right`
}

function* packageImported(path: string, layer: string, specifier: string): Generator<string> {
  const builtin = specifier.startsWith('node:')
  const name = builtin ? (specifier.split('/')[0] ?? '') : packageName(specifier)
  const folders = rules.PACKAGES[name]
  if (folders) {
    if (!folders.some((folder) => path.startsWith(`src/${folder}/`)))
      yield `${name} may be imported in ${folders.join(', ')} alone`
  } else if (!builtin) yield `${name} is not in the table of packages (tests/tidy/rules.ts)`
  else if (!rules.NODE_LAYERS.includes(layer)) yield `${layer} must not import ${specifier}`
}

/** What a module imports, statically or not, as written. */
export function importsOf(text: string): string[] {
  return [...text.matchAll(IMPORT)].map(([, specifier = '']) => specifier)
}

/** `@scope/name/part` and `name/part` without the part. */
export function packageName(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

/** Regular expressions of a text, as written; a constructed one as `RegExp`. */
export function patternsOf(text: string): string[] {
  const code = withoutComments(text).replace(/ \/\/ .*$/gm, '')
  const literals = code.matchAll(
    /(?:^|[=(,:;!&|?{}[>]|\breturn)\s*(\/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*)/gm,
  )
  return [...[...literals].map(([, pattern = '']) => pattern), ...(code.match(/\bRegExp\b/g) ?? [])]
}

/** Without lines that are comments from their first character on; what follows code on a line stays. */
function withoutComments(text: string): string {
  return text.replace(/^\s*(\/\/|\/\*|\*).*$/gm, '')
}
