/** matrix-js-sdk, in memory and without encryption, as a person uses it through a client built on it. */
import {
  ClientEvent,
  createClient,
  Filter,
  type MatrixClient,
  type MatrixEvent,
  MsgType,
  type Room,
  SyncState,
} from 'matrix-js-sdk'
import { complainingLogger, fetchNoting } from './js-sdk/quiet.ts'
import { type Heard, heardOf, type Talker } from './talker.ts'

export interface JsSdkLogin {
  readonly url: string
  readonly name: string
  readonly password: string
  /** Registers with this token; without one, logs in. */
  readonly registrationToken?: string
}

/** Long enough to be a long poll; short enough to end with the test. */
const POLL_MS = 10_000
/** More than any one answer of the quiet parts of the conversation holds. */
const TIMELINE_LIMIT = 50
const PAGE = 100

/** Registers through user-interactive authentication, or logs in by password. */
export async function jsSdkTalker(login: JsSdkLogin): Promise<Talker> {
  const complaints: string[] = []
  const logger = complainingLogger(complaints)
  const visitor = createClient({ baseUrl: login.url, logger })
  const session = login.registrationToken
    ? await registerWithToken(visitor, login, login.registrationToken)
    : await visitor.loginRequest({
        type: 'm.login.password',
        identifier: { type: 'm.id.user', user: login.name },
        password: login.password,
      })
  const { user_id: userId, access_token: accessToken, device_id: deviceId } = session
  if (!accessToken || !deviceId) throw new Error('the login gave no token')
  const fetchFn = fetchNoting(complaints)
  const client = createClient({ baseUrl: login.url, userId, accessToken, deviceId, logger, fetchFn })
  const whoami = await client.whoami()
  if (whoami.user_id !== userId || whoami.device_id !== deviceId) throw new Error('whoami names another')
  return talkerOf(client, accessToken, complaints, login)
}

/** The first request is refused with the flows; the client walks through their stages. */
async function registerWithToken(visitor: MatrixClient, { name, password }: JsSdkLogin, token: string) {
  const wanted = { username: name, password, initial_device_display_name: 'js-sdk' }
  const { flows, session } = await refusal(visitor.registerRequest(wanted))
  const stages = flows[0]?.stages ?? []
  if (!stages.includes('m.login.registration_token')) throw new Error(`no flow with a token: ${stages}`)
  for (const stage of stages.slice(0, -1)) await refusal(visitor.registerRequest(withStage(stage)))
  return visitor.registerRequest(withStage(stages.at(-1) ?? ''))

  function withStage(type: string) {
    return { ...wanted, auth: { type, session, ...(type === 'm.login.registration_token' ? { token } : {}) } }
  }
}

async function refusal(
  request: Promise<unknown>,
): Promise<{ flows: { stages: string[] }[]; session: string }> {
  try {
    await request
  } catch (error) {
    const { httpStatus, data } = error as { httpStatus?: number; data?: object }
    if (httpStatus === 401) return data as { flows: { stages: string[] }[]; session: string }
    throw error
  }
  throw new Error('registered without authentication')
}

function talkerOf(
  client: MatrixClient,
  accessToken: string,
  complaints: string[],
  login: JsSdkLogin,
): Talker {
  const heard: Heard[] = []
  client.on(ClientEvent.Event, (event: MatrixEvent) => {
    if (event.getRoomId()) heard.push(heardOf(event.event as Parameters<typeof heardOf>[0]))
  })
  const roomOf = (roomId: string): Room => {
    const room = client.getRoom(roomId)
    if (!room) throw new Error(`the client does not know ${roomId}`)
    return room
  }
  return {
    userId: client.getSafeUserId(),
    accessToken,
    heard,
    complaints,
    startSync: () => start(client),
    /* Its sync position lives in memory, as long as it runs: it stays at the window. */
    pause: async () => {},
    resume: async () => {},
    createRoom: async (invite) => (await client.createRoom({ invite: [invite] })).room_id,
    invitations: async () =>
      client.getRooms().flatMap((room) => (room.getMyMembership() === 'invite' ? [room.roomId] : [])),
    join: async (roomId) => void (await client.joinRoom(roomId)),
    async send(roomId, text, txnId) {
      const room = roomOf(roomId)
      const failed = room
        .getLiveTimeline()
        .getEvents()
        .find((event) => event.getTxnId() === txnId)
      if (failed?.status === 'not_sent') return (await client.resendEvent(failed, room)).event_id
      return (await client.sendMessage(roomId, { msgtype: MsgType.Text, body: text }, txnId)).event_id
    },
    setTopic: async (roomId, topic) => void (await client.setRoomTopic(roomId, topic)),
    setName: async (roomId, name) => void (await client.setRoomName(roomId, name)),
    redact: async (roomId, eventId) => void (await client.redactEvent(roomId, eventId)),
    pageBack: (roomId) => pageBack(roomId, login),
    logout: async () => void (await client.logout(true)),
    close: async () => client.stopClient(),
  }
}

async function start(client: MatrixClient): Promise<void> {
  const prepared = new Promise<void>((done) => {
    client.on(ClientEvent.Sync, (state) => {
      if (state === SyncState.Prepared) done()
    })
  })
  const filter = new Filter(client.getSafeUserId())
  filter.setTimelineLimit(TIMELINE_LIMIT)
  await client.startClient({ filter, pollTimeout: POLL_MS })
  await prepared
}

/** A second device of the same account scrolls from the end of the room to its beginning. */
async function pageBack(roomId: string, login: JsSdkLogin): Promise<string[]> {
  const { registrationToken: _, ...again } = login
  const logger = complainingLogger([])
  const session = await createClient({ baseUrl: again.url, logger }).loginRequest({
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user: again.name },
    password: again.password,
  })
  const { user_id: userId, access_token: accessToken, device_id: deviceId } = session
  const client = createClient({ baseUrl: again.url, userId, accessToken, deviceId, logger })
  await client.startClient({ initialSyncLimit: 5, pollTimeout: 1_000, lazyLoadMembers: true })
  try {
    await new Promise<void>((done) => client.once(ClientEvent.Sync, () => done()))
    const room = client.getRoom(roomId)
    if (!room) throw new Error(`the second device does not know ${roomId}`)
    while (room.oldState.paginationToken !== null) await client.scrollback(room, PAGE)
    const events = room.getLiveTimeline().getEvents()
    return events.flatMap((event) => {
      const { body } = event.getContent()
      return event.getType() === 'm.room.message' && typeof body === 'string' ? [body] : []
    })
  } finally {
    await client.logout(true)
    client.stopClient()
  }
}
