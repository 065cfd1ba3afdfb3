/** What happens on a machine that has no configuration yet. */
import { statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Rng } from '#/base/world.ts'
import { generateConfig, newServerPaths } from './config/generate.ts'
import { generateSigningKey } from './config/signing-key.ts'
import { writePrivateFile } from './config/write-private.ts'
import { checkedServerName } from './server-name.ts'

/** Folder of a server that was started without a configuration. */
const DATA_DIR_DEFAULT = './data'

/** The given paths, or where a first start puts its configuration. */
export function configPathsOrDefault(paths: readonly string[]): readonly string[] {
  return paths.length > 0 ? paths : [join(resolve(DATA_DIR_DEFAULT), 'homeserver.yaml')]
}

export interface FirstRun {
  readonly configPath: string
  /** Whether the files were made just now. */
  readonly made: boolean
  readonly serverName: string | undefined
}

/** Throws where it cannot be seen: that is no sign of a new server. */
function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined
}

/** Finds the configuration in a data folder, or makes it with keys and secrets, readable by its owner alone. */
export function prepareDataDir(dataDir: string, name: string | undefined, rng: Rng): FirstRun {
  const folder = resolve(dataDir)
  const existing = join(folder, 'homeserver.yaml')
  if (isThere(existing)) return { configPath: existing, made: false, serverName: undefined }
  const serverName = checkedServerName(name ?? 'localhost')
  const paths = newServerPaths({ serverName, dataDir: folder })
  if (!isThere(paths.signingKey)) writePrivateFile(paths.signingKey, generateSigningKey(rng))
  writePrivateFile(paths.config, generateConfig({ serverName, dataDir: folder, rng }))
  return { configPath: paths.config, made: true, serverName }
}
