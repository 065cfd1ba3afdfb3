/** Tokens of `/search`: where the next page begins, and of which group. */
import { TOKEN_CHARS_MAX } from './limits.ts'

export type GroupKey = 'room_id' | 'sender'

export interface SearchToken {
  /** Row ids of results are below it. */
  readonly before: number
  /** Results of the ranked window that were given before. */
  readonly offset: number
  /** Results that were given on all pages before. */
  readonly given: number
  readonly group?: { readonly key: GroupKey; readonly value: string }
}

const LETTERS = { room_id: 'r', sender: 's' } as const

export function formatToken(epoch: number, { before, offset, given, group }: SearchToken): string {
  const numbers = `f${epoch}_${before}_${offset}_${given}`
  if (!group) return numbers
  return `${numbers}.${LETTERS[group.key]}${Buffer.from(group.value).toString('base64url')}`
}

/** Reads a token; undefined when it is not one of this database's life. */
export function parseToken(epoch: number, text: string): SearchToken | undefined {
  if (text.length > TOKEN_CHARS_MAX || text[0] !== 'f') return undefined
  const [places = '', name] = text.slice(1).split('.')
  const numbers = places.split('_').map(Number)
  if (numbers.length !== 4 || !numbers.every((value) => Number.isSafeInteger(value) && value >= 0)) {
    return undefined
  }
  const [made, before, offset, given] = numbers as [number, number, number, number]
  if (made !== epoch) return undefined
  if (name === undefined) return { before, offset, given }
  const key = name[0] === 'r' ? 'room_id' : name[0] === 's' ? 'sender' : undefined
  const value = Buffer.from(name.slice(1), 'base64url').toString()
  return key === undefined ? undefined : { before, offset, given, group: { key, value } }
}
