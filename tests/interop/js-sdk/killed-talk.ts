/** People talk in an encrypted room while their server is killed at the worst moments: in the end all is readable. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ENGINES, type EngineName, LiveServer } from '../../support/live-server.ts'
import type { Break } from './line.ts'
import { everybodyThere, Person, secretRoom, until, within } from './secret-person.ts'

const TEST_MS_MAX = 1_500_000
const FULL = process.env['MYELIN_TEST_FULL'] !== undefined
/** A wait that spans the death of a server. */
const KILLED_MS_MAX = 240_000
/** Messages for which a room key serves: so few that keys travel all the time. */
const ROTATION = 2
const NAMES = ['alice', 'bob']
const passwordOf = (name: string): string => `${name} has a password`

/** Everybody, their room, and how often the server died. */
class Party {
  readonly server: LiveServer
  readonly people: Person[] = []
  roomId = ''
  kills = 0
  readonly #note: (text: string) => void

  constructor(server: LiveServer, note: (text: string) => void) {
    this.server = server
    this.#note = note
  }

  async login(name: string): Promise<Person> {
    const person = await Person.login(this.server.url, name, passwordOf(name))
    this.people.push(person)
    return person
  }

  readonly kill = async (): Promise<void> => {
    await this.server.stop('SIGKILL')
    this.kills++
  }

  /** Starts the server again, and wakes the clients. */
  async resume(): Promise<void> {
    await this.server.resume()
    for (const person of this.people) person.comeBack()
  }

  /** Does something during which the server is killed at one request of a person, and comes back. */
  async killedAt(
    what: string,
    person: Person,
    where: Omit<Break, 'strike'>,
    act: () => Promise<unknown>,
  ): Promise<void> {
    const broken = person.line.breakAt({ ...where, strike: this.kill })
    const done = act()
    done.catch(() => {})
    await within(`the server is killed at ${what}`, broken, KILLED_MS_MAX)
    await this.resume()
    await within(`the client gets over it: ${what}`, done, KILLED_MS_MAX)
    this.#note(`killed at ${what}`)
  }

  /** Each device of everybody reads a message. */
  async allRead(body: string): Promise<void> {
    await Promise.all(this.people.map((person) => person.reads(this.roomId, body, KILLED_MS_MAX)))
  }

  async says(person: Person, body: string): Promise<void> {
    await person.insists(this.roomId, body)
    await this.allRead(body)
  }
}

/** One kill at each kind of request that must not be lost and not be carried out twice. */
async function killedAtEach(party: Party, whole: boolean): Promise<void> {
  const [alice, bob, alice2, bob2] = party.people as [Person, Person, Person, Person]
  const path = `/rooms/${encodeURIComponent(party.roomId)}/send`
  const sends = (person: Person, body: string) => () => party.says(person, body)

  /* The keys are spent, nobody has them; claimed once more, each device gives another one. */
  const claim = { path: '/keys/claim', at: 'answered' } as const
  await party.killedAt('a claim that was answered', alice, claim, sends(alice, 'claimed twice'))
  const key = { path: '/sendToDevice/m.room.encrypted', at: 'answered' } as const
  await party.killedAt('a room key that was taken', bob, key, sends(bob, 'the key came once'))
  /* The same since is asked again, and the messages to the device must be there again. */
  const lost = { path: '/sync', answer: '"to_device":{"events":[{', at: 'answered' } as const
  await party.says(alice2, 'a first one')
  await party.killedAt('a sync with a room key', bob2, lost, async () => {
    for (let n = 0; n <= ROTATION; n++) await party.says(alice2, `the key came again ${n}`)
  })
  if (!whole) return
  await party.says(alice, 'alice has one left')
  const keyUnderWay = { ...key, at: 'asked' } as const
  await party.killedAt('a room key under way', alice2, keyUnderWay, sends(alice2, 'the key came'))
  await party.killedAt('a message that was taken', bob2, { path, at: 'answered' }, sends(bob2, 'said once'))
  await party.killedAt('a message under way', bob, { path, at: 'asked' }, sends(bob, 'said after all'))
}

/** A key that was claimed makes its device upload another; the answer is lost, and the same keys are uploaded again. */
async function killedAtUpload(party: Party, token: string): Promise<void> {
  const [, bob] = party.people as [Person, Person]
  const wish = { [bob.userId]: { [bob.deviceId]: 'signed_curve25519' } }
  await party.killedAt('an upload of keys', bob, { path: '/keys/upload', at: 'answered' }, async () => {
    await party.server.call('POST', '/_matrix/client/v3/keys/claim', { one_time_keys: wish }, token)
  })
  const fresh = await party.login('alice')
  await everybodyThere(party.roomId, party.people)
  /* Until it has uploaded its keys once more, which it tries after seconds, a client asks for no others. */
  await until(
    'bob knows the new device',
    async () =>
      (await bob.crypto.getUserDeviceInfo([fresh.userId])).get(fresh.userId)?.has(fresh.deviceId) ||
      undefined,
    KILLED_MS_MAX,
  )
  await party.says(fresh, 'from one more device')
  await party.says(bob, 'to one more device')
}

/** Keys to sign with are uploaded, the answers are lost. */
async function killedAtSetup(party: Party): Promise<void> {
  const [alice, bob] = party.people as [Person, Person]
  const keys = { path: '/keys/device_signing/upload', at: 'answered' } as const
  await party.killedAt('an upload of keys to sign with', alice, keys, () => alice.bootstrap(KILLED_MS_MAX))
  const signatures = { path: '/keys/signatures/upload', at: 'answered' } as const
  await party.killedAt('an upload of signatures', bob, signatures, () => bob.bootstrap(KILLED_MS_MAX))
  for (const person of [alice, bob]) {
    await until(
      `${person.userId} can sign`,
      async () => (await person.crypto.isCrossSigningReady()) || undefined,
      KILLED_MS_MAX,
    )
  }
}

/** All talk at once, and the server dies at any moment. */
async function killedAnyTime(party: Party, kills: number, messages: number): Promise<void> {
  const talking = party.people.map(async (person, index) => {
    for (let n = 0; n < messages; n++) await party.says(person, `chat ${index} ${n}`)
  })
  const over = Promise.all(talking)
  over.catch(() => {})
  for (let n = 0; n < kills; n++) {
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 900))
    await party.kill()
    await party.resume()
  }
  await within('all has been said and read', over, 2 * KILLED_MS_MAX)
}

/** All of it where `whole` is set, else the moments that matter most: a server takes seconds to start. */
async function talk(party: Party, whole: boolean): Promise<void> {
  for (const name of [...NAMES, ...NAMES]) await party.login(name)
  const [alice, bob] = party.people as [Person, Person]
  const outsider = await party.server.makeAccount('greedy', 'a password of no matter')
  if (whole) await killedAtSetup(party)
  party.roomId = await secretRoom(alice, [bob], ROTATION)
  await everybodyThere(party.roomId, party.people)
  await killedAtEach(party, whole)
  if (whole) await killedAtUpload(party, outsider.access_token)
  await killedAnyTime(party, FULL ? 12 : 2, FULL ? 12 : 3)
  /* Who logged in later has no keys of what was said before. */
  for (const person of party.people.slice(0, 2 * NAMES.length)) {
    const lost = person.undecryptable(party.roomId).map((event) => event.getId())
    assert.deepEqual(lost, [], `${person.userId} ${person.deviceId} cannot read all`)
  }
  const bodies = party.people[0]!.bodies(party.roomId)
  assert.equal(new Set(bodies).size, bodies.length, 'a message came twice')
}

/** Declares the test, one for each file as with `secretTalk`. */
export function killedTalk(engine: EngineName): void {
  const skip = ENGINES.find((one) => one.engine === engine)!.skip
  const name = `matrix-js-sdk reads all although the server is killed, ${engine}`
  test(name, { skip, timeout: TEST_MS_MAX }, async (t) => {
    await using server = await LiveServer.start({ engine })
    for (const name of NAMES) await server.makeAccount(name, passwordOf(name))
    const party = new Party(server, (text) => t.diagnostic(text))
    try {
      await talk(party, FULL || engine === 'sqlite')
    } finally {
      for (const person of party.people) person.close()
    }
    t.diagnostic(`killed ${party.kills} times`)
    assert.equal(await server.stop(), 0)
  })
}
