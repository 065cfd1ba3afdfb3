/** matrix-nio in a Python process of its own (nio_client.py), spoken to in lines of JSON. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { type Heard, heardOf, type Talker } from './talker.ts'

const SCRIPT = `${import.meta.dirname}/nio_client.py`

interface FromPython {
  readonly id?: number
  readonly ok?: unknown
  readonly error?: string
  readonly heard?: object
  readonly complaint?: string
}

/** Registers with a registration token, or logs in by password. */
export async function nioTalker(how: {
  python: string
  url: string
  name: string
  password: string
  registrationToken?: string
}): Promise<Talker> {
  const talker = new NioTalker(spawn(how.python, [SCRIPT, how.url, how.name]))
  const { name, password, registrationToken: token } = how
  const asked =
    token === undefined
      ? talker.ask('login', { password })
      : talker.ask('register', { name, password, token })
  const session = (await asked) as { user_id: string; access_token: string }
  talker.userId = session.user_id
  talker.accessToken = session.access_token
  return talker
}

class NioTalker implements Talker {
  userId = ''
  accessToken = ''
  readonly heard: Heard[] = []
  readonly complaints: string[] = []
  readonly #python: ChildProcessWithoutNullStreams
  readonly #waiting = new Map<number, { done: (value: unknown) => void; fail: (error: Error) => void }>()
  #lastId = 0

  constructor(python: ChildProcessWithoutNullStreams) {
    this.#python = python
    createInterface({ input: python.stdout }).on('line', (line) => this.#take(JSON.parse(line) as FromPython))
    python.stderr.setEncoding('utf8').on('data', (text: string) => void this.complaints.push(text))
    python.on('exit', () => {
      for (const { fail } of this.#waiting.values())
        fail(new Error(`Python ended: ${this.complaints.at(-1)}`))
    })
    process.once('exit', () => python.kill('SIGKILL'))
  }

  #take({ id, ok, error, heard, complaint }: FromPython): void {
    if (heard) this.heard.push(heardOf(heard))
    if (complaint !== undefined) this.complaints.push(complaint)
    if (id === undefined) return
    const waiter = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (error === undefined) waiter?.done(ok)
    else waiter?.fail(new Error(error))
  }

  ask(what: string, args: object = {}): Promise<unknown> {
    const id = ++this.#lastId
    return new Promise((done, fail) => {
      this.#waiting.set(id, { done, fail })
      this.#python.stdin.write(`${JSON.stringify({ ...args, id, do: what })}\n`)
    })
  }

  startSync = async () => void (await this.ask('startSync'))
  pause = async () => void (await this.ask('pause'))
  resume = async () => void (await this.ask('resume'))
  createRoom = async (invite: string) => String(await this.ask('createRoom', { invite }))
  invitations = async () => (await this.ask('invitations')) as string[]
  join = async (room: string) => void (await this.ask('join', { room }))
  send = async (room: string, text: string, txn: string) =>
    String(await this.ask('send', { room, text, txn }))
  setTopic = async (room: string, topic: string) =>
    void (await this.ask('state', { room, type: 'm.room.topic', content: { topic } }))
  setName = async (room: string, name: string) =>
    void (await this.ask('state', { room, type: 'm.room.name', content: { name } }))
  redact = async (room: string, event: string) => void (await this.ask('redact', { room, event }))
  pageBack = async (room: string) => (await this.ask('pageBack', { room })) as string[]
  logout = async () => void (await this.ask('logout'))

  async close(): Promise<void> {
    if (this.#python.exitCode !== null || this.#python.signalCode !== null) return
    const ended = once(this.#python, 'exit')
    this.#python.kill('SIGKILL')
    await ended
  }
}
