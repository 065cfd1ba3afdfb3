/** A failure of the storage engine itself, as against a refusal by a guard. */
export type StoreErrorKind =
  /** The disk is full or refused a write; reads go on. */
  | 'unavailable'
  /** Too many writes wait. */
  | 'busy'
  /** The store is closed or closing. */
  | 'closed'
  /** A number that no engine may store, or a broken rule of the schema: our own mistake. */
  | 'invalid'
  /** A text that not every engine can store: NUL or a lone surrogate. What somebody sent, kept outside of JSON. */
  | 'text'
  /** The answer would be greater than the caller allows. */
  | 'limit'
  /** The database belongs to something else, to another server name, or to a newer release. */
  | 'refused'

export class StoreError extends Error {
  readonly kind: StoreErrorKind
  constructor(kind: StoreErrorKind, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'StoreError'
    this.kind = kind
  }
}
