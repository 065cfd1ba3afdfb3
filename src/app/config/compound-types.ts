import { isNull, type Node, type Plain, plainOf } from './node.ts'
import {
  type Fields,
  type Option,
  option,
  type Reading,
  readFields,
  type Status,
  type Type,
  type Values,
} from './option.ts'
import { refuse, scalar } from './types.ts'

/** One of several words, exactly as written here. */
export function oneOf<const W extends string>(...words: W[]): Type<W> {
  const name = words.map((w) => `\`${w}\``).join(', ')
  const expected = `one of ${words.join(', ')}`
  return scalar(name, expected, (v, source) => words.find((w) => w === (typeof v === 'string' ? v : source)))
}

/** The same type, or nothing: an empty value gives null. */
export function orNull<T>(type: Type<T>): Type<T | null> {
  return {
    ...type,
    acceptsNull: true,
    read: (node, reading) => (isNull(node) ? null : type.read(node, reading)),
  }
}

/** The first type that fits. */
export function either<A, B>(first: Type<A>, second: Type<B>): Type<A | B> {
  const both: Type<A | B> = {
    name: `${first.name} or ${second.name}`,
    expected: `${first.expected}, or ${second.expected}`,
    acceptsNull: first.acceptsNull === true || second.acceptsNull === true,
    read(node, reading) {
      const a = first.read(node, silent(reading))
      if (a !== undefined) return a
      const b = second.read(node, silent(reading))
      return b === undefined ? refuse(both, node, reading) : b
    },
  }
  return both
}

function silent(reading: Reading): Reading {
  return { files: reading.files, problem() {}, notice() {}, notYet() {}, unknown() {} }
}

/** A list of values of one type. */
export function list<T>(item: Type<T>, min = 0): Type<readonly T[]> {
  const type: Type<readonly T[]> = {
    name: `list of ${item.name}`,
    expected: min === 0 ? `a list of ${item.expected}` : `a list with at least ${min} of ${item.expected}`,
    ...(item.fields ? { fields: item.fields } : {}),
    read(node, reading) {
      if (node.kind !== 'list' || node.items.length < min) return refuse(type, node, reading)
      const items = node.items.map((n) => item.read(n, reading))
      return items.includes(undefined) ? undefined : (items as T[])
    },
  }
  return type
}

/** One value or a list of them; a list out. */
export function oneOrMore<T>(item: Type<T>): Type<readonly T[]> {
  const many = list(item)
  return {
    ...many,
    name: `${item.name} or list of ${item.name}`,
    expected: `${item.expected}, or a list of such`,
    read(node, reading) {
      if (node.kind === 'list') return many.read(node, reading)
      const value = item.read(node, reading)
      return value === undefined ? undefined : [value]
    },
  }
}

/** A map with free keys. */
export function map<T>(item: Type<T>): Type<ReadonlyMap<string, T>> {
  const type: Type<ReadonlyMap<string, T>> = {
    name: `map to ${item.name}`,
    expected: `a map from names to ${item.expected}`,
    ...(item.fields ? { fields: item.fields } : {}),
    read(node, reading) {
      if (node.kind !== 'map') return refuse(type, node, reading)
      const entries = [...node.entries].map(([key, value]) => [key, item.read(value, reading)] as const)
      return entries.some(([, value]) => value === undefined) ? undefined : new Map(entries as [string, T][])
    },
  }
  return type
}

/** A map with fixed keys. Unknown keys inside are reported. */
export function object<F extends Fields>(fields: F): Type<Values<F>> {
  const type: Type<Values<F>> = {
    name: 'map',
    expected: `a map with the keys ${Object.keys(fields).join(', ')}`,
    fields,
    read(node, reading) {
      return node.kind === 'map' ? readFields(fields, node, reading) : refuse(type, node, reading)
    },
  }
  return type
}

/** Anything, without its places: for what is handed on. */
export const anything: Type<unknown> = {
  name: 'any',
  expected: 'any value',
  acceptsNull: true,
  read: plainOf,
}

/** A map of anything, for what is handed on. */
export const anyMap: Type<Readonly<Record<string, unknown>>> = {
  name: 'map',
  expected: 'a map',
  read(node: Node, reading: Reading) {
    return node.kind === 'map' ? (plainOf(node) as Record<string, unknown>) : refuse(anyMap, node, reading)
  },
}

/** A map of options that is there with its defaults even when it is not given. */
export function section<F extends Fields>(status: Status, about: string, fields: F): Option<Values<F>> {
  return option(object(fields), status, {} as Plain, about)
}

/** A map of options that is null when it is not given, because being given switches something on. */
export function optionalSection<F extends Fields>(
  status: Status,
  about: string,
  fields: F,
): Option<Values<F> | null> {
  return option(orNull(object(fields)), status, null, about)
}
