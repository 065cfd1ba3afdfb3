/** Which state events a client wants of a room. https://github.com/matrix-org/matrix-spec-proposals/pull/4186 */

/** What an element names; what is absent matches everything. */
export interface StateElement {
  readonly type?: string | undefined
  readonly stateKey?: string | undefined
}

/** The wish of one list or subscription. */
export interface StateWish {
  readonly include: readonly StateElement[]
  readonly exclude: readonly StateElement[]
  /** Members come with the events that name them. */
  readonly lazyMembers: boolean
}

const MEMBER = 'm.room.member'

/** The union of some wishes. Equal unions have equal keys. */
export class RequiredState {
  readonly key: string
  readonly lazyMembers: boolean
  /** Whether an element names more than one key, so that the keys of the room must be known. */
  readonly wild: boolean
  /** Whether all members are wanted. */
  readonly allMembers: boolean
  /** Keys that are named in full. */
  readonly exact: readonly (readonly [string, string])[]
  readonly #wishes: readonly StateWish[]

  constructor(wishes: readonly StateWish[]) {
    const distinct = new Map(wishes.map((wish) => [JSON.stringify(wish), wish]))
    this.#wishes = [...distinct.values()]
    this.key = [...distinct.keys()].sort().join('\n')
    this.allMembers = this.#wishes.some((wish) =>
      wish.include.some((element) => namesAllMembers(wish, element)),
    )
    this.lazyMembers = !this.allMembers && this.#wishes.some((wish) => wish.lazyMembers)
    const elements = this.#wishes.flatMap((wish) => wish.include)
    this.wild = elements.some((element) => element.type === undefined || element.stateKey === undefined)
    const exact = new Map<string, readonly [string, string]>()
    for (const { type, stateKey } of elements) {
      if (type === undefined || stateKey === undefined) continue
      if (this.matches(type, stateKey)) exact.set(`${type}\0${stateKey}`, [type, stateKey])
    }
    this.exact = [...exact.values()]
  }

  /** Whether an event is wanted wherever it comes from; lazily loaded members are not. */
  matches(type: string, stateKey: string): boolean {
    return this.#wishes.some(
      (wish) =>
        wish.include.some((element) => wanted(wish, element, type, stateKey)) &&
        !wish.exclude.some((element) => fits(element, type, stateKey)),
    )
  }
}

function fits({ type, stateKey }: StateElement, ofType: string, ofKey: string): boolean {
  return (type === undefined || type === ofType) && (stateKey === undefined || stateKey === ofKey)
}

/** With lazy members, an element without a type or key does not mean members. */
function wanted(wish: StateWish, element: StateElement, type: string, stateKey: string): boolean {
  if (!fits(element, type, stateKey)) return false
  return type !== MEMBER || element.type !== undefined || element.stateKey !== undefined || !wish.lazyMembers
}

function namesAllMembers(wish: StateWish, element: StateElement): boolean {
  return element.stateKey === undefined && wanted(wish, element, MEMBER, '')
}

/**
 * A wish in the form of pairs, as clients write it today: `*` matches everything, `$ME` is the reader, and `$LAZY` as
 * the key of members asks for lazy loading.
 */
export function wishOfPairs(pairs: readonly (readonly [string, string])[], userId: string): StateWish {
  const include: StateElement[] = []
  let lazyMembers = false
  for (const [type, stateKey] of pairs) {
    if (type === MEMBER && stateKey === '$LAZY') {
      lazyMembers = true
      continue
    }
    include.push({
      type: type === '*' ? undefined : type,
      stateKey: stateKey === '*' ? undefined : stateKey === '$ME' ? userId : stateKey,
    })
  }
  return { include, exclude: [], lazyMembers }
}
