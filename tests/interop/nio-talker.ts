/** matrix-nio in a Python process of its own (nio_client.py), spoken to in lines of JSON. */
import { LinesProcess } from './lines-process.ts'
import { type Heard, heardOf, type Talker } from './talker.ts'

const SCRIPT = `${import.meta.dirname}/nio_client.py`

/** Registers with a registration token, or logs in by password. */
export async function nioTalker(how: {
  python: string
  url: string
  name: string
  password: string
  registrationToken?: string
}): Promise<Talker> {
  const talker = new NioTalker(how.python, [SCRIPT, how.url, how.name])
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
  readonly #python: LinesProcess

  constructor(python: string, args: readonly string[]) {
    this.#python = new LinesProcess(python, args, (line) => {
      if ('heard' in line) this.heard.push(heardOf(line.heard as object))
    })
  }

  get complaints(): readonly string[] {
    return this.#python.complaints
  }

  ask(what: string, args: object = {}): Promise<unknown> {
    return this.#python.ask(what, args)
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

  close = () => this.#python.close()
}
