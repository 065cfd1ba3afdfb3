/** Throw-away databases on the PostgreSQL server that the test run provides. */
import { randomBytes } from 'node:crypto'
import pg from 'pg'

/** URL of the server (MYELIN_TEST_POSTGRES); undefined where tests run without one. Under CI it must be there. */
export function testPostgres(): string | undefined {
  const url = process.env['MYELIN_TEST_POSTGRES']
  if (!url && process.env['CI']) throw new Error('MYELIN_TEST_POSTGRES is not set')
  return url || undefined
}

/** Why a test of PostgreSQL does not run here, for the test's `skip`; false where it does. */
export const postgresSkip: string | false = testPostgres() ? false : 'MYELIN_TEST_POSTGRES is not set'

/** A new empty database, dropped when disposed. */
export async function testDatabase(): Promise<AsyncDisposable & { readonly url: string }> {
  const server = testPostgres()
  if (!server) throw new Error('no PostgreSQL server for tests')
  const name = `test_${randomBytes(8).toString('hex')}`
  await onServer(server, `CREATE DATABASE ${name}`)
  const url = new URL(server)
  url.pathname = `/${name}`
  return {
    url: url.href,
    [Symbol.asyncDispose]: () => onServer(server, `DROP DATABASE ${name} WITH (FORCE)`),
  }
}

async function onServer(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(text)
  } finally {
    await client.end()
  }
}
