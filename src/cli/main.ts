/** The entry. bin/myelin has set NODE_COMPILE_CACHE, which also serves the threads. */
import '#/base/own-modules.ts'

/** Permission bits of everybody but the owner. */
const OTHERS = 0o077

/* Everything this program writes holds secrets or messages: databases, keys, backups. */
process.umask(process.umask() | OTHERS)

const { run } = await import('./program.ts')
await run(process.argv)
