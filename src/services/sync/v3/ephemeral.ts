/** Typing, receipts and presence of a sync answer. docs/decisions/0007-ephemeral.md */
import type { Store } from '#/ports/store/store.ts'
import type { Presence } from '../../ephemeral/presence.ts'
import { receiptContents } from '../../ephemeral/receipt-content.ts'
import type { Receipts } from '../../ephemeral/receipts.ts'
import type { Typing } from '../../ephemeral/typing.ts'
import type { EphemeralVersions } from '../../ephemeral/versions.ts'
import type { EphemeralSeen } from '../../rooms/read/tokens.ts'
import type { ActiveUser } from '../active-user.ts'
import type { SyncRequest } from './request.ts'

export interface EphemeralDeps {
  readonly receipts: Receipts
  readonly typing: Typing
  readonly presence: Presence
  readonly versions: EphemeralVersions
}

/** What of the ephemeral streams one answer tells. */
export interface EphemeralPart {
  /** Version up to which it tells everything. */
  readonly version: number
  /** Rooms whose typing users changed; undefined where all that type are told. */
  readonly typing: ReadonlySet<number> | undefined
  /** Whether the client may hold, once it has the answer, that somebody types. */
  typed: boolean
}

export class EphemeralSync {
  readonly #deps: EphemeralDeps

  constructor(deps: EphemeralDeps) {
    this.#deps = deps
  }

  /** The version of this life of the server that the client has seen. */
  seenBy(request: SyncRequest): number {
    return this.#deps.versions.seenOf(request.seen)
  }

  /** What the token of an answer says that tells everything up to `version`, to a client that may hold who typed. */
  seen(version: number, typed: boolean): EphemeralSeen | undefined {
    if (version === 0 && !typed) return undefined
    return { life: this.#deps.versions.life, version, typing: typed }
  }

  /** Begins an answer. */
  part(user: ActiveUser, request: SyncRequest, since: number): EphemeralPart {
    const { versions, typing } = this.#deps
    const { version } = versions
    const rooms = user.memberships
    const changed = request.since === undefined ? undefined : new Set(typing.changedSince(since, rooms))
    return { version, typing: changed, typed: typing.inAnyOf(rooms) }
  }

  /** Events of `ephemeral` in a room, as JSON texts; receipts are those in (after, upto]. */
  async inRoom(
    request: SyncRequest,
    room: { readonly nid: number; readonly roomId: string; readonly isNew: boolean },
    part: EphemeralPart,
    receipts: { readonly after: number; readonly upto: number } | undefined,
    reads: Store | undefined,
  ): Promise<string[]> {
    const filter = request.filter.ephemeral
    if (filter.passesNone || !filter.passesRoom(room.roomId)) return []
    const passes = (type: string): boolean => filter.passes({ type, sender: '', json: '{}' })
    const texts: string[] = []
    const typing = this.#deps.typing.of(room.nid)
    const news = part.typing?.has(room.nid) ?? false
    if ((news || ((room.isNew || part.typing === undefined) && typing.version > 0)) && passes('m.typing')) {
      /* It may have begun since the answer did, and end before the answer is there. */
      if (typing.version > 0) part.typed = true
      texts.push(`{"type":"m.typing","content":${typing.content}}`)
    }
    if (receipts && passes('m.receipt')) {
      const { after, upto } = receipts
      const rows = await this.#deps.receipts.since(room.nid, request.userId, after, upto, reads)
      for (const content of receiptContents(rows)) {
        texts.push(`{"type":"m.receipt","content":${JSON.stringify(content)}}`)
      }
    }
    return texts
  }

  /** Events of `presence`, as JSON texts. `also` are users who are new to the reader. */
  async presence(
    user: ActiveUser,
    request: SyncRequest,
    since: number,
    also: ReadonlySet<string>,
  ): Promise<string[]> {
    const { filter } = request
    if (filter.presence.passesNone) return []
    const whole = request.since === undefined || request.fullState
    const reader = { userId: user.userId, rooms: user.memberships }
    const found = await this.#deps.presence.seenBy(reader, whole ? undefined : since, also)
    const passing = found.filter(({ userId: sender }) =>
      filter.presence.passes({ type: 'm.presence', sender, json: '{}' }),
    )
    return passing.map(({ userId, content }) =>
      JSON.stringify({ type: 'm.presence', sender: userId, content }),
    )
  }
}
