/** Questions that are asked in one turn of the event loop and answered together. */
import type { Clock } from '../world.ts'

interface Waiting<Ask, Answer> {
  readonly ask: Ask
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: unknown) => void
}

export interface GatherOptions<Ask, Answer> {
  readonly clock: Clock
  /** Questions that are answered together at most. */
  readonly most: number
  /** Questions of different groups are not answered together; absent: all are of one. */
  readonly groupOf?: (ask: Ask) => string
  /** Answers in order, of the first questions at least. */
  readonly answer: (asks: readonly Ask[]) => Promise<readonly Answer[]>
}

export class Gather<Ask, Answer> {
  readonly #options: GatherOptions<Ask, Answer>
  #waiting: Waiting<Ask, Answer>[] = []

  constructor(options: GatherOptions<Ask, Answer>) {
    this.#options = options
  }

  ask(ask: Ask): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length === 0) this.#options.clock.defer(() => this.#flush())
      this.#waiting.push({ ask, resolve, reject })
    })
  }

  #flush(): void {
    const { most, groupOf } = this.#options
    const all = this.#waiting
    this.#waiting = []
    const groups = groupOf ? Map.groupBy(all, ({ ask }) => groupOf(ask)).values() : [all]
    for (const group of groups) {
      for (let at = 0; at < group.length; at += most) void this.#answer(group.slice(at, at + most))
    }
  }

  async #answer(asked: readonly Waiting<Ask, Answer>[]): Promise<void> {
    let rest = asked
    try {
      while (rest.length > 0) {
        const answers = await this.#options.answer(rest.map(({ ask }) => ask))
        if (answers.length === 0) throw new Error('questions were left without an answer')
        for (const [index, answer] of answers.entries()) rest[index]!.resolve(answer)
        rest = rest.slice(answers.length)
      }
    } catch (error) {
      for (const { reject } of rest) reject(error)
    }
  }
}
