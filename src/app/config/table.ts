import type { Fields, Values } from './option.ts'
import { federation, tls } from './options/federation.ts'
import { api, keys } from './options/keys.ts'
import { passwords } from './options/login.ts'
import { myelin } from './options/myelin.ts'
import { rateLimits } from './options/rate-limits.ts'
import { calls, captcha, registration, sessions } from './options/registration.ts'
import { server } from './options/server.ts'
import { caches, database, logging, metrics } from './options/storage.ts'

/**
 * Every option of homeserver.yaml, by group: the one place that says what can be configured. Readers, the typed
 * `Config`, messages and docs/configuration.md all come from it.
 */
export const TABLE = {
  server,
  tls,
  federation,
  caches,
  database,
  logging,
  rateLimits,
  captcha,
  calls,
  registration,
  sessions,
  metrics,
  api,
  keys,
  passwords,
  myelin,
} as const satisfies Record<string, Fields>

export type GroupName = keyof typeof TABLE

/** The typed values of all groups. */
export type Tree = { readonly [G in GroupName]: Values<(typeof TABLE)[G]> }
