import { realWorld } from '#/base/world.ts'
import type { Op } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import { digestOf, newAccessToken } from '#/services/accounts/tokens.ts'
import { forEachLimited, type User } from './matrix.ts'

const AT_ONCE = 200

/** Puts `count` accounts with one session each into a store, by the operations of a registration. */
export async function putAccounts(
  store: Store,
  serverName: string,
  count: number,
  passwordHash: string,
): Promise<User[]> {
  const users: User[] = []
  const numbers = Array.from({ length: count }, (_, n) => n)
  await forEachLimited(numbers, AT_ONCE, async (n) => {
    const [user, device, accessToken] = [`@member-${n}:${serverName}`, 'BENCH', newAccessToken(realWorld.rng)]
    const ts = realWorld.clock.now()
    const session = { kind: 'access', expiresTs: null, pair: null } as const
    const ops: Op[] = [
      { op: 'account.create', user, passwordHash, admin: false, guest: false, ts },
      { op: 'profile.put', user, fields: JSON.stringify({ displayname: `member-${n}` }) },
      { op: 'device.put', user, device, displayName: null, ts },
      { op: 'token.put', digest: digestOf(accessToken), user, device, ...session },
    ]
    const result = await store.commit({ lane: user, ops })
    if (!result.ok) throw new Error(`${user}: ${JSON.stringify(result)}`)
    users[n] = { userId: user, accessToken }
  })
  return users
}
