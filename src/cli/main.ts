/** The entry. bin/myelin has set NODE_COMPILE_CACHE, which also serves the threads. */
import { run } from './program.ts'

await run(process.argv)
