/** What a writer reports about a group of plans that went to the disk together. */
import type { Change, CommitResult } from '#/ports/store/plan.ts'

/** What became of a plan; an error that concerns this plan alone has a `failed` text. */
export type PlanOutcome = CommitResult | { readonly failed: string }

export interface GroupOutcome {
  readonly outcomes: readonly PlanOutcome[]
  readonly changes: readonly Change[]
  readonly position: number
}
