/** matrix-bot-sdk, without encryption. */
import { LogLevel, LogService, MatrixAuth, MatrixClient, MemoryStorageProvider } from 'matrix-bot-sdk'
import { type Heard, heardOf, type Talker } from './talker.ts'

/** Its loop cannot be interrupted: stopping waits for the poll. */
const POLL_MS = 1_000
const TIMELINE_LIMIT = 50
const PAGE = 100

/* After a failure its loop waits 5 to 15 s, as chance has it; the lower end is long enough for a test. */
const { random } = Math
Math.random = () => random() / 10

/** Registers with a password alone where the server allows it, or logs in. */
export async function botSdkTalker(how: {
  url: string
  name: string
  password: string
  register: boolean
}): Promise<Talker> {
  const auth = new MatrixAuth(how.url)
  const { accessToken } = how.register
    ? await auth.passwordRegister(how.name, how.password, 'a bot')
    : await auth.passwordLogin(how.name, how.password, 'a bot')
  const talker = new BotTalker(how.url, accessToken)
  talker.userId = await talker.client.getUserId()
  return talker
}

class BotTalker implements Talker {
  userId = ''
  readonly accessToken: string
  readonly heard: Heard[] = []
  readonly complaints: string[] = []
  readonly #url: string
  readonly #storage = new MemoryStorageProvider()
  readonly #invitations: string[] = []
  client: MatrixClient

  constructor(url: string, accessToken: string) {
    this.#url = url
    this.accessToken = accessToken
    this.client = this.#newClient()
    const complain = (module: string, ...words: unknown[]) =>
      void this.complaints.push([module, ...words].map(String).join(' '))
    const quiet = (): void => {}
    LogService.setLevel(LogLevel.WARN)
    LogService.setLogger({ trace: quiet, debug: quiet, info: quiet, warn: complain, error: complain })
  }

  #newClient(): MatrixClient {
    const client = new MatrixClient(this.#url, this.accessToken, this.#storage)
    client.syncingTimeout = POLL_MS
    client.on('room.event', (_roomId: string, event: object) => void this.heard.push(heardOf(event)))
    client.on('room.invite', (roomId: string) => void this.#invitations.push(roomId))
    return client
  }

  async startSync(): Promise<void> {
    await this.client.start({ room: { timeline: { limit: TIMELINE_LIMIT } } })
    while (!this.#storage.getSyncToken()) await new Promise((done) => setTimeout(done, 10))
  }

  /** The poll under way still answers, and is heard. */
  async pause(): Promise<void> {
    this.client.stop()
    await new Promise((done) => setTimeout(done, POLL_MS + 300))
  }

  async resume(): Promise<void> {
    this.client = this.#newClient()
    await this.startSync()
  }

  createRoom = (invite: string) => this.client.createRoom({ invite: [invite], preset: 'private_chat' })
  invitations = async () => this.#invitations
  join = async (roomId: string) => void (await this.client.joinRoom(roomId))
  send = async (roomId: string, body: string, txnId: string) => {
    const path = `${roomPath(roomId)}/send/m.room.message/${encodeURIComponent(txnId)}`
    const sent = await this.client.doRequest('PUT', path, null, { msgtype: 'm.text', body })
    return (sent as { event_id: string }).event_id
  }
  setTopic = async (roomId: string, topic: string) =>
    void (await this.client.sendStateEvent(roomId, 'm.room.topic', '', { topic }))
  setName = async (roomId: string, name: string) =>
    void (await this.client.sendStateEvent(roomId, 'm.room.name', '', { name }))
  redact = async (roomId: string, eventId: string) =>
    void (await this.client.redactEvent(roomId, eventId, 'no'))

  /** It has no paging of its own: bots ask for it. */
  async pageBack(roomId: string): Promise<string[]> {
    const texts: string[] = []
    let from: string | undefined
    do {
      const asked = { dir: 'b', limit: PAGE, ...(from === undefined ? {} : { from }) }
      const answer = await this.client.doRequest('GET', `${roomPath(roomId)}/messages`, asked)
      const { chunk, end } = answer as {
        chunk: { type: string; content: { body?: string } }[]
        end?: string
      }
      for (const { type, content } of chunk) {
        if (type === 'm.room.message' && content.body !== undefined) texts.unshift(content.body)
      }
      from = end
    } while (from !== undefined)
    return texts
  }

  logout = async () => void (await this.client.doRequest('POST', '/_matrix/client/v3/logout'))
  close = async () => this.client.stop()
}

const roomPath = (roomId: string): string => `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}`
