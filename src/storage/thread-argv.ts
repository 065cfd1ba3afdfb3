const OWN_MODULES = new URL('../base/own-modules.ts', import.meta.url).href

/** Arguments of every thread: it finds modules as the program does, by their names alone. */
export const THREAD_ARGV = [`--import=${OWN_MODULES}`]
