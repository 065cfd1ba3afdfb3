/**
 * Puts accounts with one session each into an empty database of Myelin, by the operations of a registration. They share
 * one password hash: registering hashes a password for each, 25 ms of CPU on purpose, and nothing that is measured does.
 *
 *   node bench/peers/accounts.ts --server-name S --count N --out accounts.json (--sqlite PATH | --postgres URL)
 */
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { createPasswords } from '#/adapters/passwords.ts'
import { realWorld } from '#/base/world.ts'
import { openPostgres } from '#/storage/postgres/store.ts'
import { openSqlite } from '#/storage/sqlite/store.ts'
import { USERS_MAX } from '../lib/limits.ts'
import { putAccounts } from '../lib/put-accounts.ts'

const { values } = parseArgs({
  options: {
    'server-name': { type: 'string', default: '' },
    count: { type: 'string', default: '' },
    out: { type: 'string', default: '' },
    sqlite: { type: 'string' },
    postgres: { type: 'string' },
  },
})
const { 'server-name': serverName, sqlite, postgres } = values
const count = Number(values.count)
if (!serverName || !values.out || !(count > 0 && count <= USERS_MAX) || (!sqlite && !postgres))
  throw new Error('--server-name, --count, --out and --sqlite or --postgres are needed')

const common = {
  serverName,
  world: realWorld,
  onFatal: (error: Error): never => {
    throw error
  },
}
await using store = sqlite
  ? await openSqlite({ path: sqlite, ...common })
  : await openPostgres({ target: { connectionString: postgres! }, ...common })
const passwordHash = await createPasswords({ rng: realWorld.rng, pepper: '' }).hash('the password of all')
const users = await putAccounts(store, serverName, count, passwordHash)
writeFileSync(values.out, JSON.stringify(users), { mode: 0o600 })
