/** Tokens of the published list: a place and the direction in which the page goes. */
import type { PublishedPlace } from '#/ports/store/directory.ts'

/** Longest token that is looked at. */
const TOKEN_CHARS_MAX = 40

export function formatPlace(dir: 'f' | 'b', { joined, room }: PublishedPlace): string {
  return `${dir}${joined}_${room}`
}

/** The place of a token, or undefined for a text that is none. */
export function parsePlace(text: string): { dir: 'f' | 'b'; place: PublishedPlace } | undefined {
  const dir = text[0]
  if (text.length > TOKEN_CHARS_MAX || (dir !== 'f' && dir !== 'b')) return undefined
  const [joined, room, ...rest] = text.slice(1).split('_').map(numberOf)
  if (joined === undefined || room === undefined || rest.length > 0) return undefined
  return { dir, place: { joined, room } }
}

function numberOf(text: string): number | undefined {
  const value = Number(text)
  return Number.isSafeInteger(value) && value >= 0 && String(value) === text ? value : undefined
}
