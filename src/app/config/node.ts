import type { Place } from './problems.ts'

/** A value of a configuration file together with where it stands. */
export type Node = ScalarNode | ListNode | MapNode

export interface ScalarNode {
  readonly kind: 'scalar'
  readonly at: Place
  readonly value: string | number | boolean | null
  /** The value as written, without quotes: `1.10` stays `1.10`. */
  readonly source: string
}

export interface ListNode {
  readonly kind: 'list'
  readonly at: Place
  readonly items: readonly Node[]
}

export interface MapNode {
  readonly kind: 'map'
  readonly at: Place
  readonly entries: ReadonlyMap<string, Node>
}

/** What a default in the option table is written as. */
export type Plain = string | number | boolean | null | readonly Plain[] | { readonly [key: string]: Plain }

/** Makes a node of a plain value, for defaults. */
export function nodeOf(value: Plain, at: Place): Node {
  if (Array.isArray(value)) {
    return {
      kind: 'list',
      at,
      items: value.map((v: Plain, i) => nodeOf(v, { ...at, key: `${at.key}[${i}]` })),
    }
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(
      ([k, v]) => [k, nodeOf(v as Plain, { ...at, key: childKey(at.key, k) })] as const,
    )
    return { kind: 'map', at, entries: new Map(entries) }
  }
  return { kind: 'scalar', at, value: value as string | number | boolean | null, source: String(value) }
}

/** The value without its places. Maps become objects without a prototype, so that no key can touch it. */
export function plainOf(node: Node): unknown {
  if (node.kind === 'scalar') return node.value
  if (node.kind === 'list') return node.items.map(plainOf)
  const object: Record<string, unknown> = Object.create(null)
  for (const [key, value] of node.entries) object[key] = plainOf(value)
  return object
}

export function childKey(parent: string, key: string): string {
  return parent === '' ? key : `${parent}.${key}`
}

export function isNull(node: Node): boolean {
  return node.kind === 'scalar' && node.value === null
}
