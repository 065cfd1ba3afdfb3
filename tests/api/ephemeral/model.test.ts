/** Clients that follow by incremental syncs hold in the end what a new client is told at once. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { read, receiptsIn, types, typingIn } from '../../support/ephemeral-calls.ts'
import { roomOf, say, sync } from '../../support/room-calls.ts'
import { TestServer } from '../../support/test-server.ts'

let server: TestServer
before(async () => {
  server = await TestServer.start()
})
after(() => server.close())

/** A small generator, so that a failure can be had again. */
function random(seed: number): (limit: number) => number {
  let state = seed
  return (limit) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  }
}

/** What a client knows: the newest receipt of each user, kind and thread, and who types. */
class Follower {
  readonly receipts = new Map<string, string>()
  readonly typing = new Map<string, string[]>()
  readonly #heard = new Set<string>()

  take(answer: Json, rooms: readonly string[]): void {
    for (const room of rooms) {
      for (const line of receiptsIn(answer, room)) {
        assert.equal(this.#heard.has(line), false, `told twice: ${line}`)
        this.#heard.add(line)
        const [eventId, ...whose] = line.split(' ')
        this.receipts.set(`${room} ${whose.join(' ')}`, eventId!)
      }
      const typing = typingIn(answer, room)
      if (typing) this.typing.set(room, typing.toSorted())
    }
  }
}

async function follow(who: ApiClient, since: string, rooms: readonly string[], done: () => boolean) {
  const follower = new Follower()
  let token = since
  for (let last = false; ; ) {
    const ending = done()
    const answer = await sync(who, { since: token, timeout: ending ? 0 : 100 })
    follower.take(answer, rooms)
    token = answer.next_batch
    if (ending && last) return follower
    last = ending
  }
}

for (const seed of [1, 2, 3]) {
  test(`receipts and typing reach followers once each and completely (seed ${seed})`, async () => {
    const roll = random(seed)
    const users = [await server.user('a'), await server.user('b'), await server.user('c')]
    const rooms = [await roomOf(users), await roomOf(users)]
    const events = new Map<string, string[]>()
    for (const room of rooms) events.set(room, [])
    const starts = await Promise.all(users.map((user) => sync(user)))
    let over = false
    const following = users.map((user, i) => follow(user, starts[i]!.next_batch, rooms, () => over))
    const act = async (): Promise<void> => {
      const [user, room] = [users[roll(3)]!, rooms[roll(2)]!]
      const known = events.get(room)!
      const what = roll(6)
      if (what === 0 || known.length === 0) known.push(await say(user, room, 'x'))
      else if (what === 1) await types(user, room, true, 60_000)
      else if (what === 2) await types(user, room, false)
      else {
        const kind = what === 3 ? 'm.read.private' : 'm.read'
        const more = what === 4 ? { kind, thread: 'main' } : { kind }
        await read(user, room, known[roll(known.length)]!, more)
      }
    }
    for (let i = 0; i < 60; i++) await Promise.all([act(), act(), act()])
    over = true
    const followers = await Promise.all(following)
    for (const [i, user] of users.entries()) {
      const fresh = new Follower()
      fresh.take(await sync(await server.device(user)), rooms)
      const sorted = (map: ReadonlyMap<string, unknown>) => [...map].sort()
      assert.deepEqual(sorted(followers[i]!.receipts), sorted(fresh.receipts))
      for (const room of rooms) {
        assert.deepEqual(followers[i]!.typing.get(room) ?? [], fresh.typing.get(room) ?? [])
      }
    }
  })
}
