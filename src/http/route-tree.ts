/**
 * Finds the route of a path. A tree by segments: a literal segment goes before a parameter, `*` comes last.
 */
import { decodeComponent } from './query.ts'

/** What a path leads to: a value per method, and the names of the path's parameters in order. */
export interface Leaf<T> {
  readonly methods: Map<string, { readonly value: T; readonly names: readonly string[] }>
}

interface Node<T> {
  readonly literals: Map<string, Node<T>>
  parameter: Node<T> | undefined
  rest: Leaf<T> | undefined
  leaf: Leaf<T> | undefined
}

/** A found path. `texts` are the parameters as they stand in the path, still encoded. */
export interface Found<T> {
  readonly leaf: Leaf<T>
  readonly texts: readonly string[]
}

const newNode = <T>(): Node<T> => ({
  literals: new Map(),
  parameter: undefined,
  rest: undefined,
  leaf: undefined,
})

/** Names of the parameters of a template, in order. Throws on a template that is not `/literal/:name/*`. */
export function templateNames(template: string): string[] {
  if (!template.startsWith('/')) throw new Error(`route ${template}: a path starts with /`)
  const names: string[] = []
  const segments = template.slice(1).split('/')
  for (const [index, segment] of segments.entries()) {
    if (segment === '*') {
      if (index !== segments.length - 1) throw new Error(`route ${template}: * must be last`)
      names.push('*')
    } else if (segment.startsWith(':')) {
      if (!/^:[a-zA-Z]+$/.test(segment)) throw new Error(`route ${template}: bad parameter ${segment}`)
      names.push(segment.slice(1))
    } else if (!/^[a-zA-Z0-9._~-]*$/.test(segment)) {
      throw new Error(`route ${template}: bad segment '${segment}'`)
    } else if (segment === '' && index !== segments.length - 1) {
      throw new Error(`route ${template}: empty segment`)
    }
  }
  if (new Set(names).size !== names.length) throw new Error(`route ${template}: a parameter appears twice`)
  return names
}

export class RouteTree<T> {
  readonly #root: Node<T> = newNode()

  /** Adds a template. Throws when this method and path (whatever its parameters are called) is taken. */
  add(method: string, template: string, value: T): void {
    const names = templateNames(template)
    let node = this.#root
    let leaf: Leaf<T> | undefined
    for (const segment of template.slice(1).split('/')) {
      if (segment === '*') {
        node.rest ??= { methods: new Map() }
        leaf = node.rest
      } else if (segment.startsWith(':')) {
        node.parameter ??= newNode()
        node = node.parameter
      } else {
        let next = node.literals.get(segment)
        if (next === undefined) {
          next = newNode()
          node.literals.set(segment, next)
        }
        node = next
      }
    }
    if (leaf === undefined) {
      node.leaf ??= { methods: new Map() }
      leaf = node.leaf
    }
    if (leaf.methods.has(method)) throw new Error(`route ${method} ${template} is declared twice`)
    leaf.methods.set(method, { value, names })
  }

  /** The leaf of an encoded path, or undefined. Work is bounded by the tree, not by the path. */
  find(path: string): Found<T> | undefined {
    const texts: string[] = []
    const leaf = descend(this.#root, path, 1, texts)
    return leaf === undefined ? undefined : { leaf, texts }
  }
}

/** `at` is the index after a slash. Fills `texts` along the way and takes back what a dead end added. */
function descend<T>(node: Node<T>, path: string, at: number, texts: string[]): Leaf<T> | undefined {
  const slash = path.indexOf('/', at)
  const segment = slash < 0 ? path.slice(at) : path.slice(at, slash)
  const literal = node.literals.size === 0 ? undefined : literalOf(node, segment)
  if (literal !== undefined) {
    const leaf = slash < 0 ? literal.leaf : descend(literal, path, slash + 1, texts)
    if (leaf !== undefined) return leaf
  }
  if (node.parameter !== undefined) {
    texts.push(segment)
    const leaf = slash < 0 ? node.parameter.leaf : descend(node.parameter, path, slash + 1, texts)
    if (leaf !== undefined) return leaf
    texts.pop()
  }
  if (node.rest !== undefined) {
    texts.push(path.slice(at))
    return node.rest
  }
  return undefined
}

/** The child of a literal segment. A client may escape characters of it that need no escape. */
function literalOf<T>(node: Node<T>, segment: string): Node<T> | undefined {
  const plain = node.literals.get(segment)
  if (plain !== undefined || !segment.includes('%')) return plain
  const decoded = decodeComponent(segment)
  return decoded === undefined ? undefined : node.literals.get(decoded)
}
