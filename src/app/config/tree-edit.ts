import { childKey, type MapNode, type Node } from './node.ts'
import type { Place } from './problems.ts'

/** The value at a path of keys, such as `presence.enabled`; list entries cannot be named. */
export function nodeAt(root: MapNode, key: string): Node | undefined {
  let node: Node | undefined = root
  for (const part of key.split('.')) node = node?.kind === 'map' ? node.entries.get(part) : undefined
  return node
}

/** The line of a path, or of the nearest thing above it that is given. */
export function placeAt(root: MapNode, key: string): Place {
  const parts = key.split('.')
  for (let n = parts.length; n > 0; n--) {
    const node = nodeAt(root, parts.slice(0, n).join('.'))
    if (node) return { ...node.at, key }
  }
  return { ...root.at, key }
}

/** The same tree with a value at a path; maps on the way are made. */
export function withNode(root: MapNode, path: readonly string[], node: Node): MapNode {
  const [first = '', ...rest] = path
  const entries = new Map(root.entries)
  const key = childKey(root.at.key, first)
  const child = entries.get(first)
  const inner: MapNode =
    child?.kind === 'map' ? child : { kind: 'map', at: { ...node.at, key }, entries: new Map() }
  entries.set(first, rest.length === 0 ? { ...node, at: { ...node.at, key } } : withNode(inner, rest, node))
  return { ...root, entries }
}

/** The same tree without the value at a path. */
export function withoutNode(root: MapNode, path: readonly string[]): MapNode {
  const [first = '', ...rest] = path
  const child = root.entries.get(first)
  const entries = new Map(root.entries)
  if (rest.length === 0) entries.delete(first)
  else if (child?.kind === 'map') entries.set(first, withoutNode(child, rest))
  return { ...root, entries }
}
