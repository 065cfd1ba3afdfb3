/** Where a database is, as `verify`, `backup` and `restore` are told. Plain data, so that it may go to a thread. */
import type { Target } from '../postgres/session.ts'

export type DatabaseLocation =
  | { readonly engine: 'sqlite'; readonly path: string }
  | { readonly engine: 'postgres'; readonly target: Target }
