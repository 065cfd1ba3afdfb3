/** Key backup: downloads, and uploads into a backup that grows. */
import { ask } from '../lib/bench.ts'
import { backedUp, type Json, V3 } from './material.ts'
import type { Run } from './run.ts'

/** Uploads of so many keys into a backup, and downloads of a small and of the grown one. */
export async function measureBackup(run: Run, keys: number): Promise<void> {
  const { devices, figures } = run
  const owner = devices[0]!
  const { version } = await ask(run.connection, run.target, owner.user, 'POST', `${V3}/room_keys/version`, {
    algorithm: 'm.megolm_backup.v1.curve25519-aes-sha2',
    auth_data: { public_key: 'k' },
  })
  const path = `${V3}/room_keys/keys?version=${version}`
  const uploads = Array.from({ length: run.repetitions }, (_, n) =>
    run.request(owner, 'PUT', path, backedUp(n, keys)),
  )
  await ask(run.connection, run.target, owner.user, 'PUT', path, backedUp(-1, keys))
  const download = run.request(owner, 'GET', path)
  const expect = (count: number) => (text: string) => {
    const rooms = (JSON.parse(text) as { rooms: Record<string, { sessions: Json }> }).rooms
    const given = Object.values(rooms).reduce((sum, { sessions }) => sum + Object.keys(sessions).length, 0)
    if (given !== count) throw new Error(`${given} keys were given instead of ${count}`)
  }
  const request = () => download
  await run.repeated(`download of ${keys} backed up keys`, request, expect(keys))
  await run.repeated(`backup of ${keys} keys`, (n) => uploads[n]!)
  const all = keys * (1 + run.repetitions)
  await figures.measure({
    name: `download of ${all} backed up keys`,
    times: 3,
    atOnce: 1,
    request,
    check: expect(all),
  })
}
