/** Asking for keys. https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysquery */
import { type Clock, turn } from '#/base/world.ts'
import type { CrossSigningRow, DeviceKeysRow, QueriedKeys, UserSignature } from '#/ports/store/keys.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { type JsonObject, type JsonValue, setMember } from '#/protocol/json/value.ts'
import { QUERIED_USERS_AT_ONCE, QUERIED_USERS_MAX, QUERY_CHARS_MAX } from './limits.ts'

/** Devices wanted by user; an empty list for all. */
export type WantedDevices = ReadonlyMap<string, readonly string[]>

/** Members of an answer as JSON texts of objects by user id. */
export interface KeysAnswer {
  readonly deviceKeys: string
  readonly masterKeys: string
  readonly selfSigningKeys: string
  readonly userSigningKeys: string
}

class Parts {
  readonly deviceKeys: string[] = []
  readonly masterKeys: string[] = []
  readonly selfSigningKeys: string[] = []
  readonly userSigningKeys: string[] = []
  #chars = 0

  add(list: string[], user: string, text: string): void {
    this.#chars += text.length
    if (this.#chars > QUERY_CHARS_MAX) {
      throw new MatrixError('M_TOO_LARGE', 'The answer would be too large. Ask about fewer users.')
    }
    list.push(`${JSON.stringify(user)}:${text}`)
  }
}

export class KeyQueries {
  readonly #store: Store
  readonly #clock: Clock

  constructor(deps: { store: Store; clock: Clock }) {
    this.#store = deps.store
    this.#clock = deps.clock
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
    const parts = new Parts()
    for (let at = 0; at < users.length; at += QUERIED_USERS_AT_ONCE) {
      if (at > 0) await turn(this.#clock)
      const some = users.slice(at, at + QUERIED_USERS_AT_ONCE)
      place(parts, viewer, wanted, await this.#store.keys.query(viewer ?? '', some))
    }
    return {
      deviceKeys: `{${parts.deviceKeys.join(',')}}`,
      masterKeys: `{${parts.masterKeys.join(',')}}`,
      selfSigningKeys: `{${parts.selfSigningKeys.join(',')}}`,
      userSigningKeys: `{${parts.userSigningKeys.join(',')}}`,
    }
  }
}

function place(parts: Parts, viewer: string | undefined, wanted: WantedDevices, found: QueriedKeys): void {
  /* A user who is here appears, also without a device; an unknown one does not. */
  const users = new Map<string, string[]>(found.accounts.map((user) => [user, []]))
  for (const row of found.devices) {
    const names = wanted.get(row.user) ?? []
    if (names.length > 0 && !names.includes(row.device)) continue
    const text = `${JSON.stringify(row.device)}:${deviceText(row)}`
    const texts = users.get(row.user)
    if (texts) texts.push(text)
    else users.set(row.user, [text])
  }
  for (const [user, texts] of users) parts.add(parts.deviceKeys, user, `{${texts.join(',')}}`)
  const signed = new Map(found.signatures.map((row) => [row.user, row]))
  for (const row of found.crossSigning) {
    if (row.usage === 'master') parts.add(parts.masterKeys, row.user, masterText(row, signed.get(row.user)))
    else if (row.usage === 'self_signing') parts.add(parts.selfSigningKeys, row.user, crossText(row))
    else if (row.user === viewer) parts.add(parts.userSigningKeys, row.user, crossText(row))
  }
}

/** A body is canonical JSON of an object that is not empty. */
function deviceText({ body, signatures, displayName }: DeviceKeysRow): string {
  const name = displayName === null ? '' : `"device_display_name":${JSON.stringify(displayName)}`
  return `${body.slice(0, -1)},"signatures":${signatures},"unsigned":{${name}}}`
}

/** A key that nobody signed goes out as it was uploaded. */
function crossText({ body, signatures }: { body: string; signatures: string }): string {
  if (signatures === '{}') return body
  return `${body.slice(0, -1)},"signatures":${signatures}}`
}

/** A master key with what the viewer signed of it. */
function masterText(row: CrossSigningRow, signed: UserSignature | undefined): string {
  if (signed?.publicKey !== row.publicKey) return crossText(row)
  const signatures: Record<string, JsonValue> = { ...(JSON.parse(row.signatures) as JsonObject) }
  setMember(signatures, signed.signer, { [signed.keyId]: signed.signature })
  return crossText({ body: row.body, signatures: JSON.stringify(signatures) })
}
