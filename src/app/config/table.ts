import type { Fields, Values } from './option.ts'
import { blocking, undocumented } from './options/blocking.ts'
import { experimental } from './options/experimental.ts'
import { federation, tls } from './options/federation.ts'
import { api, keys } from './options/keys.ts'
import { passwords } from './options/login.ts'
import { media } from './options/media.ts'
import { myelin } from './options/myelin.ts'
import { rateLimits } from './options/rate-limits.ts'
import { calls, captcha, registration, sessions } from './options/registration.ts'
import { autoAcceptInvites, modules, push, rooms, tracing } from './options/rooms.ts'
import { server } from './options/server.ts'
import { sso } from './options/sso.ts'
import { caches, database, logging, metrics } from './options/storage.ts'
import { background, workers } from './options/workers.ts'

/**
 * Every option of homeserver.yaml, by group: the one place that says what can be configured. Readers, the typed
 * `Config`, messages and docs/configuration.md all come from it. The order is that of the documentation.
 */
export const TABLE = {
  server,
  myelin,
  database,
  logging,
  registration,
  sessions,
  passwords,
  rateLimits,
  keys,
  api,
  tls,
  federation,
  rooms,
  push,
  media,
  blocking,
  caches,
  metrics,
  tracing,
  captcha,
  calls,
  sso,
  autoAcceptInvites,
  modules,
  workers,
  background,
  undocumented,
  experimental,
} as const satisfies Record<string, Fields>

export type GroupName = keyof typeof TABLE

/** Headings of the groups. */
export const TITLES: Readonly<Record<GroupName, string>> = {
  server: 'Server',
  myelin: 'Additions of this server',
  database: 'Database',
  logging: 'Logging',
  registration: 'Registration',
  sessions: 'Sessions',
  passwords: 'Passwords',
  rateLimits: 'Rate limits',
  keys: 'Signing keys',
  api: 'Secrets, bridges and invites',
  tls: 'TLS',
  federation: 'Federation',
  rooms: 'Rooms',
  push: 'Push',
  media: 'Media',
  blocking: 'Limits of use and retention',
  caches: 'Caches',
  metrics: 'Metrics and reports',
  tracing: 'Tracing',
  captcha: 'Captcha',
  calls: 'Calls',
  sso: 'Single sign-on',
  autoAcceptInvites: 'Accepting invites',
  modules: 'Modules',
  workers: 'Workers',
  background: 'Background work',
  undocumented: 'Read by Synapse, but not in its documentation',
  experimental: 'Experimental features',
}

/** The typed values of all groups. */
export type Tree = { readonly [G in GroupName]: Values<(typeof TABLE)[G]> }
