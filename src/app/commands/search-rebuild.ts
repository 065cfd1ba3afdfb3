/** `search-rebuild`: the index of messages is to be made anew. */
import { realWorld } from '#/base/world.ts'
import { rebuildSearch } from '#/services/search/index-jobs.ts'
import { loadConfig } from '../config/load.ts'
import { openStore } from '../database.ts'
import { configPathsOrDefault } from '../first-run.ts'

function onFatal(error: Error): never {
  throw error
}

/** Plans the work; the server does it when it is started, beside its other work. */
export async function runSearchRebuild(options: { configPath: readonly string[] }): Promise<void> {
  const { config } = loadConfig(configPathsOrDefault(options.configPath))
  if (!config.server.enableSearch) {
    process.stdout.write('Searching is turned off (enable_search); there is no index.\n')
    return
  }
  await using store = await openStore(config, realWorld, onFatal)
  await rebuildSearch(store, realWorld.clock)
  process.stdout.write('The search index will be built anew when the server starts.\n')
}
