/** What is known of the messages that wait for a device: positions, never content. */
export class Inbox {
  readonly user: string
  readonly device: string
  /** Position of the first message that may wait; Infinity for none. */
  first = Number.POSITIVE_INFINITY
  /** Position of the last message that came; 0 for none. */
  #last = 0
  /** Settles when the store has said what waits; undefined from then on. */
  loading: Promise<void> | undefined

  constructor(user: string, device: string) {
    this.user = user
    this.device = device
  }

  /** Whether messages may wait behind a position. */
  hasNewsSince(position: number): boolean {
    return this.#last > position
  }

  /** A message came. */
  arrived(position: number): void {
    this.found(position, position)
  }

  /** Messages are there between two positions. */
  found(first: number, last: number): void {
    this.first = Math.min(this.first, first)
    this.#last = Math.max(this.#last, last)
  }

  /** The messages up to a position were delivered. */
  confirmed(upto: number): void {
    this.first = this.#last > upto ? upto + 1 : Number.POSITIVE_INFINITY
  }

  /** What the store has up to a position, behind what the client has, begins at `first`; undefined for nothing. */
  read(first: number | undefined, upto: number): void {
    if (first !== undefined) {
      if (this.first <= upto) this.first = first
    } else if (this.#last <= upto) {
      /* The device was deleted, or its oldest messages had to go. */
      this.first = Number.POSITIVE_INFINITY
      this.#last = 0
    }
  }
}
