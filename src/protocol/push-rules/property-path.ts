/**
 * Dot-separated property paths: `content.m\.relates_to.rel_type`.
 * https://spec.matrix.org/v1.19/appendices/#dot-separated-property-paths
 */

import { isObject, type JsonObject, type JsonValue, member } from '../json/value.ts'

/**
 * Splits a path at its dots. `\.` is a dot and `\\` a backslash inside a name; any other backslash stands
 * for itself.
 */
export function parsePropertyPath(path: string): readonly string[] {
  const names: string[] = []
  let name = ''
  for (let at = 0; at < path.length; at += 1) {
    const character = path[at] as string
    const next = path[at + 1]
    if (character === '\\' && (next === '.' || next === '\\')) {
      name += next
      at += 1
    } else if (character === '.') {
      names.push(name)
      name = ''
    } else {
      name += character
    }
  }
  names.push(name)
  return names
}

/** The value at a path, or undefined. Arrays and inherited properties are not entered. */
export function propertyAt(object: JsonObject, names: readonly string[]): JsonValue | undefined {
  let value: JsonValue | undefined = object
  for (const name of names) {
    if (!isObject(value)) return undefined
    value = member(value, name)
  }
  return value
}
