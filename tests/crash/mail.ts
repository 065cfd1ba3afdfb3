/**
 * Clients that write each other messages to devices over a server that is killed again and again: what was not
 * answered is sent once more under its transaction id, what was not kept is asked for once more from the same place.
 */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { type LiveServer, request, type Session } from '../support/live-server.ts'

const V3 = '/_matrix/client/v3'
const SLIDING = '/_matrix/client/unstable/org.matrix.simplified_msc3575/sync'
const TYPE = 'm.test.mail'
/** How long one message, or one sync, may be tried; the server is away for seconds of it. */
const TRY_MS_MAX = 600_000
const AGAIN_MS_MAX = 200
/** A sync waits for so long, or not at all. */
const POLL_MS = 500
/** Share of the answers that a client loses after they came, before it kept them. */
const FORGETFUL = 0.15
/** Messages that sliding sync is asked for at a time. */
const SLIDING_LIMIT = 20

interface Letter {
  readonly name: string
  readonly from: string
  readonly to: ReadonlySet<MailClient>
}

interface Given {
  readonly names: readonly string[]
  readonly next: string
}

/** One device that sends and syncs. */
export class MailClient {
  readonly user: string
  readonly device: string
  readonly token: string
  readonly #sliding: boolean
  #since: string | undefined
  #pos: string | undefined
  /** Names of the messages in the order in which they were kept. */
  readonly kept: string[] = []
  /** What was given at `#since` before and not kept. */
  #repeats: readonly string[] = []
  /** Answers at a place that had been asked before. */
  repeated = 0
  /** Syncs that were answered. */
  answered = 0

  constructor(session: Session, sliding: boolean) {
    this.user = session.user_id
    this.device = session.device_id
    this.token = session.access_token
    this.#sliding = sliding
  }

  /**
   * One sync, tried until it is answered; sometimes what came is lost before it is kept. A place that was asked before
   * gives again what it gave. @returns how many messages were kept
   */
  async sync(url: string, forgetful: number): Promise<number> {
    const { names, next } = await untilAnswered(`a sync of ${this.device}`, () =>
      this.#sliding ? this.#slide(url) : this.#pull(url),
    )
    this.answered++
    if (this.#repeats.length > 0) {
      this.repeated++
      const again = names.slice(0, this.#repeats.length)
      assert.deepEqual(again, this.#repeats, `${this.device} was given others at a place that it repeated`)
    }
    if (Math.random() < forgetful) {
      this.#repeats = names
      return 0
    }
    this.#repeats = []
    this.kept.push(...names)
    this.#since = next
    return names.length
  }

  async #pull(url: string): Promise<Given | string> {
    const since = this.#since === undefined ? '' : `&since=${this.#since}`
    const json = await asked(url, 'GET', `${V3}/sync?timeout=${pollMs()}${since}`, this.token)
    if (typeof json === 'string') return json
    const { to_device: toDevice, next_batch: next } = json as { to_device?: Events; next_batch: string }
    return { names: namesOf(toDevice), next }
  }

  /* The connection of sliding sync is gone with the server; the place in the messages is not. */
  async #slide(url: string): Promise<Given | string> {
    const pos = this.#pos === undefined ? '' : `&pos=${this.#pos}`
    const since = this.#since === undefined ? {} : { since: this.#since }
    const wish = { enabled: true, limit: SLIDING_LIMIT, ...since }
    const body = { lists: {}, extensions: { to_device: wish } }
    this.#pos = undefined
    const json = await asked(url, 'POST', `${SLIDING}?timeout=${pollMs()}${pos}`, this.token, body)
    if (typeof json === 'string') return json
    const { pos: next, extensions } = json as {
      pos: string
      extensions: { to_device: Events & { next_batch: string } }
    }
    this.#pos = next
    return { names: namesOf(extensions.to_device), next: extensions.to_device.next_batch }
  }
}

interface Events {
  readonly events?: readonly { readonly content: { readonly name: string } }[]
}

const pollMs = (): number => (Math.random() < 0.5 ? 0 : POLL_MS)

const namesOf = (part: Events | undefined): string[] =>
  (part?.events ?? []).map((event) => event.content.name)

/** The answer of a request, or why there is none. What the server refuses fails the test. */
async function asked(
  url: string,
  method: string,
  path: string,
  token: string,
  body?: object,
): Promise<Record<string, unknown> | string> {
  try {
    const { status, json } = await request(url, method, path, body, token)
    if (status === 200) return json
    const unknownPos = status === 400 && json['errcode'] === 'M_UNKNOWN_POS'
    assert.ok(status === 503 || unknownPos, `${method} ${path}: ${status} ${JSON.stringify(json)}`)
    return `${status}`
  } catch (error) {
    /* Refused and broken connections; JSON that was cut short. */
    if (error instanceof TypeError)
      return (error.cause as { code?: string } | undefined)?.code ?? error.message
    if (error instanceof SyntaxError) return error.name
    throw error
  }
}

async function untilAnswered<T>(what: string, ask: () => Promise<T | string>): Promise<T> {
  const end = performance.now() + TRY_MS_MAX
  const outcomes = new Map<string, number>()
  for (;;) {
    const answer = await ask()
    if (typeof answer !== 'string') return answer
    outcomes.set(answer, (outcomes.get(answer) ?? 0) + 1)
    if (performance.now() > end) {
      const list = JSON.stringify([...outcomes])
      throw new Error(`${what} was not answered in ${TRY_MS_MAX} ms, but ${list}; the last was ${answer}`)
    }
    await sleep(Math.random() * AGAIN_MS_MAX)
  }
}

/** All clients of one server, and what they sent. */
export class Mail {
  readonly #server: LiveServer
  readonly clients: MailClient[] = []
  readonly #letters: Letter[] = []
  #over = false
  /** Messages that were acknowledged, and those of them that had to be sent more than once. */
  acknowledged = 0
  retried = 0

  constructor(server: LiveServer) {
    this.#server = server
  }

  /** Makes users with two devices each; every third device syncs by sliding sync. */
  async join(users: number): Promise<void> {
    for (let u = 0; u < users; u++) {
      const password = `the password of u${u}`
      const first = await this.#server.makeAccount(`u${u}`, password)
      const second = await this.#server.call('POST', `${V3}/login`, {
        type: 'm.login.password',
        identifier: { type: 'm.id.user', user: `u${u}` },
        password,
      })
      for (const session of [first, second as unknown as Session]) {
        this.clients.push(new MailClient(session, this.clients.length % 3 === 2))
      }
    }
  }

  /** Every device writes and reads while `trouble` lasts; then all is read to the end. */
  async during(trouble: () => Promise<void>): Promise<void> {
    const { url } = this.#server
    const senders = this.clients.map((client) => this.#write(client))
    const readers = this.clients.map(async (client) => {
      while (!this.#over) await client.sync(url, FORGETFUL)
    })
    const end = (): void => {
      this.#over = true
    }
    const all = [trouble().finally(end), ...senders, ...readers]
    await Promise.all(all.map((one) => one.catch(endWith(end))))
    for (const client of this.clients) await readToEnd(client, url)
  }

  async #write(client: MailClient): Promise<void> {
    for (let n = 0; !this.#over; n++) {
      const name = `${client.device} ${n}`
      const target = this.clients[Math.floor(Math.random() * this.clients.length)]!
      const all = Math.random() < 0.3
      const to = new Set(all ? this.clients.filter(({ user }) => user === target.user) : [target])
      const messages = { [target.user]: { [all ? '*' : target.device]: { name } } }
      this.#letters.push({ name, from: client.device, to })
      let tries = 0
      await untilAnswered(`sending ${name}`, () => {
        tries++
        return asked(this.#server.url, 'PUT', `${V3}/sendToDevice/${TYPE}/t${n}`, client.token, { messages })
      })
      this.acknowledged++
      if (tries > 1) this.retried++
    }
  }

  /** Everything sent is acknowledged by now: each device has each of its messages once, in the order of each sender. */
  check(): void {
    for (const { device, kept } of this.clients) {
      const times = new Map<string, number>()
      for (const name of kept) times.set(name, (times.get(name) ?? 0) + 1)
      const wanted = this.#letters.filter(({ to }) => [...to].some((client) => client.device === device))
      const wrong = wanted.filter(({ name }) => times.get(name) !== 1)
      assert.deepEqual(
        wrong.map(({ name }) => `${device} got ${name} ${times.get(name) ?? 0} times`),
        [],
      )
      assert.equal(kept.length, wanted.length, `${device} got what was not for it`)
      const last = new Map<string, number>()
      for (const name of kept) {
        const [from = '', n = ''] = name.split(' ')
        assert.ok(Number(n) > (last.get(from) ?? -1), `${device} got ${name} out of order`)
        last.set(from, Number(n))
      }
    }
  }
}

/** Ends the others before it fails. */
function endWith(end: () => void): (error: unknown) => never {
  return (error) => {
    end()
    throw error
  }
}

/* The sync behind the last message proves that it has come. */
async function readToEnd(client: MailClient, url: string): Promise<void> {
  for (let empty = 0; empty < 2; ) empty = (await client.sync(url, 0)) === 0 ? empty + 1 : 0
}
