/** The line between a client and its server: what went over it lately, and how it breaks where a test wants it to. */

/** Requests that are remembered, to be told when a wait was in vain. */
const REMEMBERED = 12

/** What breaks the line at one request. */
export interface Break {
  /** The beginning of its path, behind `/_matrix/client/v3`. */
  readonly path: string
  /** Of its answer: only one that holds this text counts. */
  readonly answer?: string
  /** `asked`: while the server works at it; `answered`: the answer is there, and does not reach the client. */
  readonly at: 'asked' | 'answered'
  /** What happens to the server. */
  readonly strike: () => Promise<void>
}

interface Planned extends Break {
  readonly done: () => void
}

/** How long a request may have been under way when the server is struck, milliseconds. */
const UNDER_WAY_MS_MAX = 8

/**
 * How long a request waits for a server that does not listen, milliseconds: clients give up after some tries, and a
 * server on a busy machine takes its time to start.
 */
const PATIENCE_MS = 20_000
const AGAIN_MS = 200

async function patient(...request: Parameters<typeof fetch>): Promise<Response> {
  const end = performance.now() + PATIENCE_MS
  for (;;) {
    try {
      return await fetch(...request)
    } catch (error) {
      const cause = (error as Error).cause as { code?: string } | undefined
      if (cause?.code !== 'ECONNREFUSED' || performance.now() > end) throw error
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
    }
  }
}

export class Line {
  /** No request gets through: the client is offline. */
  cut = false
  readonly #recent: string[] = []
  #break: Planned | undefined

  /** Breaks at the next request that fits; resolves when it has. */
  breakAt(how: Break): Promise<void> {
    return new Promise((done) => {
      this.#break = { ...how, done }
    })
  }

  /** The last requests and what became of them. */
  get recent(): string {
    return this.#recent.join(', ')
  }

  readonly fetch: typeof fetch = async (input, init) => {
    const path = new URL(String(input)).pathname
    const note = this.#note(`${init?.method ?? 'GET'} ${path}`)
    if (this.cut) {
      note('offline')
      throw new TypeError('fetch failed: the client is offline')
    }
    const planned = this.#planned(path)
    try {
      if (planned?.at === 'asked') return await this.#breakWhileAsked(planned, patient(input, init))
      const response = await patient(input, init)
      note(`${response.status}`)
      const now = this.#planned(path)
      if (now?.at === 'answered') await this.#breakWhenAnswered(now, response.clone())
      if (this.cut) throw new TypeError('fetch failed: the client is offline')
      return response
    } catch (error) {
      note(error instanceof Error ? error.name : 'failed')
      throw error
    }
  }

  #planned(path: string): Planned | undefined {
    return this.#break && path.startsWith(`/_matrix/client/v3${this.#break.path}`) ? this.#break : undefined
  }

  #note(what: string): (end: string) => void {
    const at = new Date().toISOString().slice(14, 23)
    const line = `${at} ${what} …`
    this.#recent.push(line)
    if (this.#recent.length > REMEMBERED) this.#recent.shift()
    return (end) => {
      const now = this.#recent.indexOf(line)
      if (now >= 0) this.#recent[now] = `${at} ${what} ${end}`
    }
  }

  async #breakWhileAsked(planned: Planned, asked: Promise<Response>): Promise<Response> {
    this.#break = undefined
    asked.catch(() => {})
    await new Promise((resolve) => setTimeout(resolve, Math.random() * UNDER_WAY_MS_MAX))
    await planned.strike()
    planned.done()
    throw new TypeError('fetch failed: the server is gone')
  }

  async #breakWhenAnswered(planned: Planned, answer: Response): Promise<void> {
    const text = await answer.text()
    if (this.#break !== planned || answer.status !== 200) return
    if (planned.answer !== undefined && !text.includes(planned.answer)) return
    this.#break = undefined
    await planned.strike()
    planned.done()
    throw new TypeError('fetch failed: the answer was lost')
  }
}
