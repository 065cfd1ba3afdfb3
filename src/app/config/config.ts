import type { Listener } from './listeners.ts'
import type { LogLevels } from './log-config.ts'
import type { Secret } from './secret.ts'
import type { Tree } from './table.ts'

/** A database as it is to be opened. Passwords inside `args` are `Secret`s. */
export type DatabaseChoice =
  | { readonly engine: 'sqlite'; readonly path: string; readonly args: Readonly<Record<string, unknown>> }
  | { readonly engine: 'postgres'; readonly args: Readonly<Record<string, unknown>> }

type ServerGroup = Tree['server']
type PasswordGroup = Tree['passwords']['passwordConfig']

interface Derived {
  readonly server: Omit<ServerGroup, 'listeners' | 'publicBaseurl'> & {
    /** Ends in a slash. */
    readonly publicBaseurl: string
    /** Whether `/.well-known/matrix/client` is answered: only when `public_baseurl` is given, as in Synapse. */
    readonly servesClientWellknown: boolean
  }
  readonly listeners: readonly Listener[]
  readonly database: DatabaseChoice
  readonly logging: LogLevels
  readonly passwords: Omit<PasswordGroup, 'enabled'> & {
    readonly enabledForLogin: boolean
    readonly enabledForReauth: boolean
  }
  readonly keys: Omit<Tree['keys'], 'signingKeyPath'> & { readonly signingKeyPath: string }
  readonly api: Tree['api'] & {
    /** As given, else the registration secret; null leaves it to the caller to derive one from the signing key. */
    readonly macaroonSecretKey: Secret | null
  }
  readonly myelin: Omit<Tree['myelin']['myelin'], 'dataDir'> & { readonly dataDir: string }
}

/**
 * The whole configuration with every default in place. Groups and names follow the table: `rc_message` of group
 * `rateLimits` is `config.rateLimits.rcMessage`. Durations are milliseconds, sizes bytes, paths absolute, secrets
 * `Secret`s. What depends on several options is derived here.
 */
export type Config = Omit<Tree, keyof Derived> & Derived
