import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import type { LiveServer } from '../../support/live-server.ts'
import { until } from '../conversation.ts'
import { type NioDevice, type NioLogin, tellAll } from './devices.ts'
import { rawLogin } from './raw.ts'
import type { Stage } from './talk.ts'

const MESSAGES = 10_000
/** Requests at the same time; in each lane one message comes after the other. */
const LANES = 32
const NOISE = 'org.example.noise'
/** To-device messages of one sync answer: what the server gives at most. */
const ANSWER_MAX = 100

/**
 * A device misses 10,000 to-device messages that mean nothing to it, with one room key among them. It gets all of them
 * in answers of bounded size, those of each lane in order, each once, and reads what the key was for.
 */
export async function backlog(stage: Stage): Promise<void> {
  const { server, devices, room } = stage
  const [alice1, bob2] = [devices[0]!, devices[3]!]
  using sender = new Sender(server, await rawLogin(server, 'carol'), bob2)
  await bob2.stop()
  await sender.noise(0, MESSAGES / 2)
  await alice1.newSession(room)
  await tellAll(alice1, stage, 'in the middle of it all')
  await sender.noise(MESSAGES / 2, MESSAGES)
  const before = bob2.syncs.length
  await bob2.reopen()
  const since = () => bob2.syncs.slice(before)
  const heard = () => since().flatMap((sync) => sync.noise)
  for (let so = 0; so < MESSAGES; so = heard().length) {
    await until(
      () => heard().length > so,
      () => `bob2 has ${so} of ${MESSAGES} messages ${bob2.broken ?? ''}`,
    )
  }
  await bob2.reads('in the middle of it all')
  const numbers = heard()
  assert.equal(numbers.length, MESSAGES)
  assert.equal(new Set(numbers).size, MESSAGES)
  for (let lane = 0; lane < LANES; lane++) {
    const ofLane = numbers.filter((n) => n % LANES === lane)
    assert.ok(
      ofLane.every((n, i) => i === 0 || n > ofLane[i - 1]!),
      'in order',
    )
  }
  for (const { messages } of since()) assert.ok(messages <= ANSWER_MAX, `${messages} in one answer`)
  await tellAll(bob2, stage, 'caught up')
}

/** Sends to one device over kept connections: `fetch` takes three times as long. */
class Sender implements Disposable {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: LANES })
  readonly #url: string
  readonly #token: string
  readonly #to: NioDevice

  constructor(server: LiveServer, by: NioLogin, to: NioDevice) {
    this.#url = `${server.url}/_matrix/client/v3/sendToDevice/${NOISE}`
    this.#token = by.accessToken
    this.#to = to
  }

  /** Messages with the numbers `from` up to `end`. */
  async noise(from: number, end: number): Promise<void> {
    const lane = async (first: number) => {
      for (let n = first; n < end; n += LANES) await this.#put(n)
    }
    await Promise.all(Array.from({ length: LANES }, (_, i) => lane(from + i)))
  }

  async #put(n: number): Promise<void> {
    const { userId, deviceId } = this.#to
    const asked = request(`${this.#url}/noise${n}`, {
      method: 'PUT',
      agent: this.#agent,
      headers: { authorization: `Bearer ${this.#token}` },
    })
    asked.end(JSON.stringify({ messages: { [userId]: { [deviceId]: { n } } } }))
    const [answer] = (await once(asked, 'response')) as [IncomingMessage]
    assert.equal(answer.statusCode, 200)
    answer.resume()
    await once(answer, 'end')
  }

  [Symbol.dispose](): void {
    this.#agent.destroy()
  }
}
