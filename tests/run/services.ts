import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Programs } from './requirements.ts'

/** Addresses of the running services; disposing stops them and removes their folder. */
export type Services = AsyncDisposable & { postgres: string; redis: string }

/**
 * Starts real PostgreSQL and Redis under a keeper process (keeper.ts), which outlives this one just long
 * enough to clean up, even after kill -9. Throws when one does not start.
 */
export async function startServices(programs: Programs): Promise<Services> {
  // Its own process group: an interrupt at the terminal reaches us, and we end the keeper's input.
  const keeper = spawn(process.execPath, ['tests/run/keeper.ts', JSON.stringify(programs)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  })
  const ended = once(keeper, 'exit')
  const close = async () => {
    keeper.stdin.end()
    await ended
  }
  const lines = createInterface({ input: keeper.stdout })
  const [line] = await Promise.race([once(lines, 'line'), ended.then(() => ['{"error":"the keeper ended"}'])])
  const told = JSON.parse(String(line)) as { postgres: string; redis: string; error?: string }
  if (told.error !== undefined) {
    await close()
    throw new Error(told.error)
  }
  return { postgres: told.postgres, redis: told.redis, [Symbol.asyncDispose]: close }
}
