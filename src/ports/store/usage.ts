/**
 * What the operator's rules know of accounts: tokens for another login, agreement to the policy, activity of the
 * month, erasure, and the room in which the server speaks to a user.
 */

export type UsageOp =
  | {
      /** A token that opens one session. */
      readonly op: 'login_token.put'
      /** SHA-256 of the token, hex. */
      readonly digest: string
      readonly user: string
      readonly expiresTs: number
      /** Tokens that the user may have; of more, those that end first go. */
      readonly most: number
    }
  /** Guard: the token is there and not expired at `now` (conflict `gone`); removes it. */
  | { readonly op: 'login_token.take'; readonly digest: string; readonly now: number }
  /** Notes to which version of the policy a user has agreed. */
  | { readonly op: 'consent.put'; readonly user: string; readonly version: string; readonly ts: number }
  /** Notes for which version a user was asked by a notice. */
  | { readonly op: 'consent.asked'; readonly user: string; readonly version: string }
  /** What a user has sent is shown redacted to whoever was not in the room. */
  | { readonly op: 'erasure.put'; readonly user: string }
  | {
      /**
       * Notes that a user is active. The result says whether the user counts now: not where `most` others do, of
       * those active after `since`.
       */
      readonly op: 'month.seen'
      readonly user: string
      readonly ts: number
      readonly since: number
      readonly most: number | undefined
    }
  | {
      /** Forgets who was not active since, and of the others those above `most` whose activity is oldest. */
      readonly op: 'month.trim'
      readonly since: number
      readonly most: number | undefined
      /** Rows that go at most. The result is how many did. */
      readonly limit: number
    }
  /** The room in which the server speaks to a user. */
  | { readonly op: 'notices.put'; readonly user: string; readonly room: number }

export interface LoginTokenRow {
  readonly user: string
  readonly expiresTs: number
}

export interface ConsentRow {
  /** Version agreed to; null for none. */
  readonly version: string | null
  readonly ts: number | null
  /** Version for which a notice was sent; null for none. */
  readonly asked: string | null
}

export interface UsageReader {
  loginToken(digest: string): Promise<LoginTokenRow | undefined>
  consent(user: string): Promise<ConsentRow | undefined>
  /** Which of some users are erased. */
  erased(users: readonly string[]): Promise<string[]>
  /** Whether anybody is. */
  anyErased(): Promise<boolean>
  /** When a user was last counted as active; undefined for who does not count. */
  monthly(user: string): Promise<number | undefined>
  /** Users who were active after `since`. */
  monthlyCount(since: number): Promise<number>
  /** Row id of the room in which the server speaks to a user. */
  noticesRoom(user: string): Promise<number | undefined>
  /** Whose room of that kind a room is. */
  noticesOf(room: number): Promise<string | undefined>
}
