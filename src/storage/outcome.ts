/** What a writer reports about a group of plans that went to the disk together. */
import { StoreError, type StoreErrorKind } from '#/base/store-error.ts'
import type { Change, CommitResult } from '#/ports/store/plan.ts'

/** What became of a plan; an error that concerns this plan alone has a `failed` text. */
export type PlanOutcome = CommitResult | PlanFailure

export interface PlanFailure {
  readonly failed: string
  /** `invalid` when absent. */
  readonly kind?: StoreErrorKind
}

/** What is told of the error that a plan met. */
export function planFailure(error: unknown): PlanFailure {
  const failed = error instanceof Error ? error.message : String(error)
  return error instanceof StoreError ? { failed, kind: error.kind } : { failed }
}

export interface GroupOutcome {
  readonly outcomes: readonly PlanOutcome[]
  readonly changes: readonly Change[]
  readonly position: number
}
