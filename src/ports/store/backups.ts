/** Backups of room keys: versions, and the keys of each. https://spec.matrix.org/v1.19/client-server-api/#server-side-key-backups */

export interface BackupVersionRow {
  readonly version: number
  readonly algorithm: string
  /** JSON. */
  readonly authData: string
  /** Number of keys. */
  readonly count: number
  /** Changes with every change of the keys. */
  readonly etag: number
}

export interface BackupKeyRow {
  readonly roomId: string
  readonly sessionId: string
  readonly firstIndex: number
  readonly forwarded: number
  readonly verified: boolean
  /** JSON of `session_data`. */
  readonly data: string
}

/** The result of what changes keys. */
export interface BackupState {
  readonly count: number
  readonly etag: number
}

export type BackupOp =
  | {
      /** Makes a version, which is the current one from then on. Of more than `most` the oldest go. The result is its number. */
      readonly op: 'backup.create'
      readonly user: string
      readonly algorithm: string
      readonly authData: string
      readonly most: number
    }
  /** Guard: the version is there (conflict `gone`). */
  | {
      readonly op: 'backup.update'
      readonly user: string
      readonly version: number
      readonly authData: string
    }
  /** Takes a version away with its keys. Guard: it was there some time (conflict `gone`). */
  | { readonly op: 'backup.delete'; readonly user: string; readonly version: number }
  | {
      /**
       * Guards: the version is the current one (conflict `gone`) and holds no more than `most` keys (conflict `taken`).
       * Stores keys, each named once, where they are better than what is there: verified, else of a lower first index,
       * else forwarded less often. The result is a BackupState.
       */
      readonly op: 'backup.put'
      readonly user: string
      readonly version: number
      readonly keys: readonly BackupKeyRow[]
      readonly most: number
    }
  | {
      /**
       * Guard: the version is there (conflict `gone`). Deletes keys: all, of a room or of a session, at most `limit`. The
       * result is a BackupState with `deleted`, how many went.
       */
      readonly op: 'backup.drop'
      readonly user: string
      readonly version: number
      readonly roomId?: string
      readonly sessionId?: string
      readonly limit: number
    }
  /** Takes away everything of a user. */
  | { readonly op: 'backup.clear'; readonly user: string }

/** Some keys of a version, in order. */
export interface BackupPage {
  /** Members of an object by session id as JSON text, by room; a room comes once. */
  readonly rooms: readonly (readonly [roomId: string, sessions: string])[]
  readonly count: number
  /** The place of the last of them. */
  readonly last?: BackupPlace
}

/** A place among the keys of a version; the first after it is next. */
export type BackupPlace = readonly [roomId: string, sessionId: string]

export interface BackupReader {
  /** A version, or the current one. */
  version(user: string, version?: number): Promise<BackupVersionRow | undefined>
  /** The greatest number that a version of the user ever had; 0 for none. */
  last(user: string): Promise<number>
  /** Keys in the order of room and session after a place; undefined when the version is not there. */
  keys(
    user: string,
    version: number,
    roomId: string | null,
    after: BackupPlace,
    limit: number,
  ): Promise<BackupPage | undefined>
  key(user: string, version: number, roomId: string, sessionId: string): Promise<BackupKeyRow | undefined>
}
