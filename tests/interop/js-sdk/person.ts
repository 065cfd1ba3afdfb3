/** Somebody with matrix-js-sdk as a full client uses it: threads on, members loaded lazily. */
import {
  ClientEvent,
  createClient,
  type IStartClientOpts,
  type MatrixClient,
  type MatrixEvent,
  type Room,
  SyncState,
} from 'matrix-js-sdk'
import type { CryptoApi } from 'matrix-js-sdk/lib/crypto-api/index.js'
import type { LiveServer, Session } from '../../support/live-server.ts'
import { until, within } from '../conversation.ts'
import { bounded } from './bounded.ts'
import { complainingLogger, fetchNoting } from './quiet.ts'

/** Long enough to be a long poll; short enough to end with the test. */
const POLL_MS = 10_000
/** The state event of a room in which messages are encrypted. */
export const ENCRYPTED = {
  type: 'm.room.encryption',
  state_key: '',
  content: { algorithm: 'm.megolm.v1.aes-sha2' },
}
export const PASSWORD = 'a password of the tests'

/** The server, and all who come. Disposing it stops their loops. */
export class Stage implements Disposable {
  readonly server: LiveServer
  readonly people: Person[] = []

  constructor(server: LiveServer) {
    this.server = server
  }

  /** A new account, whose device does not sync yet. */
  async person(name: string): Promise<Person> {
    return this.#device(await within(`an account for ${name}`, this.server.makeAccount(name, PASSWORD)))
  }

  /** A new account, whose device syncs. */
  async enter(name: string): Promise<Person> {
    return (await this.person(name)).start()
  }

  /** A new account, whose device encrypts and syncs. */
  async enterEncrypted(name: string): Promise<Person> {
    return (await (await this.person(name)).encrypted()).start()
  }

  /** One more device of an account, which syncs. */
  async another(person: Person): Promise<Person> {
    return (await this.login(person)).start()
  }

  /** One more device of an account, which does not sync yet. */
  async login({ userId }: Person): Promise<Person> {
    const identifier = { type: 'm.id.user', user: userId }
    const body = { type: 'm.login.password', identifier, password: PASSWORD }
    const asked = this.server.call('POST', '/_matrix/client/v3/login', body)
    const session = await within(`${userId} logs in again`, asked)
    return this.#device(session as unknown as Session)
  }

  #device(session: Session): Person {
    const person = new Person(this.server, session)
    this.people.push(person)
    return person
  }

  [Symbol.dispose](): void {
    for (const person of this.people) person.stop()
  }
}

/** One device of one account. */
export class Person {
  /** Whatever it is asked for has a bound. */
  readonly client: MatrixClient
  readonly complaints: string[] = []
  /** What opens the secret storage, as its owner types it in on a new device. */
  recoveryKey: Uint8Array<ArrayBuffer> | undefined
  readonly #secrets = new Map<string, Uint8Array<ArrayBuffer>>()

  constructor(server: LiveServer, session: Session) {
    const { user_id: userId, access_token: accessToken, device_id: deviceId } = session
    const logger = complainingLogger(this.complaints)
    const fetchFn = fetchNoting(this.complaints)
    const secrets = this.#secrets
    const client = createClient({
      ...{ baseUrl: server.url, userId, accessToken, deviceId, logger, fetchFn },
      timelineSupport: true,
      cryptoCallbacks: {
        getSecretStorageKey: async ({ keys }) => {
          const id = Object.keys(keys).find((id) => secrets.has(id)) ?? ''
          const key = secrets.get(id) ?? this.recoveryKey
          return key ? [id || (Object.keys(keys)[0] ?? ''), key] : null
        },
        cacheSecretStorageKey: (id, _info, key) => void secrets.set(id, key),
      },
    })
    this.client = bounded(client, `${userId} ${deviceId}`)
  }

  get userId(): string {
    return this.client.getSafeUserId()
  }

  /** Starts the loop; resolves after the first answer. */
  async start(options: IStartClientOpts = {}): Promise<this> {
    const prepared = new Promise<void>((done) => {
      this.client.on(ClientEvent.Sync, (state) => {
        if (state === SyncState.Prepared) done()
      })
    })
    await this.client.startClient({
      initialSyncLimit: 20,
      pollTimeout: POLL_MS,
      threadSupport: true,
      lazyLoadMembers: true,
      ...options,
    })
    await within(`${this.userId} has its first sync`, prepared)
    return this
  }

  /** Makes keys, in memory, and publishes them; to be called before the loop starts. */
  async encrypted(): Promise<this> {
    await this.client.initRustCrypto({ useIndexedDB: false })
    return this
  }

  /** Whatever it is asked for has a bound. */
  get crypto(): CryptoApi {
    const crypto = this.client.getCrypto()
    if (!crypto) throw new Error(`${this.userId} does not encrypt`)
    return bounded(crypto, `${this.userId} ${this.client.getDeviceId()}`)
  }

  /** The room as this client knows it by now. */
  room(roomId: string): Room {
    const room = this.client.getRoom(roomId)
    if (!room) throw new Error(`${this.userId} does not know ${roomId}`)
    return room
  }

  /** Waits for something that this client learns through its own loop. */
  sees(what: string, test: () => boolean): Promise<void> {
    return until(test, () => `${this.userId} sees ${what}`)
  }

  /** Waits for an event of the room, thread or not, and gives the client's own object for it. */
  async event(roomId: string, eventId: string): Promise<MatrixEvent> {
    const find = () => this.client.getRoom(roomId)?.findEventById(eventId)
    await this.sees(`${eventId}`, () => find() !== undefined)
    return find() as MatrixEvent
  }

  /** Waits until the client has opened an encrypted message. */
  async reads(roomId: string, eventId: string, text: string): Promise<void> {
    const event = await this.event(roomId, eventId)
    await this.sees(`«${text}» in clear`, () => event.getContent()['body'] === text)
    if (!event.isEncrypted()) throw new Error(`«${text}» was not encrypted`)
  }

  /** Sends text; into a thread, which is opened first, when its root is given. */
  async say(roomId: string, body: string, threadId: string | null = null): Promise<string> {
    const room = this.client.getRoom(roomId)
    if (threadId !== null && room && !room.getThread(threadId)) {
      room.createThread(threadId, await this.event(roomId, threadId), [], true)
    }
    const content = { msgtype: 'm.text', body } as Parameters<MatrixClient['sendMessage']>[2]
    return (await this.client.sendMessage(roomId, threadId, content)).event_id
  }

  stop(): void {
    this.client.stopClient()
  }
}

/** A room that the first of them made, in which the others have joined and all know it. */
export async function roomOf(
  host: Person,
  guests: readonly Person[],
  options: Parameters<MatrixClient['createRoom']>[0] = {},
): Promise<string> {
  const { room_id: roomId } = await host.client.createRoom({
    invite: guests.map((g) => g.userId),
    ...options,
  })
  for (const guest of guests) await guest.client.joinRoom(roomId)
  const last = guests.at(-1)?.userId ?? host.userId
  for (const person of [host, ...guests]) {
    await person.sees('the room with all its members', () => hasJoined(person.client.getRoom(roomId), last))
  }
  return roomId
}

/** In the timeline: the count of members is set a moment before it, and what is said then would come first. */
function hasJoined(room: Room | null, userId: string): boolean {
  const events = room?.getLiveTimeline().getEvents() ?? []
  const isJoin = (event: MatrixEvent) =>
    event.getType() === 'm.room.member' && event.getContent()['membership'] === 'join'
  return events.some((event) => isJoin(event) && event.getStateKey() === userId)
}
