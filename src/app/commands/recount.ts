/** `recount`: counts all notifications again from the events, and says where the database differs. */
import { realWorld } from '#/base/world.ts'
import type { RecountResult } from '#/ports/store/push.ts'
import type { Store } from '#/ports/store/store.ts'
import { loadConfig } from '../config/load.ts'
import { openStore } from '../database.ts'
import { configPathsOrDefault } from '../first-run.ts'

/** Rooms asked for at a time. */
const ROOMS_AT_ONCE = 200

export interface RecountReport {
  rooms: number
  events: number
  wrong: number
}

/** Counts every room again. `say` hears of each room with differences. */
export async function recount(
  store: Store,
  repair: boolean,
  say: (text: string) => void,
): Promise<RecountReport> {
  const report = { rooms: 0, events: 0, wrong: 0 }
  for (let after = 0; ; ) {
    const rooms = await store.push.countedRooms(after, ROOMS_AT_ONCE)
    for (const room of rooms) {
      const lane = (await store.rooms.byNid(room))?.roomId ?? ''
      const result = await store.commit({ lane, ops: [{ op: 'push.recount', room, repair }] })
      if (!result.ok) throw new Error(`a recount met the conflict ${result.conflict}`)
      const { events, wrong, findings } = result.results[0] as RecountResult
      report.rooms++
      report.events += events
      report.wrong += wrong
      if (wrong > 0) say(`${lane}: ${wrong} differences, ${JSON.stringify(findings)}`)
    }
    const last = rooms.at(-1)
    if (last === undefined) return report
    after = last
  }
}

/** The command. The server must be stopped. Exits with 1 when something differs and was not repaired. */
export async function runRecount(options: { configPath: readonly string[]; repair: boolean }): Promise<void> {
  const { config } = loadConfig(configPathsOrDefault(options.configPath))
  const say = (text: string): void => void process.stdout.write(`${text}\n`)
  let fatal: Error | undefined
  await using store = await openStore(config, realWorld, (error) => {
    fatal = error
  })
  const { rooms, events, wrong } = await recount(store, options.repair, say)
  if (fatal) throw fatal
  say(`Counted ${events} events of ${rooms} rooms again.`)
  if (wrong === 0) say('All counts are right.')
  else if (options.repair) say(`${wrong} differences were put right.`)
  else {
    say(`${wrong} differences. Run again with --repair to put them right.`)
    process.exitCode = 1
  }
}
