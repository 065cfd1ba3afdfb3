/** matrix-js-sdk with its Rust crypto, in memory, as a person with one device uses it. */
import { createClient, type MatrixClient, type MatrixEvent, MsgType, type Room } from 'matrix-js-sdk'
import type { CryptoApi } from 'matrix-js-sdk/lib/crypto-api/index.js'
import { complainingLogger, fetchNoting } from './quiet.ts'

const POLL_MS = 10_000

/** Longest wait for anything, and between two looks, milliseconds. */
const WAIT_MS_MAX = 40_000
const LOOK_MS = 50

/** Resolves with what `look` gives as soon as it gives anything. Rejects naming `what` after a while. */
export async function until<T>(what: string, look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  const end = performance.now() + WAIT_MS_MAX
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    if (performance.now() > end) throw new Error(`waited in vain until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
}

export class Person {
  readonly client: MatrixClient
  readonly complaints: string[]
  readonly #password: string

  private constructor(client: MatrixClient, complaints: string[], password: string) {
    this.client = client
    this.complaints = complaints
    this.#password = password
  }

  /** Logs in with a new device, and syncs. */
  static async login(url: string, name: string, password: string): Promise<Person> {
    const complaints: string[] = []
    const logger = complainingLogger(complaints)
    const visitor = createClient({ baseUrl: url, logger })
    const { user_id, access_token, device_id } = await visitor.loginRequest({
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user: name },
      password,
    })
    const client = createClient({
      baseUrl: url,
      userId: user_id,
      accessToken: access_token,
      deviceId: device_id,
      logger,
      fetchFn: fetchNoting(complaints),
      verificationMethods: ['m.sas.v1'],
    })
    const person = new Person(client, complaints, password)
    await client.initRustCrypto({ useIndexedDB: false })
    await client.startClient({ pollTimeout: POLL_MS, initialSyncLimit: 20 })
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
  async bootstrap(): Promise<void> {
    await this.crypto.bootstrapCrossSigning({
      setupNewCrossSigning: true,
      authUploadDeviceSigningKeys: async (makeRequest) => {
        const identifier = { type: 'm.id.user', user: this.userId }
        return makeRequest({ type: 'm.login.password', identifier, password: this.#password } as never)
      },
    })
  }

  async room(roomId: string): Promise<Room> {
    return until('the room is known', () => this.client.getRoom(roomId) ?? undefined)
  }

  async send(roomId: string, body: string): Promise<string> {
    return (await this.client.sendMessage(roomId, { msgtype: MsgType.Text, body })).event_id
  }

  /** Waits for a message and decrypts it; it must have been encrypted. */
  async reads(roomId: string, body: string): Promise<MatrixEvent> {
    return until(`${this.userId} ${this.deviceId} reads "${body}"`, async () => {
      const events = this.client.getRoom(roomId)?.getLiveTimeline().getEvents() ?? []
      return events.find((event) => event.isEncrypted() && event.getContent()['body'] === body)
    })
  }

  close(): void {
    this.client.stopClient()
  }
}
