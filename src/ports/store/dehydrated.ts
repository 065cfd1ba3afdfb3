/** Dehydrated devices (MSC3814): what a client needs to wake the one that a user may have. */

export interface DehydratedRow {
  readonly device: string
  /** JSON of `device_data`. */
  readonly data: string
}

export type DehydratedOp =
  /** Puts the one of a user in the place of a former one, whose device must be deleted in the same plan. */
  { readonly op: 'dehydrated.put'; readonly user: string; readonly device: string; readonly data: string }

export interface DehydratedReader {
  of(user: string): Promise<DehydratedRow | undefined>
}
