/**
 * A process of its own that writes to a PostgreSQL database by the store's own connections, beside others that do the
 * same. The store itself refuses a second process, so its lock is not asked for here.
 */
import { once } from 'node:events'
import { realWorld } from '#/base/world.ts'
import type { ClaimedKey, ClaimWish } from '#/ports/store/keys.ts'
import { Announcer } from '#/storage/announcer.ts'
import { RESERVE } from '#/storage/postgres/positions.ts'
import { Session } from '#/storage/postgres/session.ts'
import { WriteLanes } from '#/storage/postgres/write-lanes.ts'

export interface ClaimerTask {
  readonly url: string
  readonly writers: number
  /** Each of them is a claim of its own; all are asked for at once. */
  readonly claims: readonly (readonly ClaimWish[])[]
  /** Claims in one transaction at most. */
  readonly together: number
}

/** Keys by claim. */
export type Claimed = readonly (readonly ClaimedKey[])[]

const { url, writers, claims, together } = JSON.parse(process.argv[2] ?? '') as ClaimerTask
const target = { connectionString: url }
const keeper = await Session.connect(target, () => {})
const lanes = new WriteLanes({
  connect: (onLost) => Session.connect(target, onLost),
  reserve: async (count) => (await keeper.ask({ text: RESERVE, params: [count] }))[0]!.last as number,
  writers,
  batchPlans: together,
  world: realWorld,
  announcer: new Announcer(0),
  position: 0,
})
process.send?.('ready')
await once(process, 'message')
const results = await Promise.all(
  claims.map((wishes) => lanes.commit({ lane: 'keys.claim', ops: [{ op: 'keys.claim', wishes }] })),
)
process.send?.(
  results.map((result): readonly ClaimedKey[] => {
    if (!result.ok) throw new Error(`refused: ${result.conflict}`)
    return result.results[0] as ClaimedKey[]
  }) satisfies Claimed,
)
await lanes.close()
await keeper.end()
process.disconnect?.()
