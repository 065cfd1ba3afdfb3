/** What passes between the main thread and the writer and reader threads. */
import type { StoreErrorKind } from '#/base/store-error.ts'
import type { Op, Plan } from '#/ports/store/plan.ts'
import type { GroupOutcome } from '../outcome.ts'

export interface WriterData {
  readonly path: string
  readonly position: number
}

/*
 * Plans and outcomes are JSON values and travel as text: cloning their many small objects costs several times more
 * than printing and reading them. The events themselves, which are JSON already, go beside it as they are, because
 * each of their quotes would be escaped.
 */

/** What an outcome's text holds. */
export type Group = GroupOutcome

/** Plans of one batch. */
export interface PackedPlans {
  readonly count: number
  /** JSON of the operations of each plan; the events that they insert have an empty `json`. */
  readonly ops: string
  /** The `json` of inserted events, in order. */
  readonly events: readonly string[]
}

export type ToWriter = ({ readonly id: number } & PackedPlans) | 'close'

export function packPlans(plans: readonly Plan[]): PackedPlans {
  const events: string[] = []
  const ops = plans.map((plan) =>
    plan.ops.map((op) => {
      if (op.op !== 'event.insert') return op
      events.push(op.json)
      return { ...op, json: '' }
    }),
  )
  return { count: plans.length, ops: JSON.stringify(ops), events }
}

/** The lane of a plan says only which plans must stay in order, and all do here. */
export function unpackPlans({ ops, events }: PackedPlans): Plan[] {
  let next = 0
  return (JSON.parse(ops) as Op[][]).map((list) => {
    for (const op of list) {
      if (op.op === 'event.insert') (op as { json: string }).json = events[next++] as string
    }
    return { lane: '', ops: list }
  })
}

export type FromWriter =
  | { readonly id: number; readonly group: string }
  | { readonly id: number; readonly error: { readonly message: string; readonly fatal: boolean } }
  | 'closed'

export interface ReaderData {
  readonly path: string
}

export interface ToReader {
  readonly id: number
  readonly name: string
  readonly args: readonly unknown[]
}

export type FromReader =
  /** Lists come in pages; `last` ends the answer. */
  | { readonly id: number; readonly page: readonly unknown[]; readonly last: boolean }
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: { readonly message: string; readonly kind: StoreErrorKind } }
