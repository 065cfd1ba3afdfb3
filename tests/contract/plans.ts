/** Short ways to make plans for the contract. */
import assert from 'node:assert/strict'
import type { EventOp } from '#/ports/store/events.ts'
import type { CommitResult, Conflict, Op, Plan } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'

type Insert = Extract<EventOp, { op: 'event.insert' }>

let last = 0

/** A name nobody used before in this process, so that tests can share a store. */
export function fresh(prefix: string): string {
  return `${prefix}${++last}`
}

export function user(name = 'u'): string {
  return `@${fresh(name)}:contract.example`
}

/** An event with everything filled in; `more` overrides. */
export function insert(more: Partial<Insert> & Pick<Insert, 'room'>): Insert {
  const eventId = more.eventId ?? `$${fresh('event')}`
  return {
    op: 'event.insert',
    slot: 0,
    eventId,
    type: 'm.room.message',
    stateKey: null,
    sender: '@sender:contract.example',
    ts: 1000,
    depth: 1,
    json: JSON.stringify({ id: eventId }),
    flags: 0,
    rejectedRule: null,
    authEvents: [],
    live: true,
    ...more,
  }
}

export const ofLane = (lane: string, ...ops: readonly Op[]): Plan => ({ lane, ops })

/** Commits operations that nothing may refuse; gives the accepted result. */
export async function accepted(
  store: Store,
  lane: string,
  ...ops: readonly Op[]
): Promise<Extract<CommitResult, { ok: true }>> {
  const result = await store.commit({ lane, ops })
  assert.ok(result.ok, `refused: ${JSON.stringify(result)}`)
  return result
}

/** Commits operations that a guard must refuse; gives the conflict. */
export async function refused(store: Store, lane: string, ...ops: readonly Op[]): Promise<Conflict> {
  const result = await store.commit({ lane, ops })
  assert.ok(!result.ok, 'nothing refused the plan')
  const { ok, ...conflict } = result
  return conflict
}

/** A new empty room; gives its row id and its id, which is its lane. */
export async function newRoom(store: Store): Promise<{ room: number; lane: string }> {
  const lane = `!${fresh('room')}:contract.example`
  const { results } = await accepted(store, lane, { op: 'room.create', roomId: lane, version: '11' })
  return { room: results[0] as number, lane }
}

export function account(name: string): Op {
  return { op: 'account.create', user: name, passwordHash: 'hash', admin: false, guest: false, ts: 7 }
}
