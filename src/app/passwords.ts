/** Password hashing with the configured pepper. */
import { createPasswords } from '#/adapters/passwords.ts'
import { realWorld } from '#/base/world.ts'
import type { Passwords } from '#/ports/passwords.ts'
import type { Secret } from './config/secret.ts'

export function passwordsFor(pepper: Secret | null): Passwords {
  return createPasswords({ pepper: pepper?.reveal() ?? '', rng: realWorld.rng })
}
