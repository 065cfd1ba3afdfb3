/** What passes between the main thread and the writer and reader threads. */
import type { StoreErrorKind } from '#/base/store-error.ts'
import type { Plan } from '#/ports/store/plan.ts'
import type { GroupOutcome } from '../outcome.ts'

export interface WriterData {
  readonly path: string
  readonly position: number
}

/*
 * Plans and outcomes are JSON values and travel as text: cloning their many small objects costs several times more
 * than printing and reading them.
 */

/** What a plan's text holds. */
export type Plans = readonly Plan[]
/** What an outcome's text holds. */
export type Group = GroupOutcome

export type ToWriter = { readonly id: number; readonly plans: string; readonly count: number } | 'close'

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
