/** The all-in-one process: store, services, routes and listeners. */
import { type BoundAddress, openListeners } from '#/adapters/http-server/listeners.ts'
import { metricsProm } from '#/adapters/metrics-prom.ts'
import type { Log } from '#/base/log.ts'
import { noMetrics } from '#/base/metrics.ts'
import { StoreError } from '#/base/store-error.ts'
import type { World } from '#/base/world.ts'
import { RateLimiter } from '#/http/rate-limiter.ts'
import type { SigningKey } from '#/protocol/crypto/ed25519.ts'
import { parseSigningKeys } from '#/protocol/crypto/signing-key-file.ts'
import { assemble } from './assemble.ts'
import type { Config } from './config/config.ts'
import { diskReader } from './config/files.ts'
import { openStore } from './database.ts'
import { firstToken } from './first-token.ts'
import { listenerOptions } from './listen.ts'
import { measureLoopStalls } from './loop-stalls.ts'
import { readOwnFile } from './own-file.ts'
import { passwordsFor } from './passwords.ts'
import { configuredRates } from './rate-limits.ts'
import { checkedServerName } from './server-name.ts'
import { serverOptions } from './server-options.ts'

export interface RunningServer {
  readonly bound: readonly BoundAddress[]
  /** A single-use token for the first account, while there is none. */
  readonly firstToken: string | undefined
  /** There is no account, and the first one that registers is not the administrator, since anybody may. */
  readonly lacksAdmin: boolean
  reloadTls(): void
  /** Answers waiting syncs, finishes requests under way within `graceMs`, then closes the store. */
  stop(graceMs: number): Promise<void>
}

export interface StartDeps {
  readonly world: World
  readonly log: Log
  /** Called when the server can no longer say what is on disk. */
  readonly onFatal: (error: Error) => void
}

/** Starts everything that a configuration asks for. When a later part fails, what was opened is closed again. */
export async function startServer(
  config: Config,
  { world, log, onFatal }: StartDeps,
): Promise<RunningServer> {
  const serverName = checkedServerName(config.server.serverName)
  const signingKey = readSigningKey(config.keys)
  await using owned = new AsyncDisposableStack()
  const store = owned.use(await openStore(config, world, onFatal))
  const metrics = config.metrics.enableMetrics ? metricsProm({ process: true }) : noMetrics
  if (config.metrics.enableMetrics) {
    const stalls = measureLoopStalls(world.clock, metrics)
    owned.defer(() => stalls.cancel())
  }
  const limits = new RateLimiter(world.clock, configuredRates(config.rateLimits))
  const server = await assemble({
    store,
    world,
    log,
    metrics,
    limits,
    serverName,
    signingKey,
    passwords: passwordsFor(config.passwords.pepper),
    options: serverOptions(config, diskReader()),
  })
  owned.defer(() => server.close())
  const { enableRegistration, enableRegistrationWithoutVerification, registrationRequiresToken } =
    config.registration
  const openToAll = enableRegistration && enableRegistrationWithoutVerification && !registrationRequiresToken
  const token = openToAll ? undefined : await firstToken(store, world)
  const lacksAdmin = openToAll && !(await store.accounts.any())
  const listeners = await openListeners(listenerOptions(config, server.dispatches), log)
  server.start()
  const rest = owned.move()
  return {
    bound: listeners.bound,
    firstToken: token,
    lacksAdmin,
    reloadTls: () => listeners.reloadTls(),
    async stop(graceMs) {
      server.wakeWaiting()
      await listeners.close(graceMs)
      await rest.disposeAsync()
    },
  }
}

function readSigningKey({ signingKey, signingKeyPath }: Config['keys']): SigningKey {
  const keys = parseSigningKeys(signingKey?.reveal() ?? readOwnFile(signingKeyPath, 'the signing key'))
  const name = signingKey === null ? `file ${signingKeyPath}` : 'of the option signing_key'
  if (!keys.ok) throw new StoreError('refused', `the signing key ${name} cannot be used: ${keys.why}`)
  return keys.value[0]
}
