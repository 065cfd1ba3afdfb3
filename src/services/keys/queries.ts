/** Asking for keys. https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysquery */
import { type Clock, turn } from '#/base/world.ts'
import type { KeysOfUser, UserSignature } from '#/ports/store/keys.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { JsonValue } from '#/protocol/json/value.ts'
import { crossSigningText, signedMasterText } from '#/protocol/keys/answer.ts'
import {
  QUERIED_USERS_AT_ONCE,
  QUERIED_USERS_MAX,
  QUERIED_USERS_PER_TURN,
  QUERY_CHARS_MAX,
} from './limits.ts'
import type { ReadyKeys } from './ready-keys.ts'

/** Devices wanted by user; an empty list for all. */
export type WantedDevices = ReadonlyMap<string, readonly string[]>

/** Members of an answer as JSON objects by user id, in pieces of text. */
export interface KeysAnswer {
  readonly deviceKeys: readonly string[]
  readonly masterKeys: readonly string[]
  readonly selfSigningKeys: readonly string[]
  readonly userSigningKeys: readonly string[]
}

/** An object by user id, in pieces. */
class Members {
  readonly #pieces: string[] = []
  #members: string[] = []
  chars = 0

  add(user: string, text: string): void {
    this.chars += text.length
    this.#members.push(`${JSON.stringify(user)}:${text}`)
  }

  endPiece(): void {
    if (this.#members.length === 0) return
    this.#pieces.push(`${this.#pieces.length === 0 ? '{' : ','}${this.#members.join(',')}`)
    this.#members = []
  }

  end(): string[] {
    return this.#pieces.length === 0 ? ['{}'] : [...this.#pieces, '}']
  }
}

class Answer {
  readonly devices = new Members()
  readonly master = new Members()
  readonly selfSigning = new Members()
  readonly userSigning = new Members()
  readonly #all = [this.devices, this.master, this.selfSigning, this.userSigning]

  /** Throws M_TOO_LARGE. */
  endPiece(): void {
    for (const members of this.#all) members.endPiece()
    if (this.#all.reduce((sum, { chars }) => sum + chars, 0) > QUERY_CHARS_MAX) {
      throw new MatrixError('M_TOO_LARGE', 'The answer would be too large. Ask about fewer users.')
    }
  }
}

export class KeyQueries {
  readonly #store: Store
  readonly #clock: Clock
  readonly #ready: ReadyKeys

  constructor(deps: { store: Store; clock: Clock; ready: ReadyKeys }) {
    this.#store = deps.store
    this.#clock = deps.clock
    this.#ready = deps.ready
  }

  /**
   * Keys of users that are known here, as `viewer` may see them: user-signing keys and own signatures are their
   * owner's alone. Another server is no viewer. Throws M_TOO_LARGE.
   */
  async query(viewer: string | undefined, wanted: WantedDevices): Promise<KeysAnswer> {
    if (wanted.size > QUERIED_USERS_MAX) {
      throw new MatrixError('M_TOO_LARGE', `At most ${QUERIED_USERS_MAX} users can be asked about at once.`)
    }
    const users = [...wanted.keys()]
    const answer = new Answer()
    for (let at = 0; at < users.length; at += QUERIED_USERS_AT_ONCE) {
      if (at > 0 && at % QUERIED_USERS_PER_TURN === 0) await turn(this.#clock)
      const some = users.slice(at, at + QUERIED_USERS_AT_ONCE)
      const found = await this.#ready.of(some)
      const rows = viewer === undefined ? [] : await this.#store.keys.signedBy(viewer, some)
      const signed = new Map(rows.map((row) => [row.user, row]))
      for (const keys of found.values()) place(answer, viewer, wanted, keys, signed.get(keys.user))
      answer.endPiece()
    }
    return {
      deviceKeys: answer.devices.end(),
      masterKeys: answer.master.end(),
      selfSigningKeys: answer.selfSigning.end(),
      userSigningKeys: answer.userSigning.end(),
    }
  }
}

/** A user who is here appears, also without a device; an unknown one does not. */
function place(
  answer: Answer,
  viewer: string | undefined,
  wanted: WantedDevices,
  { user, devices, master, selfSigning, userSigning }: KeysOfUser,
  signed: UserSignature | undefined,
): void {
  const names = wanted.get(user) ?? []
  answer.devices.add(user, names.length === 0 ? devices : devicesNamed(devices, names))
  if (master) {
    const own = signed?.publicKey === master.publicKey ? signed : undefined
    const text = own
      ? signedMasterText(master, own.signer, { [own.keyId]: own.signature })
      : crossSigningText(master)
    answer.master.add(user, text)
  }
  if (selfSigning !== undefined) answer.selfSigning.add(user, selfSigning)
  if (userSigning !== undefined && user === viewer) answer.userSigning.add(user, userSigning)
}

/** Those of the devices that are asked for by name. */
function devicesNamed(devices: string, names: readonly string[]): string {
  const all = JSON.parse(devices) as Record<string, JsonValue>
  const some = [...new Set(names)].filter((name) => Object.hasOwn(all, name))
  return `{${some.map((name) => `${JSON.stringify(name)}:${JSON.stringify(all[name])}`).join(',')}}`
}
