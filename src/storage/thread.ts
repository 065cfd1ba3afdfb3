/** The entry of every thread: it finds modules as the program does, and goes on with the one that it was given. */
import '#/base/own-modules.ts'

await import(String(process.argv[2]))
