import { type Document, isAlias, isMap, isPair, isScalar, isSeq, LineCounter, parseAllDocuments } from 'yaml'
import { CONFIG_DEPTH_MAX, CONFIG_NODES_MAX } from './limits.ts'
import { childKey, type MapNode, type Node } from './node.ts'
import type { Notice, Place, Problem } from './problems.ts'

/** What became of one YAML file. `root` is absent when the file is empty, not a map, or broken. */
export interface YamlFile {
  readonly root: MapNode | undefined
  readonly problems: readonly Problem[]
  readonly notices: readonly Notice[]
}

/**
 * Reads YAML 1.1, the version Synapse reads (`yes` and `on` are booleans, `0660` is octal, `<<` merges), into nodes
 * with line numbers. A key given twice: the last counts, as in Synapse, with a notice.
 */
export function readYaml(text: string, file: string): YamlFile {
  const lines = new LineCounter()
  const options = { version: '1.1', merge: true, uniqueKeys: false, prettyErrors: false } as const
  const documents = parseAllDocuments(text, { ...options, lineCounter: lines })
  const reading = new YamlReading(file, lines)
  if (!Array.isArray(documents) || documents.length === 0) return reading.result(undefined)
  const [first, second] = documents as Document[]
  if (second) reading.problem(second.range?.[0], '', 'expected one YAML document, found a second one')
  for (const error of [...first!.errors, ...first!.warnings]) {
    reading.problem(error.pos[0], '', `expected valid YAML: ${error.message}`)
  }
  if (reading.broken || first!.contents === null) return reading.result(undefined)
  return reading.result(reading.read(first!))
}

class YamlReading {
  readonly #file: string
  readonly #lines: LineCounter
  readonly #problems: Problem[] = []
  readonly #notices: Notice[] = []
  #count = 0

  constructor(file: string, lines: LineCounter) {
    this.#file = file
    this.#lines = lines
  }

  get broken(): boolean {
    return this.#problems.length > 0
  }

  result(root: Node | undefined): YamlFile {
    const map = root?.kind === 'map' ? root : undefined
    if (map === undefined && !this.broken) {
      const place = { file: this.#file, line: 0, key: '' }
      if (root === undefined) this.#notices.push({ kind: 'ignored', ...place, text: 'passed over: empty' })
      else this.#problems.push({ ...place, line: root.at.line, text: 'expected a map of keys to values' })
    }
    return { root: map, problems: this.#problems, notices: this.#notices }
  }

  problem(offset: number | undefined, key: string, text: string): void {
    this.#problems.push({ ...this.#at(offset, key), text })
  }

  read(document: Document): Node | undefined {
    return this.#convert(document.contents, document, '', 0, 0)
  }

  #at(offset: number | undefined, key: string): Place {
    const line = offset === undefined ? 0 : this.#lines.linePos(offset).line
    return { file: this.#file, line, key }
  }

  #convert(node: unknown, doc: Document, key: string, depth: number, keyOffset: number): Node | undefined {
    if (depth > CONFIG_DEPTH_MAX || ++this.#count > CONFIG_NODES_MAX) {
      const bounds = `expected at most ${CONFIG_DEPTH_MAX} levels and ${CONFIG_NODES_MAX} values`
      if (!this.broken) this.problem(keyOffset, key, `${bounds} (does an alias contain itself?)`)
      return undefined
    }
    if (node === null || node === undefined) {
      return { kind: 'scalar', at: this.#at(keyOffset, key), value: null, source: '' }
    }
    if (isAlias(node))
      return this.#convert(node.resolve(doc), doc, key, depth + 1, node.range?.[0] ?? keyOffset)
    if (isScalar(node)) return this.#scalar(node.value, node.source, node.range?.[0] ?? keyOffset, key)
    if (isSeq(node)) {
      const offset = node.range?.[0] ?? keyOffset
      const items = node.items.map((item, i) => this.#convert(item, doc, `${key}[${i}]`, depth + 1, offset))
      return { kind: 'list', at: this.#at(offset, key), items: items.filter((item) => item !== undefined) }
    }
    if (isMap(node)) return this.#map(node.items, doc, key, depth, node.range?.[0] ?? keyOffset)
    this.problem(keyOffset, key, 'expected a plain value, a list or a map')
    return undefined
  }

  #scalar(value: unknown, source: string | undefined, offset: number, key: string): Node | undefined {
    const at = this.#at(offset, key)
    // Python's reader, which Synapse uses, has no one-letter booleans: a user may be called y.
    if (typeof value === 'boolean' && source !== undefined && /^[yn]$/i.test(source))
      return { kind: 'scalar', at, value: source, source }
    if (
      typeof value === 'string' ||
      typeof value === 'number' ||
      typeof value === 'boolean' ||
      value === null
    ) {
      return { kind: 'scalar', at, value, source: source ?? String(value) }
    }
    // Dates stay as written: no option is a date, and some texts look like one.
    if (value instanceof Date) return { kind: 'scalar', at, value: source ?? '', source: source ?? '' }
    this.problem(offset, key, 'expected a plain value, a list or a map')
    return undefined
  }

  #map(items: readonly unknown[], doc: Document, key: string, depth: number, keyOffset: number): Node {
    const entries = new Map<string, Node>()
    const merged: Node[] = []
    for (const pair of items) {
      if (!isPair(pair)) continue
      const offset = isScalar(pair.key) ? (pair.key.range?.[0] ?? keyOffset) : keyOffset
      const name = isScalar(pair.key) ? keyName(pair.key.value, pair.key.source) : undefined
      if (name === undefined) {
        this.problem(offset, key, 'expected a plain key')
        continue
      }
      const path = name === '<<' ? key : childKey(key, name)
      const value = this.#convert(pair.value, doc, path, depth + 1, offset)
      if (value === undefined) continue
      if (name === '<<') merged.push(...(value.kind === 'list' ? value.items : [value]))
      else {
        if (entries.has(name)) this.#twice(offset, path, entries.get(name)!.at.line)
        entries.set(name, atKey(value, this.#at(offset, path).line))
      }
    }
    for (const source of merged) {
      if (source.kind !== 'map') continue
      for (const [name, value] of source.entries) if (!entries.has(name)) entries.set(name, value)
    }
    return { kind: 'map', at: this.#at(keyOffset, key), entries }
  }

  #twice(offset: number, key: string, firstLine: number): void {
    const text = `given twice; the value on line ${firstLine} is passed over`
    this.#notices.push({ kind: 'ignored', ...this.#at(offset, key), text })
  }
}

/** A value is reported on the line of its key: that is where a person looks. */
function atKey(node: Node, line: number): Node {
  return { ...node, at: { ...node.at, line } }
}

function keyName(value: unknown, source: string | undefined): string | undefined {
  if (typeof value === 'string') return value
  if (typeof value === 'symbol') return '<<'
  return source ?? (value === null ? undefined : String(value))
}
