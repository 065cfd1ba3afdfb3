/** Keeps matrix-js-sdk from logging past its logger and from holding the process. Importing it is enough. */
import { type Logger, logger as rootLogger } from 'matrix-js-sdk/lib/logger.js'

/* Parts of it log past the logger that they are given. */
console.debug = console.info = () => {}
;(rootLogger as unknown as { disableAll(): void }).disableAll()

/*
 * It leaves timers behind, of requests' deadlines among others, which would keep the process alive long after the
 * test. While a test runs, its server's process does that.
 */
const LONG_MS = 1_000
const { setTimeout: realSetTimeout } = globalThis
globalThis.setTimeout = ((run: () => void, ms?: number, ...rest: []) => {
  const timer = realSetTimeout(run, ms, ...rest)
  return (ms ?? 0) >= LONG_MS ? timer.unref() : timer
}) as typeof setTimeout

/** Collects warnings and errors; the rest is dropped. */
export function complainingLogger(complaints: string[]): Logger {
  const complain = (...words: unknown[]): void => void complaints.push(words.map(String).join(' '))
  const quiet = (): void => {}
  const logger: Logger = {
    trace: quiet,
    debug: quiet,
    info: quiet,
    warn: complain,
    error: complain,
    getChild: () => logger,
  }
  return logger
}

/** Notes the paths that the server does not know. */
export function fetchNoting(complaints: string[]): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, init)
    if (response.status === 404) complaints.push(`404 ${new URL(String(input)).pathname}`)
    return response
  }
}
