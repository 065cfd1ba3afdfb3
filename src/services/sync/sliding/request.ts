/** A request for sliding sync as the service takes it. */
import type { PresenceName } from '../../ephemeral/presence-state.ts'
import type { WaitingRequest } from '../wait.ts'
import type { RequiredState, StateWish } from './required-state.ts'

/** What is wanted of a room that a rule names. */
export interface RoomWish {
  readonly timelineLimit: number
  readonly state: StateWish
}

/** What is given of a room: the union of the wishes of all rules that name it. */
export interface RoomConfig {
  readonly timelineLimit: number
  readonly required: RequiredState
}

export interface ListFilters {
  readonly isDm?: boolean | undefined
  readonly isEncrypted?: boolean | undefined
  readonly isInvite?: boolean | undefined
  readonly spaces?: readonly string[] | undefined
  readonly roomTypes?: readonly (string | null)[] | undefined
  readonly notRoomTypes?: readonly (string | null)[] | undefined
  readonly roomNameLike?: string | undefined
  readonly tags?: readonly string[] | undefined
  readonly notTags?: readonly string[] | undefined
}

export interface ListRequest extends RoomWish {
  /** Inclusive index ranges; undefined for the whole list. */
  readonly ranges: readonly (readonly [number, number])[] | undefined
  readonly filters: ListFilters
}

/** Which rooms an extension speaks of: names of lists and ids of subscribed rooms; undefined for all. */
export interface ExtensionScope {
  readonly lists: readonly string[] | undefined
  readonly rooms: readonly string[] | undefined
}

/** Extensions that the client asked for. */
export interface ExtensionsRequest {
  readonly accountData?: ExtensionScope
  readonly receipts?: ExtensionScope
  readonly typing?: ExtensionScope
  readonly toDevice?: { readonly limit: number; readonly since: string | undefined }
  readonly e2ee?: true
  readonly threadSubscriptions?: { readonly limit: number }
}

export interface SlidingRequest extends WaitingRequest {
  readonly userId: string
  readonly deviceId: string
  readonly connId: string
  /** Position of the answer that the client has processed last; undefined begins a connection. */
  readonly pos: string | undefined
  readonly lists: ReadonlyMap<string, ListRequest>
  readonly subscriptions: ReadonlyMap<string, RoomWish>
  readonly extensions: ExtensionsRequest
  /** Names of members as the merged proposal has them, not as clients know them today. */
  readonly stable: boolean
  /** What the client says of its presence; undefined where it is not to be noted. */
  readonly presence: PresenceName | undefined
  readonly txnId: string | undefined
  /** Milliseconds to wait for news. */
  readonly timeoutMs: number
}
