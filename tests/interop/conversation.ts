/** The conversation that every client must be able to hold, on a server that is restarted and killed meanwhile. */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { type LiveServer, request } from '../support/live-server.ts'
import { inTime } from './in-time.ts'
import type { Heard, Talker } from './talker.ts'

export interface Pair {
  readonly alice: Talker
  readonly bob: Talker
}

/** Clients wait up to 15 s before they try a dead server again, and a busy machine starts one slowly. */
const WAIT_MS_MAX = 60_000
const PAGED_MESSAGES = 500
/** Senders at the same time, each of whose messages must stay in order. */
const LANES = 20
const KILLED_SENDS = 10

export async function until(done: () => boolean | Promise<boolean>, what: () => string): Promise<void> {
  const inVain = () => new assert.AssertionError({ message: `waited in vain: ${what()}` })
  const end = performance.now() + WAIT_MS_MAX
  while (!(await inTime(Promise.resolve(done()), WAIT_MS_MAX, inVain))) {
    if (performance.now() > end) throw inVain()
    await sleep(10)
  }
}

/** What a promise gives; rejects naming `what` when that takes too long. */
export function within<T>(what: string, promise: Promise<T>): Promise<T> {
  return inTime(promise, WAIT_MS_MAX, () => new Error(`waited in vain: ${what}`))
}

/** Holds the whole conversation and says goodbye. Asserts as it goes. */
export async function converse(server: LiveServer, pair: Pair, say: (text: string) => void): Promise<void> {
  const { alice, bob } = pair
  let began = performance.now()
  const step = (name: string) => {
    say(`${name}: ${Math.round(performance.now() - began)} ms`)
    began = performance.now()
  }
  await Promise.all([alice.startSync(), bob.startSync()])
  const room = await meet(pair)
  step('met')
  await talk(pair, room, 'first', 5)
  await nameTopicRedact(pair, room)
  step('talked')
  await manyMessages(pair, room)
  step(`sent and paged ${PAGED_MESSAGES}`)
  await server.restart('SIGTERM')
  await talk(pair, room, 'restarted', 5)
  step('restarted')
  await killedWhileSending(server, pair, room)
  step('killed')
  await missedWhileAway(pair, room)
  step('away and back')
  noneTwice(alice.heard)
  noneTwice(bob.heard)
  await goodbye(server, pair)
  step('logged out')
}

async function meet({ alice, bob }: Pair): Promise<string> {
  const room = await alice.createRoom(bob.userId)
  await until(
    async () => (await bob.invitations()).includes(room),
    () => 'bob is invited',
  )
  await bob.join(room)
  const joined = (event: Heard) =>
    event.type === 'm.room.member' && event.sender === bob.userId && event.text === 'join'
  await until(
    () => alice.heard.some(joined) && bob.heard.some(joined),
    () => 'both hear that bob joined',
  )
  return room
}

/** Both speak in turn; each hears all of it, own words included, once and in order. */
async function talk({ alice, bob }: Pair, room: string, topic: string, turns: number): Promise<void> {
  const said: string[] = []
  for (let i = 0; i < turns; i++) {
    for (const talker of [alice, bob]) {
      const text = `${topic} ${i} «${talker.userId}» 🦉`
      await talker.send(room, text, `${topic}-${i}-${talker.userId}`)
      said.push(text)
    }
  }
  await heardByBoth({ alice, bob }, said)
  for (const talker of [alice, bob]) assert.deepEqual(among(talker.heard, said), said)
}

async function heardByBoth({ alice, bob }: Pair, texts: readonly string[]): Promise<void> {
  for (const talker of [alice, bob]) {
    await until(
      () => new Set(among(talker.heard, texts)).size === texts.length,
      () => `${talker.userId} hears all of ${texts.length}: ${among(talker.heard, texts).join(', ')}`,
    )
  }
}

function among(heard: readonly Heard[], texts: readonly string[]): string[] {
  const wanted = new Set(texts)
  return heard.filter((e) => e.type === 'm.room.message' && wanted.has(e.text)).map((e) => e.text)
}

async function nameTopicRedact({ alice, bob }: Pair, room: string): Promise<void> {
  await alice.setName(room, 'The reading room')
  await alice.setTopic(room, 'Owls, and what they say')
  const regretted = await bob.send(room, 'I should not have said this', 'regret')
  await bob.redact(room, regretted)
  for (const talker of [alice, bob]) {
    const hears = (type: string, test: (event: Heard) => boolean) =>
      until(
        () => talker.heard.some((event) => event.type === type && test(event)),
        () => `${talker.userId} hears ${type}`,
      )
    await hears('m.room.name', (event) => event.text === 'The reading room')
    await hears('m.room.topic', (event) => event.text === 'Owls, and what they say')
    await hears('m.room.redaction', (event) => event.redacts === regretted)
  }
}

/** Sends quickly from both, then pages back: every message once, both see one order, each lane's order is kept. */
async function manyMessages({ alice, bob }: Pair, room: string): Promise<void> {
  const lanes = Array.from({ length: LANES }, (_, lane) => lane)
  await Promise.all(
    lanes.map(async (lane) => {
      const talker = lane % 2 === 0 ? alice : bob
      for (let i = 0; i < PAGED_MESSAGES / LANES; i++)
        await talker.send(room, `lane ${lane} ${i}`, `${lane}-${i}`)
    }),
  )
  const paged = await Promise.all([alice.pageBack(room), bob.pageBack(room)])
  const [byAlice, byBob] = paged.map((texts) => texts.filter((text) => text.startsWith('lane ')))
  assert.deepEqual(byAlice, byBob, 'both page through the same order')
  assert.equal(byAlice?.length, PAGED_MESSAGES)
  for (const lane of lanes) {
    const own: string[] = byAlice.filter((text) => text.startsWith(`lane ${lane} `))
    assert.deepEqual(
      own,
      Array.from({ length: PAGED_MESSAGES / LANES }, (_, i) => `lane ${lane} ${i}`),
    )
  }
  assert.ok(!paged[0]?.includes('I should not have said this'), 'a redacted message has no text')
}

/** kill -9 while both send; what failed is sent again under its transaction id; each arrives once. */
async function killedWhileSending(server: LiveServer, { alice, bob }: Pair, room: string): Promise<void> {
  const texts = [alice, bob].flatMap((talker) =>
    Array.from({ length: KILLED_SENDS }, (_, i) => `killed ${talker.userId} ${i}`),
  )
  let answered = 0
  const end = performance.now() + WAIT_MS_MAX
  const sends = texts.map(async (text) => {
    const talker = text.startsWith(`killed ${alice.userId}`) ? alice : bob
    for (;;) {
      try {
        await talker.send(room, text, text)
        break
      } catch (error) {
        if (performance.now() > end) throw error
        await sleep(100)
      }
    }
    answered++
  })
  await until(
    () => answered >= 3,
    () => 'some are answered before the kill',
  )
  await server.restart('SIGKILL')
  await Promise.all(sends)
  await heardByBoth({ alice, bob }, texts)
  for (const talker of [alice, bob]) {
    const paged = await talker.pageBack(room)
    assert.deepEqual(paged.filter((text) => text.startsWith('killed ')).sort(), [...texts].sort())
  }
}

/** One is away while the other speaks, and hears all of it afterwards. */
async function missedWhileAway({ alice, bob }: Pair, room: string): Promise<void> {
  await alice.pause()
  const missed = Array.from({ length: 8 }, (_, i) => `missed ${i}`)
  for (const text of missed) await bob.send(room, text, text)
  await alice.resume()
  await heardByBoth({ alice, bob }, missed)
  assert.deepEqual(among(alice.heard, missed), missed)
}

function noneTwice(heard: readonly Heard[]): void {
  const counts = new Map<string, number>()
  for (const { eventId, type } of heard) {
    if (type === 'm.room.message') counts.set(eventId, (counts.get(eventId) ?? 0) + 1)
  }
  const twice = [...counts].filter(([, count]) => count > 1)
  assert.deepEqual(twice, [], 'a message came more than once through sync')
}

async function goodbye(server: LiveServer, { alice, bob }: Pair): Promise<void> {
  await Promise.all([alice.pause(), bob.pause()])
  const tokens = [alice, bob].map((talker) => talker.accessToken)
  const whoami = '/_matrix/client/v3/account/whoami'
  for (const token of tokens) {
    assert.equal((await request(server.url, 'GET', whoami, undefined, token)).status, 200)
  }
  await alice.logout()
  await bob.logout()
  for (const token of tokens) {
    const { status, json } = await request(server.url, 'GET', whoami, undefined, token)
    assert.deepEqual([status, json['errcode']], [401, 'M_UNKNOWN_TOKEN'])
  }
}
