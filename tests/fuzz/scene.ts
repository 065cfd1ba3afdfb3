/** A small world for a run of the fuzzer: accounts of several kinds, rooms with history, and all that has a name there. */
import { realWorld } from '#/base/world.ts'
import type { SeededRng } from '../sim/seeded-rng.ts'
import type { ApiClient, Json } from '../support/api-client.ts'
import { PLAIN_PEOPLE } from '../support/people-options.ts'
import {
  createRoom,
  inRoom,
  invite,
  join,
  leave,
  roomOf,
  say,
  setState,
  sync,
  V3,
} from '../support/room-calls.ts'
import { SERVER_NAME, TestServer } from '../support/test-server.ts'

/** Names of one kind that are remembered; older ones go. */
const KNOWN_MAX = 60

/** Words that requests and answers use, whatever the server holds. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  type: [
    'm.room.message',
    'm.room.member',
    'm.room.power_levels',
    'm.room.create',
    'm.room.redaction',
    'm.room.join_rules',
    'm.room.history_visibility',
    'm.room.canonical_alias',
    'm.room.encryption',
    'm.room.tombstone',
    'm.space.child',
    'm.reaction',
    'm.direct',
    'm.ignored_user_list',
    'm.push_rules',
    'm.fully_read',
    'm.tag',
    'org.example.fuzz',
  ],
  field: [
    'content',
    'type',
    'user_id',
    'room_id',
    'limit',
    'm.relates_to',
    'body',
    '__proto__',
    'a.b',
    'rel_type',
  ],
  kind: ['override', 'underride', 'content', 'room', 'sender'],
  rule: ['.m.rule.master', '.m.rule.message', '.m.rule.roomnotif', 'fuzzed'],
  receipt: ['m.read', 'm.read.private', 'm.fully_read'],
  relation: ['m.thread', 'm.annotation', 'm.replace', 'm.reference'],
  key: ['displayname', 'avatar_url', 'm.tz', 'org.example.key'],
}

export class Scene {
  readonly server: TestServer
  readonly #rng: SeededRng
  readonly #known = new Map<string, string[]>()
  readonly #actors = new Map<string, ApiClient>()

  private constructor(server: TestServer, rng: SeededRng) {
    this.server = server
    this.#rng = rng
    for (const [kind, words] of Object.entries(WORDS)) this.#known.set(kind, [...words])
  }

  static async build(rng: SeededRng): Promise<Scene> {
    const turn = { ...PLAIN_PEOPLE.turn, uris: ['turn:turn.example'], sharedSecret: 'secret' }
    const server = await TestServer.start({
      world: { clock: realWorld.clock, rng: rng.fork('server') },
      configure: (plain) => ({ ...plain, people: { ...plain.people, turn } }),
    })
    const scene = new Scene(server, rng.fork('scene'))
    for (const kind of ['creator', 'member', 'stranger', 'guest', 'admin']) await scene.#enter(kind)
    const nobody = server.anonymous()
    nobody.userId = '@nobody:test.example'
    scene.#actors.set('nobody', nobody)
    await scene.room('12')
    await scene.room('1')
    return scene
  }

  /** Who asks next. An account that lost its session gets a new one. */
  async actor(): Promise<ApiClient> {
    const kind = this.#rng.weighted({ creator: 8, member: 5, stranger: 3, guest: 2, admin: 2, nobody: 1 })
    const actor = this.#actors.get(kind)!
    if (kind === 'nobody') return actor
    return this.#present(kind)
  }

  get actors(): readonly ApiClient[] {
    return [...this.#actors.values()]
  }

  known = (kind: string): readonly string[] => this.#known.get(kind) ?? []

  remember(kind: string, text: unknown): void {
    if (typeof text !== 'string' || text.length > 300) return
    const list = this.#known.get(kind) ?? []
    if (!list.includes(text)) this.#known.set(kind, [...list.slice(1 - KNOWN_MAX), text])
  }

  /** Takes names out of an answer. */
  learn(json: Json, room: string | undefined): void {
    if (json === null || typeof json !== 'object') return
    for (const key of ['next_batch', 'prev_batch', 'start', 'end', 'pos']) this.remember('token', json[key])
    this.remember('event', json.event_id)
    if (room !== undefined) this.remember(`event of ${room}`, json.event_id)
    this.remember('filter', json.filter_id)
    this.remember('delay', json.delay_id)
    if (typeof json.room_id === 'string') this.remember('room', json.room_id)
    for (const event of Array.isArray(json.chunk) ? json.chunk.slice(0, 5) : [])
      this.remember('event', event?.event_id)
  }

  /** A room with something in it: members, one who left, an invited one, state, a thread. */
  async room(version: string): Promise<void> {
    const actor = (kind: string): ApiClient => this.#actors.get(kind)!
    const creator = await this.#present('creator')
    const member = await this.#present('member')
    const roomId = await roomOf([creator], { room_version: version })
    const alias = `#fuzz${this.known('alias').length}-${this.#rng.below(1e6)}:${SERVER_NAME}`
    await creator.put(`${V3}/directory/room/${encodeURIComponent(alias)}`, { room_id: roomId })
    await join(member, roomId)
    const root = await say(creator, roomId, 'words to be found')
    const relates = { 'm.relates_to': { rel_type: 'm.thread', event_id: root } }
    const url = inRoom(roomId, 'send', 'm.room.message', member.txn())
    const answer = await member.put(url, { msgtype: 'm.text', body: 'an answer', ...relates })
    await setState(creator, roomId, 'm.room.topic', { topic: 'a topic' })
    const closed = await createRoom(creator, { room_version: version })
    await invite(creator, closed, actor('stranger'))
    await invite(creator, closed, member)
    await join(member, closed)
    await leave(member, closed)
    const { next_batch } = await sync(creator, {}, { events: false })
    for (const each of [roomId, closed]) this.remember('room', each)
    for (const each of [root, answer.event_id]) {
      this.remember('event', each)
      this.remember(`event of ${roomId}`, each)
    }
    this.remember('alias', alias)
    this.remember('token', next_batch)
  }

  /** An actor whose account is as it was: who logged out, or was suspended or locked, is replaced by another. */
  async #present(kind: string): Promise<ApiClient> {
    const actor = this.#actors.get(kind)!
    const { status } = await actor.call('GET', `${V3}/account/whoami`)
    const account = await this.server.store.accounts.byUser(actor.userId)
    return status === 200 && !account?.suspended ? actor : this.#enter(kind)
  }

  async #enter(kind: string): Promise<ApiClient> {
    let client: ApiClient
    if (kind === 'guest') {
      client = this.server.anonymous()
      client.become(await client.post(`${V3}/register?kind=guest`))
    } else client = await this.server.user(kind)
    if (kind === 'admin') {
      const ops = [{ op: 'account.flags', user: client.userId, admin: true } as const]
      await this.server.store.commit({ lane: client.userId, ops })
      client = await this.server.device(client)
    }
    this.#actors.set(kind, client)
    this.remember('user', client.userId)
    this.remember('device', client.deviceId)
    return client
  }
}
