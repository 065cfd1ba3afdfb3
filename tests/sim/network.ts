/** Between clients and servers: delays, lost requests, lost answers, connections that break with a crash. */
import type { SeededRng } from './seeded-rng.ts'
import type { SimServer } from './sim-server.ts'
import { SimFailure, type SimWorld } from './sim-world.ts'

export interface NetworkFaults {
  readonly delayMsMax: number
  /** Share of the exchanges that take much longer. */
  readonly slow: number
  readonly lostBefore: number
  readonly lostAfter: number
}

export const CALM: NetworkFaults = { delayMsMax: 3, slow: 0, lostBefore: 0, lostAfter: 0 }

export interface Call {
  /** Who asks, for the history. */
  readonly who: string
  readonly token?: string | undefined
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  readonly path: string
  readonly body?: object | undefined
  /** Milliseconds that the client asks the server to wait (`/sync`). */
  readonly waitMs?: number
  /** The client gives up after so many milliseconds. */
  readonly patienceMs: number
}

export interface Answer {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: an answer is whatever the server said; oracles look at it
  readonly body: any
  /** The newest position of the server when it answered. */
  readonly position: number
  /** When the client asked. */
  readonly askedAt: number
}

/** What dispatch may take beyond the wait that the client asked for. */
const ANSWER_MS_MAX = 120_000
const SLOW_MS_MAX = 8000

export class Network {
  readonly #world: SimWorld
  readonly #rng: SeededRng
  faults: NetworkFaults
  /** Characters of an answer in the history. */
  answerChars = 200
  requests = 0

  constructor(world: SimWorld, faults: NetworkFaults) {
    this.#world = world
    this.#rng = world.rng.fork('network')
    this.faults = faults
  }

  /** The answer, or undefined when none came: lost, refused, cut off or given up. */
  exchange(server: SimServer, call: Call): Promise<Answer | undefined> {
    this.requests++
    const number = this.requests
    const name = `#${number} ${call.who} ${call.method} ${call.path}`
    const body = call.body === undefined ? '' : JSON.stringify(call.body)
    this.#world.note(`${name} ${body}`)
    const { faults } = this
    const askedAt = this.#world.time
    const toServer = this.#delay()
    const toClient = this.#delay()
    const lostBefore = this.#rng.chance(faults.lostBefore)
    const lostAfter = this.#rng.chance(faults.lostAfter)
    return new Promise((resolve) => {
      const gone = new AbortController()
      let over = false
      const end = (what: string, answer?: Answer, text = ''): void => {
        if (over) return
        over = true
        patience.cancel()
        this.#world.note(`#${number} ${call.who} ${what}`, text)
        if (answer === undefined) gone.abort()
        resolve(answer)
      }
      const patience = this.#world.after(call.patienceMs, () => end('gives up'))
      if (lostBefore) return
      this.#world.after(toServer, () => {
        const arrived = this.#arrive(server, call, body, name, gone.signal)
        arrived.then(
          (reply) => {
            if (reply === undefined) this.#world.after(toClient, () => end('is cut off'))
            else if (!lostAfter) {
              const answer = { ...reply, askedAt }
              this.#world.after(toClient, () =>
                end(`gets ${reply.status} ${brief(reply.text, this.answerChars)}`, answer, reply.text),
              )
            }
          },
          (error: unknown) => this.#world.fail(error),
        )
      })
    })
  }

  #delay(): number {
    const { delayMsMax, slow } = this.faults
    return this.#rng.below((this.#rng.chance(slow) ? SLOW_MS_MAX : delayMsMax) + 1)
  }

  /** The server's part; undefined when it is down or crashes meanwhile. */
  async #arrive(
    server: SimServer,
    call: Call,
    body: string,
    name: string,
    signal: AbortSignal,
  ): Promise<(Omit<Answer, 'askedAt'> & { readonly text: string }) | undefined> {
    const { life } = server
    if (!life) return undefined
    const limit = this.#world.after(ANSWER_MS_MAX + (call.waitMs ?? 0), () => {
      if (life.alive) this.#world.fail(new SimFailure(`${name} was never answered`))
    })
    const diskErrors = server.diskErrors
    const died = new Promise<undefined>((resolve) => {
      life.died.addEventListener('abort', () => resolve(undefined), { once: true })
    })
    const headers = call.token === undefined ? {} : { authorization: `Bearer ${call.token}` }
    const reply = await Promise.race([
      died,
      server.dispatch(life, {
        method: call.method,
        url: call.path,
        headers,
        body: body === '' ? undefined : Buffer.from(body),
        remote: '192.0.2.1',
        signal,
      }),
    ])
    limit.cancel()
    if (!reply || !life.alive) return undefined
    const text =
      typeof reply.body === 'string' ? reply.body : reply.body === undefined ? '' : String(reply.body)
    const excused = reply.status === 503 && server.diskErrors > diskErrors
    if (reply.status >= 500 && !excused) {
      this.#world.fail(new SimFailure(`${name} was answered ${reply.status} ${text}${complaints(server)}`))
    }
    const parsed: unknown = text === '' ? undefined : JSON.parse(text)
    return { status: reply.status, body: parsed, text, position: life.store?.position() ?? 0 }
  }
}

function complaints(server: SimServer): string {
  return server.complaints
    .slice(-3)
    .map(
      ({ message, fields }) =>
        `\n  ${message} ${fields['error'] instanceof Error ? fields['error'].stack : ''}`,
    )
    .join('')
}

/** The beginning of a text, for the history. */
function brief(text: string, chars: number): string {
  return text.length <= chars ? text : `${text.slice(0, chars)}… (${text.length})`
}
