/** Real servers in processes of their own: bin/myelin (or MYELIN_BIN) with a configuration made for one test. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createHmac, randomInt } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { postgresSkip, testDatabase } from './test-postgres.ts'

export type EngineName = 'sqlite' | 'postgres'

/** For tests that hold on both engines. */
export const ENGINES: readonly { engine: EngineName; skip: string | false }[] = [
  { engine: 'sqlite', skip: false },
  { engine: 'postgres', skip: postgresSkip },
]

/** The program under test. */
export const MYELIN_BIN = resolve(process.env['MYELIN_BIN'] || `${import.meta.dirname}/../../bin/myelin`)

export const LIVE_SERVER_NAME = 'live.test'
export const LIVE_SHARED_SECRET = 'a shared secret of the tests'

/** Far more than a loaded machine needs; what hangs must not wait for the file's own limit. */
const READY_MS_MAX = 180_000
const END_MS_MAX = 20_000

/** Below what Linux and macOS give to outgoing connections, so that a port is still free after a restart. */
const PORTS = { first: 12_000, last: 30_000 }

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** A port of 127.0.0.1 on which nobody listens. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORTS.first, PORTS.last)
    const free = await new Promise<boolean>((done) => {
      const server = createServer()
      server.once('error', () => done(false))
      server.listen(port, '127.0.0.1', () => server.close(() => done(true)))
    })
    if (free) return port
  }
}

/** An empty folder, removed when disposed. */
export function temporary(): Disposable & { readonly folder: string } {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-live-'))
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) }
}

/** The environment of a user: nothing of the test runner's own that would change how the program runs. */
export function userEnvironment(): NodeJS.ProcessEnv {
  const env = { ...process.env }
  for (const name of ['NODE_TEST_CONTEXT', 'NODE_COMPILE_CACHE', 'NODE_OPTIONS', 'NODE_ENV']) delete env[name]
  return env
}

/** A process of the program, with all it printed. */
export class Program {
  readonly child: ChildProcess
  /** Standard output and error, as they came. */
  output = ''
  stdout = ''
  stderr = ''
  readonly #ended: Promise<number | string>

  constructor(
    args: readonly string[],
    options: { cwd?: string; env?: NodeJS.ProcessEnv; input?: string } = {},
  ) {
    const { input, cwd, env } = options
    const stdin = input === undefined ? 'ignore' : 'pipe'
    this.child = spawn(MYELIN_BIN, args, {
      ...(cwd === undefined ? {} : { cwd }),
      env: { ...userEnvironment(), ...env },
      stdio: [stdin, 'pipe', 'pipe'],
    })
    running.add(this.child)
    if (input !== undefined) this.child.stdin?.end(input)
    for (const name of ['stdout', 'stderr'] as const) {
      this.child[name]?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text
        this[name] += text
      })
    }
    this.#ended = new Promise((done) => {
      this.child.once('error', (error) => done(String(error)))
      this.child.once('close', (code, signal) => done(code ?? signal ?? 'unknown'))
    }).then((end) => {
      running.delete(this.child)
      return end as number | string
    })
  }

  get over(): boolean {
    return !running.has(this.child)
  }

  /** Exit code, or the signal's name. Kills what takes longer than `msMax`, and throws. */
  async end(msMax = END_MS_MAX): Promise<number | string> {
    const timer = new AbortController()
    const late = sleep(msMax, 'late' as const, { signal: timer.signal }).catch(() => 'over' as const)
    const end = await Promise.race([this.#ended, late])
    timer.abort()
    if (end !== 'late') return end
    this.child.kill('SIGKILL')
    await this.#ended
    throw new Error(`still running after ${msMax} ms:\n${this.output}`)
  }

  /** Waits until what was printed matches. Throws when the program ends first, or is late. */
  async printed(pattern: RegExp, msMax = READY_MS_MAX): Promise<RegExpExecArray> {
    const until = performance.now() + msMax
    for (;;) {
      const found = pattern.exec(this.output)
      if (found) return found
      if (this.over) throw new Error(`ended (${await this.#ended}) without ${pattern}:\n${this.output}`)
      if (performance.now() > until) throw new Error(`did not print ${pattern}:\n${this.output}`)
      await sleep(10)
    }
  }
}

/** Runs a command to its end. */
export async function run(
  args: readonly string[],
  options: { cwd?: string; input?: string; env?: NodeJS.ProcessEnv; msMax?: number } = {},
): Promise<{ code: number | string; stdout: string; stderr: string }> {
  const program = new Program(args, options)
  const code = await program.end(options.msMax)
  return { code, stdout: program.stdout, stderr: program.stderr }
}

/** Waits for the first 200 of /versions; throws with the log when the process ends or is late. */
export async function untilReady(program: Program, url: string): Promise<void> {
  const until = performance.now() + READY_MS_MAX
  for (;;) {
    if (await answers(url)) return
    if (program.over) throw new Error(`the server ended with ${await program.end()}:\n${program.output}`)
    if (performance.now() > until) throw new Error(`the server does not answer:\n${program.output}`)
    await sleep(10)
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/_matrix/client/versions`, { signal: AbortSignal.timeout(5_000) })
    await response.arrayBuffer()
    return response.status === 200
  } catch {
    return false
  }
}

const FAST = '{ per_second: 100000, burst_count: 100000 }'

/** Limits that no test reaches. */
export const NO_RATE_LIMITS = `
rc_message: ${FAST}
rc_registration: ${FAST}
rc_registration_token_validity: ${FAST}
rc_login: { address: ${FAST}, account: ${FAST}, failed_attempts: ${FAST} }
rc_admin_redaction: ${FAST}
rc_joins: { local: ${FAST}, remote: ${FAST} }
rc_joins_per_room: ${FAST}
rc_invites: { per_room: ${FAST}, per_user: ${FAST}, per_issuer: ${FAST} }
rc_room_creation: ${FAST}
`

export interface LiveOptions {
  readonly engine: EngineName
  /** More lines of homeserver.yaml. */
  readonly config?: string
  /** Instead of one plain listener on \`port\`; gets the port and the server's folder. */
  readonly listeners?: (port: number, folder: string) => string
  readonly env?: NodeJS.ProcessEnv
}

/** A server of one test, which can be stopped, killed and started again on the same data and port. */
export class LiveServer implements AsyncDisposable {
  readonly url: string
  /** Holds homeserver.yaml, the key and, with SQLite, the database. */
  readonly folder: string
  readonly configPath: string
  readonly #owned: AsyncDisposableStack
  readonly #env: NodeJS.ProcessEnv
  #program: Program | undefined
  #logs = ''

  private constructor(port: number, folder: string, owned: AsyncDisposableStack, env: NodeJS.ProcessEnv) {
    this.url = `http://127.0.0.1:${port}`
    this.folder = folder
    this.configPath = join(folder, 'homeserver.yaml')
    this.#owned = owned
    this.#env = env
  }

  /** Makes the configuration and waits for the first answer. */
  static async start(options: LiveOptions): Promise<LiveServer> {
    await using made = new AsyncDisposableStack()
    const folder = mkdtempSync(join(tmpdir(), 'myelin-live-'))
    made.defer(() => rmSync(folder, { recursive: true, force: true }))
    const port = await freePort()
    const database = await databaseText(options.engine, folder, made)
    const listeners = options.listeners?.(port, folder) ?? plainListener(port)
    const lines = [
      `server_name: ${LIVE_SERVER_NAME}`,
      `listeners:\n${listeners}`,
      database,
      `registration_shared_secret: '${LIVE_SHARED_SECRET}'`,
      'macaroon_secret_key: not much of a secret',
      'form_secret: not much of a secret',
      'report_stats: false',
      'trusted_key_servers: []',
      `signing_key_path: ${join(folder, 'signing.key')}`,
      NO_RATE_LIMITS,
      options.config ?? '',
    ]
    writeFileSync(join(folder, 'homeserver.yaml'), lines.join('\n'), { mode: 0o600 })
    const server = new LiveServer(port, folder, made.move(), options.env ?? {})
    try {
      await server.resume()
    } catch (error) {
      await server[Symbol.asyncDispose]()
      throw error
    }
    return server
  }

  /** The process that runs now. */
  get program(): Program {
    if (!this.#program) throw new Error('the server is stopped')
    return this.#program
  }

  /** What all its processes have printed. */
  get log(): string {
    return this.#logs + (this.#program?.output ?? '')
  }

  /** Starts it again, when it was stopped; resolves at the first answer. */
  async resume(): Promise<void> {
    this.#program = new Program(['serve', '--config-path', this.configPath], { env: this.#env })
    await untilReady(this.#program, this.url)
  }

  /** Ends the process. @returns its exit code or the signal that ended it. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<number | string> {
    const { program } = this
    program.child.kill(signal)
    const end = await program.end()
    this.#logs += program.output
    this.#program = undefined
    return end
  }

  async restart(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    await this.stop(signal)
    await this.resume()
  }

  /** The token that was printed for the first account. */
  async firstToken(): Promise<string> {
    const found = await this.program.printed(/registration token +(\S+)\n/)
    return found[1] ?? ''
  }

  /** Makes an account through the shared secret. */
  async makeAccount(name: string, password: string, admin = false): Promise<Session> {
    const path = '/_synapse/admin/v1/register'
    const { nonce } = (await this.call('GET', path)) as { nonce: string }
    const mac = createHmac('sha1', LIVE_SHARED_SECRET)
      .update([nonce, name, password, admin ? 'admin' : 'notadmin'].join('\0'))
      .digest('hex')
    return (await this.call('POST', path, {
      nonce,
      username: name,
      password,
      admin,
      mac,
    })) as unknown as Session
  }

  /** One request; an answer other than 200 throws. */
  async call(method: string, path: string, body?: unknown, token?: string): Promise<Record<string, unknown>> {
    const { status, json } = await request(this.url, method, path, body, token)
    if (status !== 200) throw new Error(`${method} ${path}: ${status} ${JSON.stringify(json)}`)
    return json
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#program && !this.#program.over) {
      this.#program.child.kill('SIGKILL')
      await this.#program.end()
    }
    await this.#owned.disposeAsync()
  }
}

/** What a login answers. */
export interface Session {
  readonly user_id: string
  readonly access_token: string
  readonly device_id: string
}

/** One request of JSON, whatever its status. */
export async function request(
  url: string,
  method: string,
  path: string,
  body?: unknown,
  token?: string,
): Promise<{ status: number; json: Record<string, unknown> }> {
  const response = await fetch(url + path, {
    method,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return { status: response.status, json: (await response.json()) as Record<string, unknown> }
}

export function plainListener(port: number): string {
  return `  - { port: ${port}, bind_addresses: ['127.0.0.1'], type: http, resources: [{ names: [client, federation] }] }`
}

async function databaseText(
  engine: EngineName,
  folder: string,
  owned: AsyncDisposableStack,
): Promise<string> {
  if (engine === 'sqlite') {
    return `database: { name: sqlite3, args: { database: '${join(folder, 'homeserver.db')}' } }`
  }
  const { hostname, port, username, pathname, searchParams } = new URL(owned.use(await testDatabase()).url)
  /* A folder that holds the server's socket comes as a parameter. */
  const host = searchParams.get('host') ?? hostname
  const args = [`host: ${host}`, ...(port ? [`port: ${port}`] : []), `user: ${username}`]
  return `database: { name: psycopg2, args: { ${args.join(', ')}, dbname: ${pathname.slice(1)} } }`
}

/** A line of the log, as far as tests look at it. */
export interface LogLine {
  readonly level: string
  readonly msg: string
  readonly method?: string
  readonly route?: string
  readonly status?: number
}

/** The JSON lines of a log, without what is printed for people. */
export function logLines(log: string): LogLine[] {
  return log.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as LogLine] : []))
}
