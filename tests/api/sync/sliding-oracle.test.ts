/**
 * Random rooms, members and sliding clients from one seed: whatever windows and limits a client asks for, whenever it
 * asks, repeats or begins anew, at the end it holds what the server holds, nothing twice and nothing it may not know.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SeededRng } from '../../sim/seeded-rng.ts'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { withQuery } from '../../support/api-client.ts'
import {
  createRoom,
  eventIds,
  invite,
  join,
  leave,
  redact,
  say,
  setState,
  sync,
} from '../../support/room-calls.ts'
import { SLIDING } from '../../support/sliding-calls.ts'
import { TestServer } from '../../support/test-server.ts'

const SEEDS = process.env['MYELIN_TEST_FULL'] ? 20 : 3
const STEPS = 240

/** Few, so that much happens in each of them between two answers. */
const ROOMS = 6

/** A room as a client has it. */
interface Seen {
  membership: string
  /** Ids of the newest events without a gap. */
  timeline: string[]
  /** Everything that was ever told of the room. */
  told: Set<string>
  state: Map<string, string>
  name: string | undefined
  joined: number
}

class Client {
  readonly who: ApiClient
  readonly rooms = new Map<string, Seen>()
  counts: Json = {}
  #pos: string | undefined

  constructor(who: ApiClient) {
    this.who = who
  }

  /** One request; `lost` is an answer that never arrives. */
  async ask(body: Json, lost = false): Promise<Json> {
    const url = withQuery(SLIDING, { pos: this.#pos })
    const { status, json } = await this.who.call('POST', url, body)
    if (status === 400 && json.errcode === 'M_UNKNOWN_POS') {
      this.begin()
      return undefined
    }
    assert.equal(status, 200, JSON.stringify(json))
    if (lost) return json
    this.#pos = json.pos
    this.counts = json.lists
    for (const [roomId, room] of Object.entries(json.rooms)) this.#take(roomId, room)
    return json
  }

  begin(): void {
    this.#pos = undefined
    this.rooms.clear()
  }

  #take(roomId: string, room: Json): void {
    const known = this.rooms.get(roomId)
    const news = eventIds(room.timeline ?? [])
    assert.equal(new Set(news).size, news.length, 'an event comes twice in one answer')
    const fresh = room.initial || !known
    assert.ok(known || room.initial, `${roomId} is new and not initial`)
    const seen: Seen = fresh
      ? { membership: '', timeline: [], told: new Set(), state: new Map(), name: undefined, joined: 0 }
      : known!
    if (!fresh && !room.unstable_expanded_timeline) {
      for (const id of news) assert.ok(!seen.told.has(id), `${id} of ${roomId} comes twice`)
    }
    seen.timeline = joined(seen.timeline, news, room)
    for (const id of news) seen.told.add(id)
    for (const event of room.required_state ?? []) {
      seen.state.set(`${event.type}|${event.state_key}`, event.event_id)
    }
    if (room.name !== undefined) seen.name = room.name ?? undefined
    if (room.joined_count !== undefined) seen.joined = room.joined_count
    seen.membership = room.membership
    this.rooms.set(roomId, seen)
  }
}

/** What a client holds after an answer. */
function joined(before: readonly string[], news: readonly string[], room: Json): string[] {
  if (room.initial) return [...news]
  if (room.unstable_expanded_timeline) {
    const at = before.indexOf(news[0] ?? '')
    return at >= 0 ? [...before.slice(0, at), ...news] : [...news]
  }
  return room.limited ? [...news] : [...before, ...news]
}

const STATE = [
  ['m.room.name', ''],
  ['m.room.topic', ''],
  ['m.room.member', '$ME'],
  ['m.room.member', '$LAZY'],
  ['org.test.*', '*'],
  ['org.test', '*'],
]

class World {
  readonly rng: SeededRng
  readonly server: TestServer
  readonly clients: Client[] = []
  readonly rooms: string[] = []
  #n = 0

  constructor(server: TestServer, seed: number) {
    this.server = server
    this.rng = new SeededRng(`sliding ${seed}`)
  }

  pick<T>(of: readonly T[]): T {
    return of[this.rng.below(of.length)]!
  }

  /** Something happens; what is not allowed does not. */
  async step(): Promise<void> {
    const { who } = this.pick(this.clients)
    const other = this.pick(this.clients).who
    const dice = this.rng.below(100)
    if (this.rooms.length < 3 || (dice < 6 && this.rooms.length < ROOMS)) {
      const preset = dice % 2 === 0 ? 'public_chat' : 'private_chat'
      this.rooms.push(await createRoom(who, { preset }))
      return
    }
    const roomId = this.pick(this.rooms)
    await this.#inRoom(who, other, roomId, dice).catch((error: unknown) => {
      if (!String(error).includes('40')) throw error
    })
  }

  async #inRoom(who: ApiClient, other: ApiClient, roomId: string, dice: number): Promise<void> {
    const n = ++this.#n
    if (dice < 16) await join(who, roomId)
    else if (dice < 22) await leave(who, roomId)
    else if (dice < 28) await invite(who, roomId, other)
    else if (dice < 31) {
      await who.post(`/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/kick`, { user_id: other.userId })
    } else if (dice < 36) await setState(who, roomId, 'm.room.name', { name: n % 4 === 0 ? '' : `name ${n}` })
    else if (dice < 40) await setState(who, roomId, 'org.test', { n }, `key${n % 3}`)
    else if (dice < 45) await redact(who, roomId, await say(who, roomId, `gone ${n}`))
    else await say(who, roomId, `text ${n}`)
  }

  /** A client asks for something. */
  async ask(client: Client): Promise<void> {
    const dice = this.rng.below(20)
    if (dice === 0) client.begin()
    const from = this.rng.below(4)
    const ranges = dice < 12 ? [[0, this.rng.below(6)]] : [[from, from + 2]]
    const list = { ranges, timeline_limit: 1 + this.rng.below(6), required_state: STATE }
    const subscribed = dice % 5 === 0 ? [this.pick(this.rooms)] : []
    const subscription = { timeline_limit: this.rng.below(9), required_state: STATE }
    await client.ask(
      {
        lists: dice === 7 ? {} : { list },
        room_subscriptions: Object.fromEntries(subscribed.map((roomId) => [roomId, subscription])),
      },
      this.rng.below(6) === 0,
    )
  }

  async run(): Promise<void> {
    for (let i = 0; i < STEPS; i++) {
      await this.step()
      if (this.rng.below(i < STEPS / 2 ? 3 : 12) === 0) await this.ask(this.pick(this.clients))
      if (i === STEPS / 2) await this.server.restart()
    }
    for (const client of this.clients) await this.check(client)
  }

  /** Brings a client up to date and holds it against the server. */
  async check(client: Client): Promise<void> {
    const body = { lists: { list: { ranges: [[0, 999]], timeline_limit: 3, required_state: STATE } } }
    let rounds = 0
    for (;;) {
      const answer = await client.ask(body)
      if (answer && Object.keys(answer.rooms).length === 0) break
      assert.ok(++rounds < 10, 'the answers do not come to an end')
    }
    const { rooms = {} } = await sync(client.who, { full_state: true })
    for (const roomId of Object.keys(rooms.join ?? {})) await this.#checkJoined(client, roomId)
    for (const roomId of Object.keys(rooms.invite ?? {})) {
      assert.equal(client.rooms.get(roomId)?.membership, 'invite', `${roomId} is an invite`)
    }
    for (const [roomId, { membership, timeline }] of client.rooms) {
      if (membership === 'join') assert.ok(rooms.join?.[roomId], `${roomId} was left`)
      if (membership === 'leave') await this.#checkLeft(client.who, roomId, timeline)
    }
  }

  async #checkJoined(client: Client, roomId: string): Promise<void> {
    const seen = client.rooms.get(roomId)
    assert.ok(seen, `${roomId} was never told`)
    assert.equal(seen.membership, 'join')
    const path = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}`
    const { chunk } = await client.who.get(`${path}/messages`, { dir: 'b', limit: 1000 })
    const truth = eventIds(chunk).reverse()
    assert.deepEqual(seen.timeline, truth.slice(truth.length - seen.timeline.length), `timeline of ${roomId}`)
    const state: Json[] = await client.who.get(`${path}/state`)
    const now = new Map(state.map((event) => [`${event.type}|${event.state_key}`, event]))
    for (const [key, id] of seen.state) assert.equal(id, now.get(key)?.event_id, `${key} of ${roomId}`)
    for (const key of now.keys()) {
      if (/^(org\.test|m\.room\.name|m\.room\.topic)\|/.test(key)) assert.ok(seen.state.has(key), key)
    }
    assert.ok(seen.state.has(`m.room.member|${client.who.userId}`), 'the own membership')
    assert.equal(seen.name, now.get('m.room.name|')?.content.name || undefined, `name of ${roomId}`)
    const members = state.filter((event) => event.content.membership === 'join')
    assert.equal(seen.joined, members.length, `members of ${roomId}`)
  }

  /** The own leaving is the last that a client has. */
  async #checkLeft(who: ApiClient, roomId: string, timeline: readonly string[]): Promise<void> {
    const last = timeline.at(-1)
    assert.ok(last !== undefined, `${roomId} was left, and nothing is said of it`)
    const row = await this.server.store.events.byId(last)
    assert.deepEqual([row?.type, row?.stateKey], ['m.room.member', who.userId], `end of ${roomId}`)
  }
}

for (let seed = 1; seed <= SEEDS; seed++) {
  test(`adv-52 a client that asks at random ends with the truth, seed ${seed}`, async () => {
    await using stack = new AsyncDisposableStack()
    const server = await TestServer.start()
    stack.defer(() => server.close())
    const world = new World(server, seed)
    for (const name of ['a', 'b', 'c']) world.clients.push(new Client(await server.user(name)))
    await world.run()
  })
}
