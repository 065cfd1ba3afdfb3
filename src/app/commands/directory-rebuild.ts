/** `directory-rebuild`: compares the directories of users and rooms with what they are made from. */
import { realWorld } from '#/base/world.ts'
import type { DirectoryCheck } from '#/ports/store/people.ts'
import type { Store } from '#/ports/store/store.ts'
import { loadConfig } from '../config/load.ts'
import { openStore } from '../database.ts'
import { configPathsOrDefault } from '../first-run.ts'

/** Rows of one step. */
const ROWS_AT_ONCE = 200

/** Looks at all of both directories. `say` hears of each difference. Returns how many there are. */
export async function rebuildDirectories(
  store: Store,
  repair: boolean,
  say: (text: string) => void,
): Promise<{ rows: number; wrong: number }> {
  const report = { rows: 0, wrong: 0 }
  for (const part of ['users', 'terms', 'rooms'] as const) {
    for (let after: string | null = ''; after !== null; ) {
      const op = { op: 'directory.check', part, after, limit: ROWS_AT_ONCE, repair } as const
      const result = await store.commit({ lane: 'directory', ops: [op] })
      if (!result.ok) throw new Error(`a look at the directories met the conflict ${result.conflict}`)
      const { rows, wrong, next } = result.results[0] as DirectoryCheck
      for (const text of wrong) say(text)
      report.rows += rows
      report.wrong += wrong.length
      after = next
    }
  }
  return report
}

/** The command. The server must be stopped. Exits with 1 when something differs and was not repaired. */
export async function runDirectoryRebuild(options: {
  configPath: readonly string[]
  repair: boolean
}): Promise<void> {
  const { config } = loadConfig(configPathsOrDefault(options.configPath))
  const say = (text: string): void => void process.stdout.write(`${text}\n`)
  let fatal: Error | undefined
  await using store = await openStore(config, realWorld, (error) => {
    fatal = error
  })
  const { rows, wrong } = await rebuildDirectories(store, options.repair, say)
  if (fatal) throw fatal
  say(`Looked at ${rows} entries of the directories.`)
  if (wrong === 0) say('The directories are right.')
  else if (options.repair) say(`${wrong} differences were put right.`)
  else {
    say(`${wrong} differences. Run again with --repair to put them right.`)
    process.exitCode = 1
  }
}
