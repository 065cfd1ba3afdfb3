/**
 * What runs in the browser: matrix-js-sdk with its IndexedDB stores, of rooms and of keys, and functions under
 * `globalThis.talk` for the test to call. The session lives in localStorage, so a page that is loaded again goes on where it was.
 */
import {
  ClientEvent,
  createClient,
  EventType,
  IndexedDBStore,
  type MatrixClient,
  type MatrixEvent,
  MsgType,
  SyncState,
} from 'matrix-js-sdk'

/** What the test may call; arguments and results travel as JSON. */
export interface Talk {
  /** Registers, keeps the session, and starts. */
  register(url: string, name: string, password: string): Promise<string>
  /** Starts with the session that was kept. Gives the position in sync that the store had kept. */
  goOn(): Promise<string | null>
  /** An encrypted room. */
  createRoom(invite: string): Promise<string>
  /** Rooms the user is invited to. */
  invitations(): string[]
  join(roomId: string): Promise<void>
  send(roomId: string, text: string): Promise<void>
  /** Texts of the room's messages that this page shows, in order. */
  shown(roomId: string): string[]
  /** Writes the position and what came with it to the store now. */
  save(): Promise<void>
  logout(): Promise<void>
}

interface Browser {
  readonly indexedDB: ConstructorParameters<typeof IndexedDBStore>[0]['indexedDB']
  readonly localStorage: Storage
  talk: Talk
}
interface Storage {
  getItem(key: string): string | null
  setItem(key: string, value: string): void
  clear(): void
}
interface Kept {
  baseUrl: string
  userId: string
  accessToken: string
  deviceId: string
}

const { indexedDB, localStorage } = globalThis as unknown as Browser
const SESSION = 'session'
/** Longer than anything the test waits for: what arrives has ended a long poll. */
const POLL_MS = 60_000

let running: { client: MatrixClient; store: IndexedDBStore } | undefined

function client(): MatrixClient {
  if (!running) throw new Error('nobody is logged in')
  return running.client
}

async function start(kept: Kept): Promise<string | null> {
  const store = new IndexedDBStore({ indexedDB, localStorage: localStorage as never, dbName: 'rooms' })
  const started = createClient({ ...kept, store })
  await store.startup()
  const savedToken = await store.getSavedSyncToken()
  const synced = new Promise<void>((done) => {
    started.on(ClientEvent.Sync, (state) => {
      if (state === SyncState.Syncing) done()
    })
  })
  await started.initRustCrypto()
  running = { client: started, store }
  await started.startClient({ pollTimeout: POLL_MS, threadSupport: true, lazyLoadMembers: true })
  await synced
  return savedToken
}

/** The first request is refused with the flows; the second one walks through them. */
async function registered(url: string, username: string, password: string): Promise<Kept> {
  const visitor = createClient({ baseUrl: url })
  const wanted = { username, password, initial_device_display_name: 'a browser' }
  const session = await visitor.registerRequest(wanted).then(
    () => undefined,
    (error: { httpStatus?: number; data?: { session?: string } }) => error.data?.session,
  )
  if (session === undefined) throw new Error('the server does not ask how to register')
  const auth = { type: 'm.login.dummy', session }
  const answer = await visitor.registerRequest({ ...wanted, auth })
  const { user_id: userId, access_token: accessToken, device_id: deviceId } = answer
  if (!accessToken || !deviceId) throw new Error('the registration gave no token')
  return { baseUrl: url, userId, accessToken, deviceId }
}

const talk: Talk = {
  async register(url, name, password) {
    const kept = await registered(url, name, password)
    localStorage.setItem(SESSION, JSON.stringify(kept))
    await start(kept)
    return kept.userId
  },
  goOn: () => start(JSON.parse(localStorage.getItem(SESSION) ?? '{}') as Kept),
  async createRoom(invite) {
    const content = { algorithm: 'm.megolm.v1.aes-sha2' }
    const initial_state = [{ type: EventType.RoomEncryption, state_key: '', content }]
    return (await client().createRoom({ invite: [invite], initial_state })).room_id
  },
  invitations: () =>
    client()
      .getRooms()
      .flatMap((room) => (room.getMyMembership() === 'invite' ? [room.roomId] : [])),
  join: async (roomId) => void (await client().joinRoom(roomId)),
  send: async (roomId, body) => void (await client().sendMessage(roomId, { msgtype: MsgType.Text, body })),
  shown(roomId) {
    const events = client().getRoom(roomId)?.getLiveTimeline().getEvents() ?? []
    const isText = (event: MatrixEvent) => event.getType() === 'm.room.message'
    return events.filter(isText).map((event) => String(event.getContent()['body']))
  },
  save: async () => void (await running?.store.save(true)),
  async logout() {
    await client().logout(true)
    await client().clearStores()
    localStorage.clear()
    running = undefined
  },
}

;(globalThis as unknown as Browser).talk = talk
