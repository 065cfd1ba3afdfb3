import { createHmac, randomBytes } from 'node:crypto'
import { Connection, type Target } from './connection.ts'
import { SETUP_CONCURRENCY, USERS_MAX } from './limits.ts'

/** How accounts are made. */
export type Registration =
  | { readonly by: 'dummy' }
  | { readonly by: 'token'; readonly token: string }
  | { readonly by: 'shared-secret'; readonly secret: string }

/** An account with one device. */
export interface User {
  readonly userId: string
  readonly accessToken: string
}

type Json = Record<string, unknown>

/** The text of a request with a JSON body (or none), as `Connection.send` takes it. */
export function requestText(
  target: Target,
  method: string,
  path: string,
  token?: string,
  body?: unknown,
): string {
  const json = body === undefined ? '' : JSON.stringify(body)
  let head = `${method} ${path} HTTP/1.1\r\nHost: ${target.host}:${target.port}\r\n`
  if (token) head += `Authorization: Bearer ${token}\r\n`
  if (body !== undefined)
    head += `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(json)}\r\n`
  // Bodies hold nothing beyond ASCII, so the length in bytes is the length of the string that is sent.
  return `${head}\r\n${json}`
}

/** One call of the client API on `connection`: status and parsed answer. Status 0 throws. */
export function call(connection: Connection, request: string): Promise<{ status: number; body: Json }> {
  return new Promise((resolve, reject) => {
    connection.send(request, (status, bytes, start, end) => {
      const text = bytes.toString('utf8', start, end)
      const line = request.slice(0, request.indexOf('\r\n'))
      if (status === 0) {
        reject(new Error(`${line}: ${text}`))
        return
      }
      try {
        resolve({ status, body: text === '' ? {} : (JSON.parse(text) as Json) })
      } catch {
        reject(new Error(`${line}: ${status} with a body that is not JSON: ${text.slice(0, 200)}`))
      }
    })
  })
}

/** Runs `work` on every item, a few at a time; the first failure ends it. */
export async function forEachLimited<T>(
  items: readonly T[],
  limit: number,
  work: (item: T, slot: number) => Promise<void>,
): Promise<void> {
  let next = 0
  const slot = async (index: number): Promise<void> => {
    while (next < items.length) await work(items[next++]!, index)
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, (_, index) => slot(index)))
}

/** Sets up accounts and rooms through the client API, over a few connections of its own. */
export class Setup {
  readonly target: Target
  readonly #registration: Registration
  readonly #roomVersion: string | undefined
  readonly #connections: Connection[]
  readonly #users: User[]
  // Names never collide with those of an earlier run against the same server.
  readonly #run = randomBytes(4).toString('hex')

  /** Rooms get `roomVersion`, or the server's default. Accounts in `ready` are there already and used first. */
  constructor(target: Target, registration: Registration, roomVersion?: string, ready: readonly User[] = []) {
    this.#users = [...ready]
    this.target = target
    this.#registration = registration
    this.#roomVersion = roomVersion
    this.#connections = Array.from({ length: SETUP_CONCURRENCY }, () => new Connection(target))
  }

  close(): void {
    for (const connection of this.#connections) connection.close()
  }

  /** GET `path` without authentication, on any status. */
  get(path: string): Promise<{ status: number; body: Json }> {
    return call(this.#connections[0]!, requestText(this.target, 'GET', path))
  }

  /** `count` users from the run's pool; makes those that are missing. */
  async users(count: number): Promise<User[]> {
    if (count > USERS_MAX) throw new RangeError(`${count} users are more than ${USERS_MAX}`)
    const first = this.#users.length
    const missing = Array.from({ length: Math.max(0, count - first) }, (_, index) => first + index)
    await forEachLimited(missing, SETUP_CONCURRENCY, async (number, slot) => {
      this.#users[number] = await this.#register(this.#connections[slot]!, `bench-${this.#run}-${number}`)
    })
    return this.#users.slice(0, count)
  }

  /**
   * A private room made by the first of `members`, who invites the others; they join. Answers the room id.
   */
  async room(members: readonly User[], slot = 0): Promise<string> {
    const [creator, ...others] = members
    const connection = this.#connections[slot]!
    const wanted = { preset: 'private_chat', ...(this.#roomVersion && { room_version: this.#roomVersion }) }
    const body = await this.#post(connection, creator!, '/_matrix/client/v3/createRoom', wanted)
    const roomId = String(body['room_id'])
    const path = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}`
    for (const member of others) {
      await this.#post(connection, creator!, `${path}/invite`, { user_id: member.userId })
      await this.#post(connection, member, `${path}/join`, {})
    }
    return roomId
  }

  /** Rooms for many first members at once, a few at a time, in the order of `memberships`. */
  async rooms(memberships: readonly (readonly User[])[]): Promise<string[]> {
    const rooms: string[] = []
    await forEachLimited([...memberships.keys()], SETUP_CONCURRENCY, async (index, slot) => {
      rooms[index] = await this.room(memberships[index]!, slot)
    })
    return rooms
  }

  /** The `body` texts of the room's last messages, newest first, as `user` sees them. */
  async lastMessages(user: User, roomId: string, limit: number): Promise<string[]> {
    const path = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/messages?dir=b&limit=${limit}`
    const { status, body } = await call(
      this.#connections[0]!,
      requestText(this.target, 'GET', path, user.accessToken),
    )
    if (status !== 200) throw new Error(`/messages answered ${status} ${JSON.stringify(body)}`)
    const chunk = body['chunk'] as { content: { body?: string } }[]
    return chunk.map((event) => event.content.body ?? '')
  }

  async #post(connection: Connection, user: User, path: string, body: Json): Promise<Json> {
    const answer = await call(connection, requestText(this.target, 'POST', path, user.accessToken, body))
    if (answer.status !== 200)
      throw new Error(`${path} answered ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body
  }

  #register(connection: Connection, username: string): Promise<User> {
    const password = randomBytes(12).toString('hex')
    return this.#registration.by === 'shared-secret'
      ? this.#registerBySecret(connection, username, password, this.#registration.secret)
      : this.#registerByStages(connection, username, password)
  }

  /** Synapse's admin call: a nonce, then an HMAC-SHA1 over nonce, name, password and kind. */
  async #registerBySecret(
    connection: Connection,
    username: string,
    password: string,
    secret: string,
  ): Promise<User> {
    const path = '/_synapse/admin/v1/register'
    const first = await call(connection, requestText(this.target, 'GET', path))
    const nonce = String(first.body['nonce'])
    const mac = sharedSecretMac(secret, nonce, username, password)
    const body = { nonce, username, password, admin: false, mac }
    const answer = await call(connection, requestText(this.target, 'POST', path, undefined, body))
    return userOf(path, answer)
  }

  /** /register with user-interactive authentication: whatever order of the known stages the server asks for. */
  async #registerByStages(connection: Connection, username: string, password: string): Promise<User> {
    const path = '/_matrix/client/v3/register'
    const account = { username, password, initial_device_display_name: 'bench' }
    const post = (auth?: Json) =>
      call(
        connection,
        requestText(this.target, 'POST', path, undefined, auth ? { ...account, auth } : account),
      )
    let answer = await post()
    for (let stage = 0; stage < 3 && answer.status === 401; stage++) {
      const {
        session,
        flows = [],
        completed = [],
      } = answer.body as {
        session?: string
        flows?: { stages: string[] }[]
        completed?: string[]
      }
      const next = nextStage(flows, completed, this.#registration.by === 'token')
      const token = this.#registration.by === 'token' ? this.#registration.token : undefined
      answer = await post(next === TOKEN_STAGE ? { type: next, session, token } : { type: next, session })
    }
    return userOf(path, answer)
  }
}

const TOKEN_STAGE = 'm.login.registration_token'

/** The first open stage of a flow that consists only of stages this client can do; throws when there is none. */
function nextStage(
  flows: readonly { stages: string[] }[],
  completed: readonly string[],
  hasToken: boolean,
): string {
  const known = hasToken ? ['m.login.dummy', TOKEN_STAGE] : ['m.login.dummy']
  const flow = flows.find(({ stages }) => stages.every((stage) => known.includes(stage)))
  const next = flow?.stages.find((stage) => !completed.includes(stage))
  if (!next) throw new Error(`no registration flow of ${known.join(', ')} in ${JSON.stringify(flows)}`)
  return next
}

function userOf(path: string, { status, body }: { status: number; body: Json }): User {
  const { user_id: userId, access_token: accessToken } = body
  if (status === 200 && typeof userId === 'string' && typeof accessToken === 'string')
    return { userId, accessToken }
  throw new Error(`${path} answered ${status} ${JSON.stringify(body)}`)
}

/** The proof that Synapse's /_synapse/admin/v1/register wants, for an account that is no administrator. */
export function sharedSecretMac(secret: string, nonce: string, username: string, password: string): string {
  return createHmac('sha1', secret).update([nonce, username, password, 'notadmin'].join('\0')).digest('hex')
}
