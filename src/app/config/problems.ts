/** Where in the operator's files something stands. `key` is the path, such as `listeners[0].port`. */
export interface Place {
  readonly file: string
  /** 1-based; 0 when no line applies. */
  readonly line: number
  readonly key: string
}

/** A reason not to start. `text` says what was expected. */
export interface Problem extends Place {
  readonly text: string
}

/**
 * Something the operator should know although the server starts:
 * `unknown` a key nobody reads, `deprecated` an old name, `no-effect` an accepted option that changes nothing here,
 * `ignored` a value or a file passed over, `unsafe` the server is more open than the operator may think.
 */
export interface Notice extends Place {
  readonly kind: 'unknown' | 'deprecated' | 'no-effect' | 'ignored' | 'unsafe'
  readonly text: string
}

/** Thrown when the configuration cannot be used; carries every problem, not only the first. */
export class ConfigError extends Error {
  readonly problems: readonly Problem[]
  /** What else was noticed until then. */
  readonly warnings: readonly Notice[]

  constructor(problems: readonly Problem[], warnings: readonly Notice[] = []) {
    const sorted = problems.toSorted(byPlace)
    super(['The configuration cannot be used:', ...sorted.map((p) => `  ${describe(p)}`)].join('\n'))
    this.name = 'ConfigError'
    this.problems = sorted
    this.warnings = warnings.toSorted(byPlace)
  }
}

/** One line for a person: `file:line: key: text`. */
export function describe(entry: Problem | Notice): string {
  const where = entry.line > 0 ? `${entry.file}:${entry.line}` : entry.file
  return [where, entry.key, entry.text].filter((part) => part !== '').join(': ')
}

/** Orders entries by file and line. */
export function byPlace(a: Place, b: Place): number {
  return a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1
}
