import { inspect } from 'node:util'

const HIDDEN = '[secret]'

/**
 * A value that must not reach a log, a trace or a report by accident: printing, joining and serialising give
 * `[secret]`, only `reveal()` gives the text.
 */
export class Secret {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  /** The secret itself. */
  reveal(): string {
    return this.#text
  }

  toString(): string {
    return HIDDEN
  }

  toJSON(): string {
    return HIDDEN
  }

  [inspect.custom](): string {
    return HIDDEN
  }
}
