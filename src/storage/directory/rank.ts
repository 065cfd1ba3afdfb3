/** How well a person answers a question. */
import { foldName, type Question, wordsOf } from './terms.ts'

export interface Person {
  readonly userId: string
  readonly displayName: string | null
  readonly avatarUrl: string | null
  readonly local: boolean
  /** All terms, as `termsOf` made them. */
  readonly terms: readonly string[]
}

/** Share of the question's trigrams that somebody must have to be found by them alone. */
const GRAMS_SHARE = 0.6

/**
 * Points, more for the better; undefined where the person is no answer. A name or localpart that is the question comes
 * first, then names that begin with it, then words, then beginnings of words, then similar names.
 */
export function rank(person: Person, question: Question): number | undefined {
  if (question.userId === person.userId) return 1000
  const points = wordPoints(person, question) ?? gramPoints(person, question)
  if (points === undefined) return undefined
  /* Who has a name and a face is more likely meant. */
  return points + (person.displayName === null ? 0 : 2) + (person.avatarUrl === null ? 0 : 1)
}

function wordPoints(person: Person, { words }: Question): number | undefined {
  if (words.length === 0) return undefined
  let whole = 0
  for (const word of words) {
    let found = 0
    for (const term of person.terms) {
      if (term === word) found = 2
      else if (found === 0 && term.startsWith(word)) found = 1
      if (found === 2) break
    }
    if (found === 0) return undefined
    whole += found - 1
  }
  const asked = words.join(' ')
  const names = [wordsOf(person.displayName ?? '').join(' '), wordsOf(localpart(person.userId)).join(' ')]
  const points = 100 + (20 * whole) / words.length
  if (names.includes(asked)) return points + 200
  return names.some((name) => name.startsWith(asked)) ? points + 100 : points
}

function gramPoints(person: Person, { grams }: Question): number | undefined {
  if (grams.length === 0) return undefined
  const has = new Set(person.terms)
  const share = grams.filter((gram) => has.has(gram)).length / grams.length
  return share >= GRAMS_SHARE ? 50 * share : undefined
}

/** What stands between the sigil and the server's name. */
export function localpart(userId: string): string {
  const colon = userId.indexOf(':')
  return userId.slice(1, colon < 0 ? undefined : colon)
}

/** The people who are answers, the best first; of equal rank by name, then by id. `bonus` is added for local ones. */
export function ranked(people: readonly Person[], question: Question, bonus: number): Person[] {
  const scored: { person: Person; points: number; name: string }[] = []
  for (const person of people) {
    const points = rank(person, question)
    if (points === undefined) continue
    const name = foldName(person.displayName ?? '')
    scored.push({ person, points: points + (person.local ? bonus : 0), name })
  }
  scored.sort(
    (a, b) => b.points - a.points || compare(a.name, b.name) || compare(a.person.userId, b.person.userId),
  )
  return scored.map(({ person }) => person)
}

function compare(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1
}
