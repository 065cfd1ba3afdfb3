/** The answer that is made of what is in memory: it is what the long way says, and asks the store nothing. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Store } from '#/ports/store/store.ts'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { busyStore } from '../../support/busy-store.ts'
import {
  createRoom,
  inRoom,
  join,
  leave,
  redact,
  roomOf,
  say,
  setState,
  sync,
} from '../../support/room-calls.ts'
import { TestServer } from '../../support/test-server.ts'

/** The same filter twice; with the second one the answer goes the long way, because something could be filtered. */
const ROOM = { timeline: { limit: 5 } }
const QUICK = JSON.stringify({ room: ROOM })
const LONG = JSON.stringify({ room: { timeline: { ...ROOM.timeline, not_types: ['org.example.never'] } } })

/** Two devices of one user who see the same in two ways. */
class Pair {
  readonly devices: readonly [ApiClient, ApiClient]
  readonly #filters: readonly [string, string]
  readonly #options: Readonly<Record<string, string>>
  #since: (string | undefined)[] = [undefined, undefined]

  constructor(
    devices: readonly [ApiClient, ApiClient],
    filters: readonly [string, string] = [QUICK, LONG],
    options: Readonly<Record<string, string>> = {},
  ) {
    this.devices = devices
    this.#filters = filters
    this.#options = options
  }

  /** The next answer of both, which must be the same; gives its rooms. */
  async next(what: string): Promise<Json> {
    const answers: Json[] = []
    for (const [index, device] of this.devices.entries()) {
      const query = { since: this.#since[index], filter: this.#filters[index]!, set_presence: 'offline' }
      const answer = await sync(device, { ...query, ...this.#options })
      this.#since[index] = answer.next_batch
      answers.push(answer)
    }
    const [quick, long] = answers.map(comparable)
    assert.deepEqual(quick, long, what)
    return answers[0]!.rooms ?? {}
  }
}

/** An answer without what differs by the moment: ages, and in its place what is seen of typing and presence. */
function comparable({ next_batch: next, ...answer }: Json): Json {
  const position = String(next).split('_').slice(0, 2).join('_')
  const text = JSON.stringify({ ...answer, position }, (name, value) => (name === 'age' ? 0 : value))
  return JSON.parse(text)
}

function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state * 1103515245 + 12345) % 2147483648
    return Math.floor((state / 2147483648) * below)
  }
}

interface Scene {
  readonly below: (below: number) => number
  readonly users: readonly ApiClient[]
  readonly rooms: readonly string[]
  readonly events: string[]
}

async function happen({ below, users, rooms, events }: Scene): Promise<void> {
  const who = users[below(users.length)]!
  const roomId = rooms[below(rooms.length)]!
  const send = (content: Json) => who.put(inRoom(roomId, 'send', 'm.room.message', who.txn()), content)
  const some = (below(2) === 0 ? events.at(-1) : events[below(events.length)]) ?? '$none'
  const acts: (() => Promise<unknown>)[] = [
    async () => events.push(await say(who, roomId, `hello ${users[0]!.userId}`)),
    async () => events.push(await say(who, roomId, 'another')),
    async () => events.push(await say(who, roomId, 'one more')),
    () =>
      send({
        msgtype: 'm.text',
        body: 'to you',
        'm.mentions': { user_ids: [users[0]!.userId] },
      }),
    () => send({ msgtype: 'm.text', body: 'x', 'm.relates_to': { rel_type: 'm.thread', event_id: some } }),
    () =>
      send({
        msgtype: 'm.text',
        body: '* y',
        'm.new_content': { msgtype: 'm.text', body: 'y' },
        'm.relates_to': { rel_type: 'm.replace', event_id: some },
      }),
    () => redact(who, roomId, some),
    () => setState(who, roomId, 'm.room.topic', { topic: `${below(100)}` }),
    () => who.post(inRoom(roomId, 'receipt', 'm.read', some), {}),
    async () => {
      await leave(who, roomId)
      await join(who, roomId)
    },
    () => who.put(inRoom(roomId, 'typing', who.userId), { typing: true, timeout: 1000 }),
  ]
  const act = acts[below(acts.length + 6)] ?? acts[below(3)]!
  /* Not everything is allowed: a relation to an event of another room, a redaction of somebody else's. */
  await act().catch((error: unknown) => assert.match(String(error), /M_|4\d\d/))
}

test('a quick answer is what the long way says, whatever happens', async () => {
  const server = await TestServer.start()
  try {
    for (const seed of [1]) {
      const users: ApiClient[] = []
      for (const name of ['anna', 'bert', 'cleo', 'dora', 'emil', 'fred', 'gina', 'hugo']) {
        users.push(await server.user(name))
      }
      const rooms = [await roomOf(users), await roomOf(users)]
      const scene: Scene = { below: numbers(seed), users, rooms, events: [] }
      const lazily = [QUICK, LONG].map((filter) => {
        const { room } = JSON.parse(filter) as { room: Json }
        return JSON.stringify({ room: { ...room, state: { lazy_load_members: true } } })
      }) as [string, string]
      const pairs = [
        new Pair([await server.device(users[0]!), await server.device(users[0]!)]),
        new Pair([await server.device(users[1]!), await server.device(users[1]!)], lazily),
        new Pair([await server.device(users[2]!), await server.device(users[2]!)], lazily, {
          use_state_after: 'true',
        }),
      ]
      for (let step = 0; step < 220; step++) {
        await happen(scene)
        for (const pair of pairs) if (scene.below(3) === 0) await pair.next(`seed ${seed}, step ${step}`)
      }
    }
  } finally {
    await server.close()
  }
})

test('a quick answer knows of what came to a message later, and where its timeline ends', async () => {
  const server = await TestServer.start()
  try {
    const [alice, bob] = [await server.user('alice'), await server.user('bob')]
    const roomId = await roomOf([alice, bob])
    const devices = [await server.device(bob), await server.device(bob)] as const
    const [early, late] = [new Pair(devices), new Pair(devices)]
    for (const pair of [early, late]) await pair.next('at first')
    const root = await say(alice, roomId, 'root')
    await early.next('the root alone')
    const content = {
      msgtype: 'm.text',
      body: 'in it',
      'm.relates_to': { rel_type: 'm.thread', event_id: root },
    }
    await alice.put(inRoom(roomId, 'send', 'm.room.message', alice.txn()), content)
    await early.next('the thread alone')
    const { join: rooms } = await late.next('the root with its thread')
    const [event] = rooms[roomId].timeline.events
    assert.equal(event.unsigned['m.relations']['m.thread'].count, 1)
    for (const [count, limited] of [
      [5, false],
      [6, true],
    ] as const) {
      for (let i = 0; i < count; i++) await say(alice, roomId, `${i}`)
      const { join: told } = await early.next(`${count} messages`)
      assert.equal(told[roomId].timeline.limited, limited)
    }
  } finally {
    await server.close()
  }
})

for (const options of [{}, { use_state_after: 'true' }])
  test(`messages of others are told without a question to the store, threads and all ${JSON.stringify(options)}`, async () => {
    let calls = 0
    const wrapStore = (store: Store): Store => busyStore(store, () => calls++).store
    const server = await TestServer.start({ wrapStore })
    try {
      const [alice, bob] = [await server.user('alice'), await server.user('bob')]
      const roomId = await roomOf([alice, bob])
      const root = await say(alice, roomId, 'root')
      let since = (await sync(bob, options)).next_batch
      const next = async (readers: number): Promise<Json> => {
        const answers = await Promise.all(
          Array.from({ length: readers }, () => sync(bob, { since, ...options })),
        )
        since = answers[0]!.next_batch
        return answers.at(-1)!
      }
      for (let warm = 0; warm < 2; warm++) {
        await say(alice, roomId, 'warm')
        await next(1)
      }
      await say(alice, roomId, 'now')
      calls = 0
      const { rooms } = await next(20)
      const { timeline, unread_notifications: unread } = rooms.join[roomId]
      assert.deepEqual(
        timeline.events.map((event: Json) => event.content.body),
        ['now'],
      )
      assert.equal(unread.notification_count, 4)
      /* What relates to the message is asked once for all who are told of it. */
      assert.equal(calls, 1)
      const content = {
        msgtype: 'm.text',
        body: 'in it',
        'm.relates_to': { rel_type: 'm.thread', event_id: root },
      }
      await alice.put(inRoom(roomId, 'send', 'm.room.message', alice.txn()), content)
      calls = 0
      await next(20)
      assert.equal(calls, 1)
    } finally {
      await server.close()
    }
  })

test('who is told of a message quickly is told of the presence that came before, too', async () => {
  const server = await TestServer.start()
  try {
    const [alice, bob] = [await server.user('alice'), await server.user('bob')]
    const roomId = await createRoom(alice, { preset: 'public_chat' })
    await join(bob, roomId)
    const quiet = { set_presence: 'offline' }
    let since = (await sync(bob, quiet)).next_batch
    for (const body of ['one', 'two']) {
      await say(alice, roomId, body)
      since = (await sync(bob, { ...quiet, since })).next_batch
    }
    await alice.put(`/_matrix/client/v3/presence/${encodeURIComponent(alice.userId)}/status`, {
      presence: 'online',
      status_msg: 'here',
    })
    /* The news of it is gathered for a moment; the message is told at once. */
    await say(alice, roomId, 'three')
    const told: Json[] = []
    for (let i = 0; i < 5 && told.length === 0; i++) {
      const answer = await sync(bob, { ...quiet, since, timeout: 2000 })
      since = answer.next_batch
      told.push(...(answer.presence?.events ?? []))
    }
    assert.deepEqual(
      told.map(({ sender, content }) => [sender, content.status_msg]),
      [[alice.userId, 'here']],
    )
  } finally {
    await server.close()
  }
})
