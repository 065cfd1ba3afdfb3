/** Query strings: a bounded, strict decoder and the conversion of values to what a schema wants. */
import { MatrixError } from '#/protocol/errors.ts'
import { QUERY_CHARS_MAX, QUERY_PARAMS_MAX, QUERY_VALUES_MAX } from './limits.ts'

/** Decoded parameters. A name that appears more than once keeps its values in order. */
export class Query {
  readonly #values: ReadonlyMap<string, readonly string[]>
  constructor(values: ReadonlyMap<string, readonly string[]>) {
    this.#values = values
  }
  /** The first value, as Synapse reads a repeated parameter. */
  get(name: string): string | undefined {
    return this.#values.get(name)?.[0]
  }
  all(name: string): readonly string[] {
    return this.#values.get(name) ?? []
  }
  names(): Iterable<string> {
    return this.#values.keys()
  }
}

const EMPTY = new Query(new Map())

/** Percent-decodes one component. Undefined when an escape is broken, not UTF-8, or stands for NUL. */
export function decodeComponent(text: string): string | undefined {
  if (!text.includes('%')) return text
  try {
    const decoded = decodeURIComponent(text)
    return decoded.includes('\0') ? undefined : decoded
  } catch {
    return undefined
  }
}

function decodeFormComponent(text: string): string {
  const decoded = decodeComponent(text.includes('+') ? text.replaceAll('+', ' ') : text)
  if (decoded === undefined)
    throw new MatrixError('M_INVALID_PARAM', 'The query string is not valid percent-encoded UTF-8.')
  return decoded
}

/**
 * Splits and decodes what follows the `?`. Throws M_INVALID_PARAM on broken encoding and beyond the limits.
 */
export function parseQuery(text: string): Query {
  if (text === '') return EMPTY
  if (text.length > QUERY_CHARS_MAX) throw new MatrixError('M_INVALID_PARAM', 'The query string is too long.')
  const values = new Map<string, string[]>()
  let count = 0
  for (const pair of text.split('&', QUERY_PARAMS_MAX + 1)) {
    if (pair === '') continue
    if (++count > QUERY_PARAMS_MAX)
      throw new MatrixError('M_INVALID_PARAM', 'The query string has too many parameters.')
    const equals = pair.indexOf('=')
    const name = decodeFormComponent(equals < 0 ? pair : pair.slice(0, equals))
    const value = equals < 0 ? '' : decodeFormComponent(pair.slice(equals + 1))
    const list = values.get(name)
    if (list === undefined) values.set(name, [value])
    else if (list.length < QUERY_VALUES_MAX) list.push(value)
    else
      throw new MatrixError(
        'M_INVALID_PARAM',
        `The query parameter '${name.slice(0, 50)}' is repeated too often.`,
      )
  }
  return new Query(values)
}
