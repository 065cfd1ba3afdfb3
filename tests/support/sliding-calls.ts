/** Sliding sync as one-liners over the test client. */
import type { ApiClient, CallOptions, Json, Query } from './api-client.ts'
import { withQuery } from './api-client.ts'

export const SLIDING = '/_matrix/client/unstable/org.matrix.simplified_msc3575/sync'

export function sliding(
  who: ApiClient,
  body: Json = {},
  query: Query = {},
  options?: CallOptions,
): Promise<Json> {
  return who.post(withQuery(SLIDING, query), body, options)
}

/** A list of everything with a small timeline; `more` overrides. */
export function all(more: Json = {}): Json {
  return { ranges: [[0, 99]], timeline_limit: 5, required_state: [['m.room.member', '$ME']], ...more }
}

/** One connection of a client, which goes on from each answer. */
export class SlidingLoop {
  readonly who: ApiClient
  pos: string | undefined
  body: Json

  constructor(who: ApiClient, body: Json = { lists: { all: all() } }) {
    this.who = who
    this.body = body
  }

  /** The next answer; `more` replaces members of the request for good. */
  async next(more: Json = {}, query: Query = {}): Promise<Json> {
    this.body = { ...this.body, ...more }
    const answer = await sliding(this.who, this.body, { pos: this.pos, timeout: 0, ...query })
    this.pos = answer.pos
    return answer
  }
}
