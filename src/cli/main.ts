/** The entry. What is imported here is loaded before the compile cache is on, so it is kept to this. */
import { enableCompileCache } from 'node:module'
import { fileURLToPath } from 'node:url'

enableCompileCache(fileURLToPath(new URL('../../.cache/compile', import.meta.url)))
const { run } = await import('./program.ts')
await run(process.argv)
