/** Texts with NUL in request bodies: PostgreSQL keeps none, and no text of a person has one. */
import { isObject, type JsonValue } from '#/protocol/json/value.ts'

interface Schema {
  readonly type?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
  readonly additionalProperties?: Schema | boolean
}

/** The place of a text with NUL in a value, or undefined. */
type NulFinder = (value: JsonValue, where: string) => string | undefined

/**
 * Looks at the texts and the names of members that a schema speaks of; JSON of any form is its owner's, and is kept
 * as JSON, where NUL is an escape. Undefined when the schema has no such text.
 */
export function nulFinder(schema: Schema): NulFinder | undefined {
  if (schema.type === 'string') {
    if ('enum' in schema || 'const' in schema) return undefined
    return (value, where) => (typeof value === 'string' && value.includes('\0') ? where : undefined)
  }
  const finders = [...(schema.anyOf ?? []).flatMap((part) => nulFinder(part) ?? [])]
  const fields = Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const find = nulFinder(field)
    return find === undefined ? [] : [[name, find] as const]
  })
  if (fields.length > 0) {
    finders.push((value, where) => {
      if (!isObject(value)) return undefined
      for (const [name, find] of fields) {
        const found = Object.hasOwn(value, name) ? find(value[name]!, `${where}.${name}`) : undefined
        if (found !== undefined) return found
      }
      return undefined
    })
  }
  if (typeof schema.additionalProperties === 'object') finders.push(nulInRecord(schema.additionalProperties))
  const each = schema.items === undefined ? undefined : nulFinder(schema.items)
  if (each !== undefined) {
    finders.push((value, where) => (Array.isArray(value) ? firstOf(value.entries(), each, where) : undefined))
  }
  if (finders.length === 0) return undefined
  return (value, where) => {
    for (const find of finders) {
      const found = find(value, where)
      if (found !== undefined) return found
    }
    return undefined
  }
}

function nulInRecord(schema: Schema): NulFinder {
  const each = nulFinder(schema)
  return (value, where) => {
    if (!isObject(value)) return undefined
    const names = Object.keys(value)
    if (names.some((name) => name.includes('\0'))) return `${where}.`
    return each && firstOf(Object.entries(value), each, where)
  }
}

function firstOf(
  entries: Iterable<readonly [string | number, JsonValue]>,
  find: NulFinder,
  where: string,
): string | undefined {
  for (const [name, value] of entries) {
    const found = find(value, `${where}.${name}`)
    if (found !== undefined) return found
  }
  return undefined
}
