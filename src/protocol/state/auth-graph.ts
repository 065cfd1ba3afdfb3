/**
 * The graph of auth events with events as small integers: walks over it, and from them the auth difference and
 * the conflicted state subgraph. Every walk keeps a mark for each event, so cycles and chains of any length
 * cost one visit per event, and nothing recurses.
 */

import type { EventId } from '../ids/event-id.ts'
import type { Asker } from './facts.ts'

/** Auth events of events, numbered in the order in which they are met. */
export class AuthGraph {
  readonly #asker: Asker
  readonly #numbers = new Map<EventId, number>()
  readonly #edges: (readonly number[] | undefined)[] = []
  readonly ids: EventId[] = []

  constructor(asker: Asker) {
    this.#asker = asker
  }

  /** The number of an event. */
  node(id: EventId): number {
    const known = this.#numbers.get(id)
    if (known !== undefined) return known
    const node = this.ids.length
    this.#numbers.set(id, node)
    this.ids.push(id)
    return node
  }

  /** The auth events of an event; empty while it is not loaded. */
  edges(node: number): readonly number[] {
    const known = this.#edges[node]
    if (known !== undefined) return known
    const edges = this.#asker.authEvents(this.ids[node] as EventId).map((id) => this.node(id))
    this.#edges[node] = edges
    return edges
  }

  /** Visits the given events and everything in their auth chains, each once. */
  walk(from: Iterable<number>, visit: (node: number) => void): void {
    const seen = new Set<number>(from)
    const open = [...seen]
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      visit(node)
      for (const next of this.edges(node)) {
        if (seen.has(next)) continue
        seen.add(next)
        open.push(next)
      }
    }
  }
}

/**
 * The events in the auth chains of some sets but not of all. The chain of a set holds the set's own events too:
 * the text of the specification leaves them out, every deployed server puts them in, and servers must agree.
 * @param conflicted per set, the events on which the sets differ
 * @param unconflicted the events that all sets share; looked at only if the difference depends on them
 */
export function authDifference(
  graph: AuthGraph,
  conflicted: readonly (readonly EventId[])[],
  unconflicted: () => Iterable<EventId>,
): Set<number> {
  const counts: number[] = []
  const inConflict = new Set<number>()
  for (const set of conflicted) {
    const nodes = set.map((id) => graph.node(id))
    for (const node of nodes) inConflict.add(node)
    graph.walk(nodes, (node) => {
      counts[node] = (counts[node] ?? 0) + 1
    })
  }
  const difference = new Set<number>()
  counts.forEach((count, node) => {
    if (count < conflicted.length) difference.add(node)
  })
  // Events in conflict belong to the full conflicted set anyway, so the shared state need not be walked for them.
  const undecided = [...difference].some((node) => !inConflict.has(node))
  if (undecided) {
    const shared = [...unconflicted()].map((id) => graph.node(id))
    graph.walk(shared, (node) => difference.delete(node))
  }
  return difference
}

/**
 * The events on any path of auth events from one event in conflict to another, both ends included.
 * https://spec.matrix.org/v1.19/rooms/v12/#definitions
 */
export function conflictedSubgraph(graph: AuthGraph, conflicted: Iterable<number>): Set<number> {
  const ends = new Set(conflicted)
  const citedBy = new Map<number, number[]>()
  graph.walk(ends, (node) => {
    for (const next of graph.edges(node)) {
      const citing = citedBy.get(next)
      if (citing === undefined) citedBy.set(next, [node])
      else citing.push(node)
    }
  })
  // Everything visited descends to here from a conflicted event; keep what also leads to one.
  const subgraph = new Set<number>(ends)
  const open = [...subgraph]
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    for (const citing of citedBy.get(node) ?? []) {
      if (subgraph.has(citing)) continue
      subgraph.add(citing)
      open.push(citing)
    }
  }
  return subgraph
}
