/**
 * What the server says about itself. Code logs a constant sentence plus fields; secrets never go into either
 * (see `log-redact.ts`). The implementation is an adapter.
 */

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** Values beside the sentence. `error` takes an Error and is written with its stack. */
export type LogFields = Readonly<Record<string, unknown>>

export interface Log {
  /** A log that adds `fields` to each line. `name` in the fields names the part of the server. */
  child(fields: LogFields): Log
  /** Whether a line of this level would be written; for fields that are dear to compute. */
  enabled(level: LogLevel): boolean
  trace(message: string, fields?: LogFields): void
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  fatal(message: string, fields?: LogFields): void
}

const ignore = (): void => {}

/** Says nothing. */
export const silentLog: Log = {
  child: () => silentLog,
  enabled: () => false,
  trace: ignore,
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
  fatal: ignore,
}

/** One line as a `memoryLog` keeps it. */
export interface LogLine {
  readonly level: LogLevel
  readonly message: string
  readonly fields: LogFields
}

/** A log that appends to `lines`; for tests and the simulator. */
export function memoryLog(lines: LogLine[], fields: LogFields = {}): Log {
  const at = (level: LogLevel) => (message: string, more?: LogFields) => {
    lines.push({ level, message, fields: more === undefined ? fields : { ...fields, ...more } })
  }
  return {
    child: (more) => memoryLog(lines, { ...fields, ...more }),
    enabled: () => true,
    trace: at('trace'),
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    fatal: at('fatal'),
  }
}
