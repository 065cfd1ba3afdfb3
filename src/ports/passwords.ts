/** Hashing of passwords, off the event loop. The implementation is src/adapters/passwords.ts. */

export interface Passwords {
  /** A new hash in its own notation. Throws M_LIMIT_EXCEEDED when too many hashes wait. */
  hash(password: string): Promise<string>
  /**
   * Whether `password` is the one behind `hash`. Without a hash (unknown user, no password set) the same work is done
   * against a hash that nothing matches, so that the time does not tell. Throws M_LIMIT_EXCEEDED as `hash` does.
   */
  verify(password: string, hash: string | null | undefined): Promise<boolean>
  /** Whether a hash is of an older kind or cost than new ones and is to be replaced at the next login. */
  outdated(hash: string): boolean
}
