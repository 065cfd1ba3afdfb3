/** Logs by pino: JSON lines, written in this thread, level changeable while it runs. */
import pino from 'pino'
import type { Log, LogFields, LogLevel } from '#/base/log.ts'
import { redactText, redactValue } from '#/base/log-redact.ts'
import { LogSink } from './log-sink.ts'

export interface LogPinoOptions {
  readonly level: LogLevel
  /** A file path, or a file descriptor; default standard output. */
  readonly to?: string | number
  /**
   * Collects this many characters before it writes; 0 writes each line at once. Lines of level error always
   * flush.
   */
  readonly bufferBytes?: number
}

/** A log with the handles of its owner. */
export interface OwnedLog extends Log {
  readonly level: LogLevel
  /** Takes effect on all children. */
  setLevel(level: LogLevel): void
  /** Writes a line whatever the level, for what an operator has asked for just now. */
  note(message: string, fields?: LogFields): void
  /** Writes what is buffered, before the process ends. */
  flush(): void
  /** Opens the file again, after log rotation has moved it. Does nothing for descriptors. */
  reopen(): void
}

const BUFFER_BYTES_DEFAULT = 4096
const STDOUT = 1

const SEVERITY: Readonly<Record<LogLevel, number>> = {
  trace: 10,
  debug: 20,
  info: 30,
  warn: 40,
  error: 50,
  fatal: 60,
  silent: Number.POSITIVE_INFINITY,
}

/**
 * Opens a log. Every field and message passes the redaction of base/log-redact.ts.
 * @throws when the file cannot be opened
 */
export function logPino(options: LogPinoOptions): OwnedLog {
  const bufferBytes = options.bufferBytes ?? BUFFER_BYTES_DEFAULT
  const destination = new LogSink({ to: options.to ?? STDOUT, bufferBytes })
  const root = pino(
    {
      level: 'trace',
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  )
  const state = { level: options.level }
  const flush = (): void => destination.flush()
  return {
    ...wrap(root, state, flush),
    get level() {
      return state.level
    },
    setLevel(level) {
      state.level = level
    },
    note(message, fields = {}) {
      root.info(redactValue(fields) as object, redactText(message))
      flush()
    },
    flush,
    reopen: () => destination.reopen(),
  }
}

/** The level is kept here and not in pino, because pino's children copy it when they are made. */
function wrap(inner: pino.Logger, state: { level: LogLevel }, flush: () => void): Log {
  const enabled = (level: LogLevel): boolean => SEVERITY[level] >= SEVERITY[state.level]
  const at = (level: Exclude<LogLevel, 'silent'>) => (message: string, fields?: LogFields) => {
    if (!enabled(level)) return
    inner[level](fields === undefined ? {} : (redactValue(fields) as object), redactText(message))
    if (SEVERITY[level] >= SEVERITY.error) flush()
  }
  return {
    child: (fields) => wrap(inner.child(redactValue(fields) as pino.Bindings), state, flush),
    enabled,
    trace: at('trace'),
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    fatal: at('fatal'),
  }
}
