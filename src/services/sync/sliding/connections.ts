/**
 * What each connection of a device was told. Kept in memory alone: after a restart, or when a connection was forgotten
 * for lack of room, its position is unknown and the client begins anew. docs/decisions/0014-sliding-sync.md
 */
import { WeightedLru } from '#/base/weighted-lru.ts'
import type { Rng } from '#/base/world.ts'
import type { Membership } from '#/ports/store/rooms.ts'
import { ANSWERS_PER_POSITION_MAX, CONNECTION_BYTES_MAX, CONNECTIONS_PER_DEVICE_MAX } from './limits.ts'
import type { RequiredState } from './required-state.ts'

/** What a client was told of a room. Never changed: a later answer makes another one. */
export interface SentRoom {
  /** Everything of the room up to this position was told or left out on purpose. */
  readonly upto: number
  readonly membership: Membership
  /** How many of the newest events the client holds at least; Infinity for all. */
  readonly timelineLimit: number
  /** The state that was told and kept up to date, up to `upto`. */
  readonly required: RequiredState
  /** Members that were told for lazy loading. */
  readonly members: ReadonlySet<string>
  readonly direct: boolean
  /** The unread counts that were told, as JSON members. */
  readonly unread?: string
}

/** What an answer was made from, and what it told besides rooms. */
export interface Told {
  readonly position: number
  /** Text of the lists and subscriptions. */
  readonly config: string
  /** Every room in sight was told whole, so that only rooms with news matter next time. */
  readonly settled: boolean
  /** Length of each list. */
  readonly counts: ReadonlyMap<string, number>
  /** What extensions told, by their names. */
  readonly extensions: ReadonlyMap<string, number>
}

interface Answer {
  readonly told: Told
  readonly rooms: ReadonlyMap<number, SentRoom>
}

const NOTHING: Told = {
  position: 0,
  config: '',
  settled: false,
  counts: new Map(),
  extensions: new Map(),
}

/** Bytes of what is remembered of a connection or an answer, of a room, and of a member, roughly. */
const ANSWER_BYTES = 500
const ROOM_BYTES = 250
const MEMBER_BYTES = 100
/** Bytes of a wish for state, by the characters of its key: it is there as text and in its own form. */
const WISH_BYTES = 4

export class Connection {
  /** Number of the answer that the client has processed; 0 for none. */
  serial = 0
  told: Told = NOTHING
  readonly #rooms = new Map<number, SentRoom>()
  /** Answers to `serial`, of which the client will have processed one when it asks again. */
  readonly #answers = new Map<number, Answer>()
  readonly #required = new Map<string, RequiredState>()
  bytes = weightOfTold(NOTHING)
  /** The greater, the later the request came that began it. */
  readonly born: number

  constructor(born: number) {
    this.born = born
  }

  room(room: number): SentRoom | undefined {
    return this.#rooms.get(room)
  }

  get rooms(): Iterable<readonly [number, SentRoom]> {
    return this.#rooms
  }

  /** Moves to the answer that the client has processed; false when there is none of this number. */
  reached(serial: number): boolean {
    if (serial === this.serial && serial !== 0) return true
    const answer = this.#answers.get(serial)
    if (!answer) return false
    this.serial = serial
    this.bytes += weightOfTold(answer.told) - weightOfTold(this.told)
    this.told = answer.told
    for (const [room, sent] of answer.rooms) {
      this.bytes += weightOf(sent) - weightOf(this.#rooms.get(room))
      this.#rooms.set(room, sent)
    }
    for (const other of this.#answers.values()) this.bytes -= weightOfAnswer(other)
    this.#answers.clear()
    return true
  }

  /** Remembers an answer to what the client has processed. */
  answer(serial: number, answer: Answer): void {
    this.#answers.set(serial, answer)
    this.bytes += weightOfAnswer(answer)
    if (this.#answers.size <= ANSWERS_PER_POSITION_MAX) return
    const [oldest, gone] = this.#answers.entries().next().value!
    this.#answers.delete(oldest)
    this.bytes -= weightOfAnswer(gone)
  }

  /** One object for equal unions, so that rooms share it. */
  shared(required: RequiredState): RequiredState {
    const known = this.#required.get(required.key)
    if (known) return known
    if (this.#required.size >= REQUIRED_KNOWN_MAX) {
      for (const key of this.#required.keys()) this.bytes -= WISH_BYTES * key.length
      this.#required.clear()
    }
    this.#required.set(required.key, required)
    this.bytes += WISH_BYTES * required.key.length
    return required
  }
}

/** Different unions of wanted state that one connection shares between rooms. */
const REQUIRED_KNOWN_MAX = 100

function weightOf(sent: SentRoom | undefined): number {
  return sent === undefined ? 0 : ROOM_BYTES + sent.members.size * MEMBER_BYTES
}

/** The texts of what was asked for are as long as the client made them. */
function weightOfTold({ config, extensions }: Told): number {
  let chars = config.length
  for (const scope of extensions.keys()) chars += scope.length
  return ANSWER_BYTES + 2 * chars
}

function weightOfAnswer({ told, rooms }: Answer): number {
  let bytes = weightOfTold(told)
  for (const sent of rooms.values()) bytes += weightOf(sent)
  return bytes
}

export interface ConnectionName {
  readonly userId: string
  readonly deviceId: string
  readonly connId: string
}

export class Connections {
  /** Connections by device, then by their name; the youngest last. */
  readonly #devices: WeightedLru<string, Map<string, Connection>>
  #last: number

  constructor(rng: Rng, bytes = CONNECTION_BYTES_MAX) {
    this.#devices = new WeightedLru(bytes)
    /* Numbers of an earlier life of the server must not be taken for ours. */
    this.#last = rng.below(2 ** 40)
  }

  /** A connection for a request without a position. */
  begin(): Connection {
    return new Connection(this.nextSerial())
  }

  /** A number that no answer had. */
  nextSerial(): number {
    return ++this.#last
  }

  /** The connection whose client has processed the answer of this number. */
  at(name: ConnectionName, serial: number): Connection | undefined {
    const connections = this.#devices.get(deviceKey(name))
    const connection = connections?.get(name.connId)
    if (!connections || !connection?.reached(serial)) return undefined
    connections.delete(name.connId)
    connections.set(name.connId, connection)
    return connection
  }

  /**
   * Keeps a connection after an answer; a new one takes the place of the former of its name. A request that its client
   * gave up may be answered late, when the client has begun anew: the connection begun last stays.
   */
  keep(name: ConnectionName, connection: Connection): void {
    const key = deviceKey(name)
    const connections = this.#devices.peek(key) ?? new Map<string, Connection>()
    if ((connections.get(name.connId)?.born ?? 0) > connection.born) return
    connections.set(name.connId, connection)
    if (connections.size > CONNECTIONS_PER_DEVICE_MAX) {
      connections.delete(connections.keys().next().value!)
    }
    let bytes = 0
    for (const { bytes: own } of connections.values()) bytes += own
    this.#devices.set(key, connections, bytes)
  }
}

function deviceKey({ userId, deviceId }: ConnectionName): string {
  return `${userId}\0${deviceId}`
}
