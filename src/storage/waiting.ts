/** A plan that waits for its commit. */
import { StoreError } from '#/base/store-error.ts'
import type { CommitResult, Plan } from '#/ports/store/plan.ts'
import type { PlanOutcome } from './outcome.ts'

export interface Waiting {
  readonly plan: Plan
  readonly resolve: (result: CommitResult) => void
  readonly reject: (error: Error) => void
}

/** Answers the one who waits. */
export function settle(waiting: Waiting, outcome: PlanOutcome | undefined): void {
  if (outcome === undefined)
    waiting.reject(new StoreError('invalid', 'the writer gave no outcome for a plan'))
  else if ('failed' in outcome) waiting.reject(new StoreError(outcome.kind ?? 'invalid', outcome.failed))
  else waiting.resolve(outcome)
}
