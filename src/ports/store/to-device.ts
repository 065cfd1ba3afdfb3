/** Messages to devices, which wait until they are delivered. docs/decisions/0017-to-device-and-backup.md */

export interface ToDeviceMessage {
  /** JSON of the content. */
  readonly content: string
  /** Devices by their ids. */
  readonly devices: readonly { readonly user: string; readonly device: string }[]
  /** Users all of whose devices get it. */
  readonly users: readonly string[]
  /** For a request for keys and its cancellation: the same for both, and different for all others. */
  readonly request?: string
  /** Of a cancellation. */
  readonly cancels?: Cancels
}

/**
 * A request that waits behind these positions was not given to its device yet: it is taken away, and the cancellation
 * is not stored for that device.
 */
export interface Cancels {
  /** For devices that are not named. */
  readonly floor: number
  readonly given: readonly { readonly user: string; readonly device: string; readonly upto: number }[]
}

/** Bounds of an inbox; of more the oldest go. */
export interface InboxBounds {
  readonly messages: number
  readonly chars: number
}

export type ToDeviceOp =
  | {
      /**
       * Guard: the transaction is new (conflict `txn`). Stores messages for the devices that exist, of which each may be named
       * once. The result is the number of devices that got one.
       */
      readonly op: 'to_device.put'
      readonly sender: string
      readonly type: string
      /** Names the transaction, hex; absent where there is none. */
      readonly txn?: string
      readonly ts: number
      readonly messages: readonly ToDeviceMessage[]
      readonly bounds: InboxBounds
    }
  | {
      /**
       * Deletes what was delivered, at most `limit` messages of each device. The result says for each whether there is
       * more to delete.
       */
      readonly op: 'to_device.delivered'
      readonly devices: readonly { readonly user: string; readonly device: string; readonly upto: number }[]
      readonly limit: number
    }

export interface ToDeviceRow {
  readonly position: number
  readonly sender: string
  readonly type: string
  /** JSON. */
  readonly content: string
}

export interface ToDevicePage {
  /** In order of arrival. */
  readonly rows: readonly ToDeviceRow[]
  /** Whether there are more up to the end that was asked for. */
  readonly more: boolean
}

export interface ToDeviceReader {
  /** Positions of the first and the last message that waits; undefined for none. */
  bounds(user: string, device: string): Promise<{ readonly first: number; readonly last: number } | undefined>
  /** Messages in (after, upto], at most `limit` and about `chars` characters, but one at least. */
  page(
    user: string,
    device: string,
    after: number,
    upto: number,
    limit: number,
    chars: number,
  ): Promise<ToDevicePage>
}
