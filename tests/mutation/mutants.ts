/** Finds every comparison, boolean and constant of a source text and says how to flip it. */

/** One change of a source text. */
export interface Mutant {
  /** Offset of the first character that is replaced. */
  readonly at: number
  readonly from: string
  readonly to: string
  readonly line: number
  /** The line as it stands, without its indentation. */
  readonly text: string
}

/** Longest first, so that `===` is not read as `==` and `=`. */
const OPERATORS: readonly [from: string, to: string][] = [
  ['===', '!=='],
  ['!==', '==='],
  ['>=', '>'],
  ['<=', '<'],
  ['&&', '||'],
  ['||', '&&'],
  ['??', '&&'],
  [' > ', ' >= '],
  [' < ', ' <= '],
  [' + ', ' - '],
]

const WORDS: readonly [from: string, to: string][] = [
  ['true', 'false'],
  ['false', 'true'],
  ['some', 'every'],
  ['every', 'some'],
  ['undefined', 'null'],
  ['atLeast', 'above'],
  ['above', 'atLeast'],
]

/** All mutants of a TypeScript text. Comments, imports, types and messages (strings with a space) are left alone. */
export function mutantsOf(source: string): Mutant[] {
  const found: Mutant[] = []
  const lines = source.split('\n')
  const starts = lines.map((_, i) => lines.slice(0, i).reduce((sum, line) => sum + line.length + 1, 0))
  const add = (at: number, from: string, to: string) => {
    const line = starts.findLastIndex((start) => start <= at)
    const text = lines[line]!.trim()
    if (/^(import|export (interface|type)|interface|type|readonly)\b/.test(text)) return
    if (/^export function is(Junk)/.test(text)) return
    found.push({ at, from, to, line: line + 1, text })
  }
  for (let i = 0; i < source.length; ) i = step(source, i, add)
  return found
}

type Add = (at: number, from: string, to: string) => void

/** Looks at one token and gives the index after it. */
function step(source: string, i: number, add: Add): number {
  if (source.startsWith('//', i)) return source.indexOf('\n', i)
  if (source.startsWith('/*', i)) return source.indexOf('*/', i) + 2
  const c = source[i]!
  // The formatter uses double quotes for messages with an apostrophe alone.
  if (c === '"') return source.indexOf('"', i + 1) + 1
  if (c === "'") return string(source, i, add)
  if (c === '`') return template(source, i, add)
  for (const [from, to] of OPERATORS) {
    if (!source.startsWith(from, i)) continue
    add(i, from, to)
    return i + from.length
  }
  if (c === '!' && /[\w(]/.test(source[i + 1] ?? '') && !/[\w)\]]/.test(source[i - 1] ?? '')) {
    add(i, '!', '')
    return i + 1
  }
  const word = /^[A-Za-z_$][\w$]*/.exec(source.slice(i, i + 60))?.[0]
  if (word !== undefined) {
    const flip = WORDS.find(([from]) => from === word)
    // A type, a declaration or a member of a type is not a value.
    const isType =
      /[:|]\s*$/.test(source.slice(0, i)) &&
      /^\s*(\||\)|,|=|\{|$)/m.test(source.slice(i + word.length, i + word.length + 3))
    if (flip !== undefined && !isType && !/function $|import .*$/.test(source.slice(Math.max(0, i - 20), i)))
      add(i, ...flip)
    return i + word.length
  }
  const number = /^\d[\d_]*n?/.exec(source.slice(i, i + 20))?.[0]
  if (number === undefined) return i + 1
  add(
    i,
    number,
    number.endsWith('n') ? `${number.slice(0, -1)}1n` : String(Number(number.replaceAll('_', '')) + 1),
  )
  return i + number.length
}

/** A string that is a message is left alone; any other gets a character more. */
function string(source: string, i: number, add: Add): number {
  const end = source.indexOf("'", i + 1)
  const text = source.slice(i, end + 1)
  if (!text.includes(' ') && !text.includes('.ts') && !text.startsWith("'node:"))
    add(i, text, text === "''" ? "'~'" : `'~${text.slice(1)}`)
  return end + 1
}

/** Of a template, the rule numbers after a value (`${at}.2`) and the code inside. */
function template(source: string, i: number, add: Add): number {
  let at = i + 1
  while (source[at] !== '`') {
    if (source.startsWith('${', at)) {
      at += 2
      while (source[at] !== '}') at = step(source, at, add)
      const rest = /^\}((?:\.\d)+)(?=[`$])/.exec(source.slice(at, at + 12))?.[1]
      if (rest !== undefined) add(at + 1, rest, `${rest}9`)
      at++
    } else at++
  }
  return at + 1
}
