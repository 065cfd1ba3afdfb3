/** matrix-js-sdk with its Rust crypto, in memory, as a person with one device uses it. */
import assert from 'node:assert/strict'
import {
  createClient,
  EventStatus,
  type MatrixClient,
  type MatrixEvent,
  MsgType,
  type Room,
} from 'matrix-js-sdk'
import type { CryptoApi } from 'matrix-js-sdk/lib/crypto-api/index.js'
import { inTime } from '../in-time.ts'
import { Line } from './line.ts'
import { complainingLogger } from './quiet.ts'

const POLL_MS = 10_000

/** Longest wait for anything, and between two looks, milliseconds. */
const WAIT_MS_MAX = 90_000
const LOOK_MS = 50
/** Sending may find the server away several times. */
const INSISTING_MS_MAX = 120_000

/** Everybody who is logged in, to be asked what they saw when a wait is in vain. */
const living = new Set<Person>()

function inVain(what: string): Error {
  const seen = [...living].map((person) => `  ${person.lastSeen()}`)
  return new Error(`waited in vain until ${what}\n${seen.join('\n')}`)
}

/** Resolves with what `look` gives as soon as it gives anything. Rejects naming `what` after a while. */
export async function until<T>(
  what: string,
  look: () => T | undefined | Promise<T | undefined>,
  msMax = WAIT_MS_MAX,
): Promise<T> {
  const end = performance.now() + msMax
  for (;;) {
    const found = await within(what, Promise.resolve(look()), msMax)
    if (found !== undefined && found !== false) return found
    if (performance.now() > end) throw inVain(what)
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
}

/** What a promise gives; rejects naming `what` when that takes too long. */
export function within<T>(what: string, promise: Promise<T>, msMax = WAIT_MS_MAX): Promise<T> {
  return inTime(promise, msMax, () => inVain(what))
}

export class Person {
  readonly client: MatrixClient
  readonly complaints: string[]
  readonly line: Line
  readonly #password: string

  private constructor(client: MatrixClient, complaints: string[], line: Line, password: string) {
    this.client = client
    this.complaints = complaints
    this.line = line
    this.#password = password
  }

  /** Logs in with a new device, and syncs. */
  static async login(url: string, name: string, password: string): Promise<Person> {
    const complaints: string[] = []
    const logger = complainingLogger(complaints)
    const line = new Line()
    const visitor = createClient({ baseUrl: url, logger })
    const asked = visitor.loginRequest({
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user: name },
      password,
    })
    const { user_id, access_token, device_id } = await within(`${name} is logged in`, asked)
    const client = createClient({
      baseUrl: url,
      userId: user_id,
      accessToken: access_token,
      deviceId: device_id,
      logger,
      fetchFn: line.fetch,
      verificationMethods: ['m.sas.v1'],
    })
    const person = new Person(client, complaints, line, password)
    living.add(person)
    await within('the crypto is there', client.initRustCrypto({ useIndexedDB: false }))
    const started = client.startClient({ pollTimeout: POLL_MS, initialSyncLimit: 20 })
    await within('the client has started', started)
    await until('the first sync is there', () => client.isInitialSyncComplete() || undefined)
    return person
  }

  get crypto(): CryptoApi {
    const crypto = this.client.getCrypto()
    if (!crypto) throw new Error('the client has no crypto')
    return crypto
  }

  get userId(): string {
    return this.client.getSafeUserId()
  }

  get deviceId(): string {
    return this.client.getDeviceId() ?? ''
  }

  /** Makes cross-signing keys and publishes them. */
  async bootstrap(msMax = WAIT_MS_MAX): Promise<void> {
    const made = this.crypto.bootstrapCrossSigning({
      setupNewCrossSigning: true,
      authUploadDeviceSigningKeys: async (makeRequest) => {
        const identifier = { type: 'm.id.user', user: this.userId }
        return makeRequest({ type: 'm.login.password', identifier, password: this.#password } as never)
      },
    })
    await within(`${this.userId} has keys to sign with`, made, msMax)
  }

  /** Where the client stands, for whoever waited for it in vain. */
  lastSeen(): string {
    const state = this.client.getSyncState()
    const complaints = this.complaints.slice(-3).join(' | ')
    return `${this.userId} ${this.deviceId} (sync: ${state}) asked ${this.line.recent}; complained ${complaints}`
  }

  /** Does at once what it would try again later, since it found the server away. */
  comeBack(): void {
    this.line.cut = false
    this.client.retryImmediately()
  }

  /** Lets the crypto ask other devices for keys that it lacks, which matrix-js-sdk has switched off. */
  asksForKeys(): void {
    const { olmMachine } = this.crypto as unknown as { olmMachine: { roomKeyRequestsEnabled: boolean } }
    assert.equal(olmMachine.roomKeyRequestsEnabled, false)
    olmMachine.roomKeyRequestsEnabled = true
  }

  async room(roomId: string): Promise<Room> {
    return until('the room is known', () => this.client.getRoom(roomId) ?? undefined)
  }

  async send(roomId: string, body: string): Promise<string> {
    const sent = this.client.sendMessage(roomId, { msgtype: MsgType.Text, body })
    return (await within(`${this.userId} ${this.deviceId} sends "${body}"`, sent)).event_id
  }

  /** Sends; what is not answered is sent again under its transaction id, as by a person who presses "retry". */
  async insists(roomId: string, body: string): Promise<void> {
    try {
      await this.send(roomId, body)
    } catch {
      await until(`"${body}" is sent after all`, () => this.#again(roomId, body), INSISTING_MS_MAX)
    }
  }

  async #again(roomId: string, body: string): Promise<true | undefined> {
    const room = await this.room(roomId)
    const event = room
      .getLiveTimeline()
      .getEvents()
      .find((one) => one.getSender() === this.userId && one.getContent()['body'] === body)
    if (event && (event.status === null || event.status === EventStatus.SENT)) return true
    if (event?.status === EventStatus.NOT_SENT) {
      const sent = this.client.resendEvent(event, room)
      await within(`"${body}" is sent again`, sent).catch(() => {})
    }
    return undefined
  }

  /** Messages of a room that cannot be read. */
  undecryptable(roomId: string): MatrixEvent[] {
    return this.#events(roomId).filter((event) => event.isDecryptionFailure())
  }

  /** Waits for a message and decrypts it; it must have been encrypted. */
  async reads(roomId: string, body: string, msMax = WAIT_MS_MAX): Promise<MatrixEvent> {
    const read = () =>
      this.#events(roomId).find((event) => event.isEncrypted() && event.getContent()['body'] === body)
    return until(`${this.userId} ${this.deviceId} reads "${body}"`, read, msMax)
  }

  /** The texts of a room that are there and readable. */
  bodies(roomId: string): string[] {
    return this.#events(roomId).flatMap((event) => {
      const { body } = event.getContent()
      return event.getType() === 'm.room.message' && typeof body === 'string' ? [body] : []
    })
  }

  #events(roomId: string): MatrixEvent[] {
    return this.client.getRoom(roomId)?.getLiveTimeline().getEvents() ?? []
  }

  close(): void {
    living.delete(this)
    this.client.stopClient()
  }
}

/** An encrypted room that all have joined and see each other in. A key serves for `messages` messages. */
export async function secretRoom(
  owner: Person,
  others: readonly Person[],
  messages?: number,
): Promise<string> {
  const rotation = messages === undefined ? {} : { rotation_period_msgs: messages }
  const content = { algorithm: 'm.megolm.v1.aes-sha2', ...rotation }
  const { room_id: roomId } = await within(
    'the room is made',
    owner.client.createRoom({
      invite: others.map(({ userId }) => userId),
      initial_state: [{ type: 'm.room.encryption', state_key: '', content }],
    }),
  )
  for (const person of others) {
    await within(`${person.userId} joins`, person.client.joinRoom(roomId))
  }
  await everybodyThere(roomId, [owner, ...others])
  return roomId
}

/** Waits until each sees all of them in a room. */
export async function everybodyThere(roomId: string, people: readonly Person[]): Promise<void> {
  for (const person of people) {
    const room = await person.room(roomId)
    for (const { userId } of people) {
      await until(
        `${person.userId} ${person.deviceId} sees ${userId} in the room`,
        () => room.getMember(userId)?.membership === 'join' || undefined,
      )
    }
  }
}
