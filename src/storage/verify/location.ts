/** Where a database is, as `verify`, `backup` and `restore` are told. Plain data, so that it may go to a thread. */
export type DatabaseLocation =
  | { readonly engine: 'sqlite'; readonly path: string }
  /** Connection arguments as the `pg` package takes them. */
  | { readonly engine: 'postgres'; readonly connection: PostgresConnection }

export interface PostgresConnection {
  readonly host?: string
  readonly port?: number
  readonly user?: string
  readonly password?: string
  readonly database?: string
}
