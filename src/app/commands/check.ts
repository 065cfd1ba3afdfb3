/** `check-config`. */
import { checkConfig } from '../config/check-config.ts'
import { configPathsOrDefault } from '../first-run.ts'

export function printConfigCheck(paths: readonly string[]): void {
  const { ok, text } = checkConfig(configPathsOrDefault(paths))
  process.stdout.write(text.endsWith('\n') ? text : `${text}\n`)
  if (!ok) process.exitCode = 1
}
