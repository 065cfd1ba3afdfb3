/** Account data, global and per room, and stored filters. */

export interface AccountDataRow {
  /** Row id of the room; 0 for global data. */
  readonly room: number
  readonly type: string
  /** JSON object. */
  readonly content: string
  readonly position: number
}

export type AccountDataOp =
  | {
      readonly op: 'account_data.put'
      readonly user: string
      /** Row id of the room; 0 for global data. */
      readonly room: number
      readonly type: string
      readonly content: string
    }
  /** Takes a piece of account data away; clients that sync are told of it as `{}`. Result: whether there was one. */
  | {
      readonly op: 'account_data.delete'
      readonly user: string
      readonly room: number
      readonly type: string
    }
  /** Takes away what is kept of deleted pieces, so that their places are free again. */
  | { readonly op: 'account_data.purge'; readonly user: string }
  /** Takes away account data, filters and thread subscriptions of a user whom nobody will read again. */
  | { readonly op: 'account_data.clear'; readonly user: string }
  /** Stores a filter; the result is its number. An equal filter keeps its number. */
  | { readonly op: 'filter.put'; readonly user: string; readonly json: string }

/** How much account data a user has, deleted pieces included. */
export interface AccountDataSize {
  readonly items: number
  readonly bytes: number
}

export interface AccountDataReader {
  get(user: string, room: number, type: string): Promise<AccountDataRow | undefined>
  size(user: string): Promise<AccountDataSize>
  /**
   * All rows of a user that changed in (after, upto]. Deleted ones have the content `{}`, and are left out where
   * `after` is 0.
   */
  since(user: string, after: number, upto: number): Promise<AccountDataRow[]>
  /** All rows of a user of one type, in rooms and global. */
  ofType(user: string, type: string): Promise<AccountDataRow[]>
  /** All rows of a user in the given rooms, without those that were deleted. */
  ofRooms(user: string, rooms: readonly number[]): Promise<AccountDataRow[]>
  filter(user: string, id: number): Promise<string | undefined>
}
