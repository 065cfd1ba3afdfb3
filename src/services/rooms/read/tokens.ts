/**
 * Tokens of places in a server's streams. `s` tokens are positions in the order of arrival, `t` tokens places in a
 * room's topological order; both carry the epoch of the database, so that nothing of before a restore is reused.
 */

/** A position over all streams: everything at or below it has been seen. */
export interface StreamToken {
  readonly epoch: number
  readonly position: number
  /** What a syncing client has seen of what lives in memory; absent where that is nothing. */
  readonly ephemeral?: EphemeralSeen | undefined
  /** The position up to which the client has its messages, where more of them wait. */
  readonly toDevice?: number | undefined
}

/** Typing and presence as a client has seen them, in one life of the server. docs/decisions/0007-ephemeral.md */
export interface EphemeralSeen {
  readonly life: number
  readonly version: number
  /** Whether it was told of somebody typing who may not be any more. */
  readonly typing: boolean
}

/** A place between events of a room: the gap just before the named one, whichever way the reader goes on. */
export interface TopologicalToken {
  readonly epoch: number
  readonly depth: number
  readonly arrival: number
}

/** A place in a sliding sync: the position, and which answer it was. */
export interface SlidingToken extends StreamToken {
  readonly serial: number
}

/** Longest token that is looked at. */
const TOKEN_CHARS_MAX = 100

export function formatStream({ epoch, position, ephemeral, toDevice }: StreamToken): string {
  const text = `s${epoch}_${position}`
  const seen = ephemeral ? `_${ephemeral.life}_${ephemeral.version}${ephemeral.typing ? '_1' : ''}` : ''
  return `${text}${seen}${toDevice === undefined ? '' : `d${toDevice}`}`
}

export function formatTopological({ epoch, depth, arrival }: TopologicalToken): string {
  return `t${epoch}_${depth}_${arrival}`
}

/** The numbers of a token with the given letter, or undefined when it is not one of ours. */
function numbersOf(text: string, letter: string, ...counts: number[]): number[] | undefined {
  if (text.length > TOKEN_CHARS_MAX || text[0] !== letter) return undefined
  const numbers: number[] = []
  for (const part of text.slice(1).split('_')) {
    const value = Number(part)
    if (part === '' || !Number.isSafeInteger(value) || String(value) !== part) return undefined
    numbers.push(value)
  }
  return counts.includes(numbers.length) ? numbers : undefined
}

export function formatSliding({ epoch, position, serial }: SlidingToken): string {
  return `p${epoch}_${position}_${serial}`
}

export function parseSliding(text: string): SlidingToken | undefined {
  const numbers = numbersOf(text, 'p', 3)
  if (!numbers || numbers[1]! < 0) return undefined
  return { epoch: numbers[0]!, position: numbers[1]!, serial: numbers[2]! }
}

export function parseStream(text: string): StreamToken | undefined {
  const mark = text.lastIndexOf('d')
  if (mark < 0) return parseStreamAlone(text)
  const token = parseStreamAlone(text.slice(0, mark))
  const toDevice = numbersOf(text.slice(mark), 'd', 1)?.[0]
  return token && toDevice !== undefined && toDevice >= 0 ? { ...token, toDevice } : undefined
}

function parseStreamAlone(text: string): StreamToken | undefined {
  const numbers = numbersOf(text, 's', 2, 4, 5)
  if (!numbers || numbers.slice(1).some((number) => number < 0)) return undefined
  const [epoch, position, life, version, typing] = numbers as [number, number, ...number[]]
  if (life === undefined || version === undefined) return { epoch, position }
  return { epoch, position, ephemeral: { life, version, typing: typing === 1 } }
}

export function parseTopological(text: string): TopologicalToken | undefined {
  const numbers = numbersOf(text, 't', 3)
  if (!numbers) return undefined
  return { epoch: numbers[0]!, depth: numbers[1]!, arrival: numbers[2]! }
}

/** A position of either kind of sync, for whoever reads a room from there. */
export function parsePosition(text: string): StreamToken | undefined {
  return parseStream(text) ?? parseSliding(text)
}
