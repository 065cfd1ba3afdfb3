/** `generate-config` and `generate-signing-key`. */
import { resolve } from 'node:path'
import { realWorld } from '#/base/world.ts'
import { generateConfig } from '../config/generate.ts'
import { generateSigningKey } from '../config/signing-key.ts'
import { writePrivateFile } from '../config/write-private.ts'
import { checkedServerName } from '../server-name.ts'

export function printConfig(options: { serverName: string; dataDir: string }): void {
  const serverName = checkedServerName(options.serverName)
  const dataDir = resolve(options.dataDir)
  process.stdout.write(generateConfig({ serverName, dataDir, rng: realWorld.rng }))
}

export function printSigningKey(outputFile: string | undefined): void {
  const text = generateSigningKey(realWorld.rng)
  if (outputFile === undefined) process.stdout.write(text)
  else writePrivateFile(resolve(outputFile), text)
}
