/**
 * One connection. Statements are sent as they come, without waiting for the answers to earlier ones (pg's pipeline
 * mode); the server runs them in order. Those sent in one turn share one write to the socket.
 */
import { Client, type ClientConfig } from 'pg'
import { STATEMENTS_MAX } from '../limits.ts'
import { checkParams } from '../sql/check.ts'
import { postgresText } from '../sql/dialect.ts'
import type { Row, SqlValue, Statement } from '../sql/sql.ts'
import { ConnectionLost } from './errors.ts'
import { valueTypes } from './types.ts'

/** Where and as whom to connect: a URL, or the fields of pg's configuration. */
export type Target =
  | { readonly connectionString: string }
  /** `libpq`: what pg_dump and psql are told of TLS, in their own words. */
  | (ClientConfig & { readonly libpq?: Readonly<Record<string, string>> })

const CONNECT_MS_MAX = 10_000

interface Prepared {
  readonly text: string
  /** Absent when this session already keeps too many; then the server plans each time. */
  readonly name: string | undefined
}

/** The part of the pg connection that gathers writes. */
interface Corkable {
  readonly connection?: { readonly stream?: { cork?(): void; uncork?(): void } }
}

type Answer = (error: Error | null, result: { readonly rows: Row[] }) => void

export class Session {
  readonly #client: Client
  readonly #prepared = new Map<string, Prepared>()
  readonly #stream: { cork?(): void; uncork?(): void } | undefined
  #corked = false
  #lost: Error | undefined
  /** The first error of any statement since it was last cleared; later ones may only follow from it. */
  failure: Error | undefined

  private constructor(client: Client) {
    this.#client = client
    this.#stream = (client as unknown as Corkable).connection?.stream
  }

  /** Connects. `onLost` is called once when the connection breaks without being ended by us. */
  static async connect(target: Target, onLost: (error: Error) => void): Promise<Session> {
    const client = new Client({
      application_name: 'myelin',
      connectionTimeoutMillis: CONNECT_MS_MAX,
      keepAlive: true,
      ...target,
      types: valueTypes as NonNullable<ClientConfig['types']>,
      pipeline: true,
    })
    const session = new Session(client)
    client.on('error', (error) => {
      if (session.#lost) return
      session.#lost = error
      onLost(error)
    })
    try {
      await client.connect()
    } catch (error) {
      const { host, port } = client
      const where = host.startsWith('/') ? host : `${host}:${port}`
      throw new ConnectionLost(error, `cannot connect to PostgreSQL at ${where}`)
    }
    /* Compiling costs more than our statements, and their plans shall not depend on whether the statistics are fresh. */
    await session.command('SET jit = off')
    return session
  }

  get lost(): boolean {
    return this.#lost !== undefined
  }

  /** Runs a statement and gives its rows. Throws ConnectionLost, a StoreError `invalid`, or pg's error. */
  ask = (statement: Statement): Promise<Row[]> =>
    new Promise((resolve, reject) => {
      this.#send(statement, (error, result) => {
        if (error) reject(error)
        else resolve(result.rows)
      })
    })

  /** Sends a statement whose rows nobody needs. An error of it is kept in `failure`. */
  tell = (statement: Statement): void => {
    this.#send(statement, () => {})
  }

  /** Runs a text without parameters once, unprepared. */
  command(text: string): Promise<Row[]> {
    return new Promise((resolve, reject) => {
      this.#query({ text }, (error, result) => {
        if (error) reject(error)
        else resolve(result.rows)
      })
    })
  }

  /** Ends the connection after the answers to all that was sent. */
  async end(): Promise<void> {
    if (this.#lost) return
    this.#lost = new Error('the connection was ended')
    await this.#client.end()
  }

  #send(statement: Statement, answer: Answer): void {
    try {
      checkParams(statement.params)
    } catch (error) {
      this.failure ??= error as Error
      answer(error as Error, { rows: [] })
      return
    }
    const { text, name } = this.#named(statement.text)
    const values = statement.params as SqlValue[]
    this.#query(name === undefined ? { text, values } : { text, name, values }, answer)
  }

  #query(config: { text: string; name?: string; values?: SqlValue[] }, answer: Answer): void {
    this.#gather()
    this.#client.query(config, (caught: Error | null, result: { rows: Row[] }) => {
      const error = caught && this.#lost ? new ConnectionLost(this.#lost) : caught
      if (error) this.failure ??= error
      answer(error, result)
    })
  }

  #named(text: string): Prepared {
    let prepared = this.#prepared.get(text)
    if (!prepared) {
      const full = this.#prepared.size >= STATEMENTS_MAX
      prepared = { text: postgresText(text), name: full ? undefined : `s${this.#prepared.size}` }
      if (!full) this.#prepared.set(text, prepared)
    }
    return prepared
  }

  /* Without it every statement of a turn is a system call of its own. */
  #gather(): void {
    if (this.#corked || !this.#stream?.cork || !this.#stream.uncork) return
    this.#corked = true
    this.#stream.cork()
    process.nextTick(() => {
      this.#corked = false
      this.#stream?.uncork?.()
    })
  }
}
