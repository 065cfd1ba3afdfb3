/** Key backup: downloads, and uploads into a backup that grows. */
import { ask } from '../sync/grid.ts'
import { backedUp, type Json, V3 } from './material.ts'
import { type Run, WARM_UP } from './run.ts'

export async function measureBackup(run: Run, keys: number): Promise<void> {
  const { devices, figures, repeat } = run
  const owner = devices[0]!
  const { version } = await ask(run.connection, run.target, owner.user, 'POST', `${V3}/room_keys/version`, {
    algorithm: 'm.megolm_backup.v1.curve25519-aes-sha2',
    auth_data: { public_key: 'k' },
  })
  const path = `${V3}/room_keys/keys?version=${version}`
  const uploads = Array.from({ length: repeat + WARM_UP }, (_, n) =>
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
  await figures.measure({
    name: `download of ${keys} backed up keys`,
    times: repeat,
    warmUp: WARM_UP,
    atOnce: 1,
    request,
    check: expect(keys),
  })
  await figures.measure({
    name: `backup of ${keys} keys`,
    times: repeat,
    warmUp: WARM_UP,
    atOnce: 1,
    request: (n) => uploads[n]!,
  })
  const all = keys * (1 + WARM_UP + repeat)
  await figures.measure({
    name: `download of ${all} backed up keys`,
    times: 3,
    atOnce: 1,
    request,
    check: expect(all),
  })
}
