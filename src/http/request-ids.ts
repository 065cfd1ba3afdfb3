/** Ids that tie log lines to requests. */
import type { Rng } from '#/base/world.ts'

/** A generator of ids: a prefix of this process and a counter. Not secret, unique across restarts. */
export function requestIds(rng: Rng): () => string {
  const prefix = rng.bytes(4).toString('hex')
  let count = 0
  return () => `${prefix}-${(++count).toString(36)}`
}
