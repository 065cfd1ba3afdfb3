/** The token with which the first account is made although registration is closed. */
import type { World } from '#/base/world.ts'
import type { Store } from '#/ports/store/store.ts'

const TOKEN_BYTES = 16

/** An unused administrator token while there is no account; undefined afterwards. */
export async function firstToken(store: Store, world: World): Promise<string | undefined> {
  if (await store.accounts.any()) return undefined
  const known = await store.accounts.unusedAdminToken()
  if (known !== undefined) return known
  const token = world.rng.bytes(TOKEN_BYTES).toString('base64url')
  const op = { op: 'registration_token.put', token, usesAllowed: 1, expiresTs: null, admin: true } as const
  const result = await store.commit({ lane: 'registration', ops: [op] })
  if (!result.ok) throw new Error('the token for the first account could not be stored')
  return token
}
