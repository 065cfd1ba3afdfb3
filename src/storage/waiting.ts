/** A plan that waits for its commit. */
import type { Slices } from '#/base/async/slices.ts'
import { StoreError } from '#/base/store-error.ts'
import type { CommitResult, Plan } from '#/ports/store/plan.ts'
import type { PlanOutcome } from './outcome.ts'

export interface Waiting {
  readonly plan: Plan
  readonly resolve: (result: CommitResult) => void
  readonly reject: (error: Error) => void
}

/**
 * Answers those who wait for a group, some of them in later turns of the event loop: what each does with its answer
 * adds up to more than others should wait for.
 */
export function settleAll(group: readonly Waiting[], outcomes: readonly PlanOutcome[], slices: Slices): void {
  const small = slices.fits(group.length)
  for (const [index, waiting] of group.entries()) {
    if (small) settle(waiting, outcomes[index])
    else slices.run(() => settle(waiting, outcomes[index]))
  }
}

function settle(waiting: Waiting, outcome: PlanOutcome | undefined): void {
  if (outcome === undefined)
    waiting.reject(new StoreError('invalid', 'the writer gave no outcome for a plan'))
  else if ('failed' in outcome) waiting.reject(new StoreError(outcome.kind ?? 'invalid', outcome.failed))
  else waiting.resolve(outcome)
}
