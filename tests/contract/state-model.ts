/** What room state must be, kept as plain lists: the model that the store's packed rows are compared with. */
import type { StateDifference, StateEntry, StatePoint } from '#/ports/store/state.ts'

interface Change {
  readonly pos: number
  readonly key: string
  /** 0 takes the key away. */
  readonly event: number
}

interface Line {
  readonly parent: StatePoint | undefined
  readonly depth: number
  readonly changes: Change[]
}

export const keyName = (type: string, stateKey: string): string => `${type}|${stateKey}`

export class StateModel {
  readonly #lines = new Map<number, Line>([[0, { parent: undefined, depth: 0, changes: [] }]])

  get branches(): number[] {
    return [...this.#lines.keys()]
  }

  depth(branch: number): number {
    return this.#lines.get(branch)!.depth
  }

  /** Positions at which a branch changed. */
  positions(branch: number): number[] {
    return this.#lines.get(branch)!.changes.map((change) => change.pos)
  }

  branch(nid: number, parent: StatePoint): void {
    this.#lines.set(nid, { parent, depth: this.depth(parent.branch) + 1, changes: [] })
  }

  change(branch: number, pos: number, key: string, event: number): void {
    this.#lines.get(branch)!.changes.push({ pos, key, event })
  }

  /** Event by key; keys that were taken away are absent. */
  at({ branch, pos }: StatePoint): Map<string, number> {
    const line = this.#lines.get(branch)!
    const state = line.parent ? this.at(line.parent) : new Map<string, number>()
    for (const change of line.changes) {
      if (change.pos > pos) break
      if (change.event === 0) state.delete(change.key)
      else state.set(change.key, change.event)
    }
    return state
  }

  difference(from: StatePoint, to: StatePoint): Record<string, [number, number]> {
    const [a, b] = [this.at(from), this.at(to)]
    const differences: Record<string, [number, number]> = {}
    for (const key of new Set([...a.keys(), ...b.keys()])) {
      const pair: [number, number] = [a.get(key) ?? 0, b.get(key) ?? 0]
      if (pair[0] !== pair[1]) differences[key] = pair
    }
    return differences
  }
}

/** The store's answers in the model's form. A key named twice is an error. */
export function stateOf(entries: readonly StateEntry[]): Map<string, number> {
  const state = new Map<string, number>()
  for (const { type, stateKey, event } of entries) {
    const key = keyName(type, stateKey)
    if (state.has(key)) throw new Error(`${key} is named twice`)
    state.set(key, event)
  }
  return state
}

export function differencesOf(rows: readonly StateDifference[]): Record<string, [number, number]> {
  const differences: Record<string, [number, number]> = {}
  for (const { type, stateKey, from, to } of rows) {
    const key = keyName(type, stateKey)
    if (differences[key]) throw new Error(`${key} is named twice`)
    differences[key] = [from, to]
  }
  return differences
}
