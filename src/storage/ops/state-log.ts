/** The log of a branch's changes: a tail that grows, cut into chunks. docs/decisions/0002-room-state.md */
import { StoreError } from '#/base/store-error.ts'
import { STATE_TAIL_ROWS } from '../limits.ts'
import { first, run, type Sql } from '../sql/sql.ts'
import { type Delta, joined, packDeltas, unpackDeltas } from '../sql/state-codec.ts'
import type { Known, PlanContext, Tail } from './context.ts'

const NONE = new Uint8Array(0)

/* The tail comes with the room or the branch, so that a change of neither is refused. */
const MAIN_TAIL = `SELECT t.entries, t.since, t.upto, t.data FROM rooms r
  LEFT JOIN state_delta_tails t ON t.room = r.nid AND t.branch = ?2 WHERE r.nid = ?1`
const BRANCH_TAIL = `SELECT t.entries, t.since, t.upto, t.data FROM state_branches b
  LEFT JOIN state_delta_tails t ON t.room = b.room AND t.branch = b.nid WHERE b.room = ?1 AND b.nid = ?2`

/** Adds changes to a branch's tail, which becomes a chunk when it is long enough. `writeTails` writes it. */
export function* addDeltas(known: Known, room: number, branch: number, deltas: readonly Delta[]): Sql<void> {
  const name = `${room} ${branch}`
  const before = known.tails.get(name) ?? (yield* readTail(room, branch))
  const entries = before.entries + deltas.length
  const upto = deltas.at(-1)!.pos
  const tail: Tail = {
    room,
    branch,
    entries,
    since: before.entries > 0 ? before.since : deltas[0]!.pos,
    upto,
    data: joined(before.data, packDeltas(deltas, before.entries > 0 ? before.upto : 0)),
    stored: false,
  }
  if (entries >= STATE_TAIL_ROWS) {
    yield* writeChunk(tail)
    known.tails.set(name, { ...tail, entries: 0, data: NONE })
  } else known.tails.set(name, tail)
}

function* readTail(room: number, branch: number): Sql<Tail> {
  const row = yield* first(branch === 0 ? MAIN_TAIL : BRANCH_TAIL, room, branch)
  if (!row) throw new StoreError('invalid', 'state changed on a room or branch that does not exist')
  const { entries, since, upto, data } = row as { [name: string]: number | null } & {
    data: Uint8Array | null
  }
  return {
    room,
    branch,
    entries: entries ?? 0,
    since: since ?? 0,
    upto: upto ?? 0,
    data: data ?? NONE,
    stored: true,
  }
}

function* writeChunk(tail: Tail): Sql<void> {
  /* A plan may change much at one position; what it packed before belongs to the same chunk. */
  const same = yield* first(
    'SELECT data FROM state_delta_chunks WHERE room = ?1 AND branch = ?2 AND upto = ?3',
    tail.room,
    tail.branch,
    tail.upto,
  )
  const data = same
    ? packDeltas([...unpackDeltas(same.data as Uint8Array), ...unpackDeltas(tail.data)])
    : tail.data
  yield* run(
    `INSERT INTO state_delta_chunks (room, branch, upto, since, data) VALUES (?1, ?2, ?3, ?4, ?5)
     ON CONFLICT (room, branch, upto) DO UPDATE SET data = excluded.data`,
    tail.room,
    tail.branch,
    tail.upto,
    tail.since,
    data,
  )
}

/**
 * Forgets what is known of the database, for operations that change rows behind it. Other plans of the same transaction
 * may have left tails there that are not written yet: these go to their rows first.
 */
export function* forgetKnown(ctx: PlanContext): Sql<void> {
  yield* writeTails(ctx.known)
  ctx.known.clear()
  ctx.interned.clear()
}

/** Writes the tails that changed. */
export function* writeTails(known: Known): Sql<void> {
  for (const [name, tail] of known.tails) {
    if (tail.stored) continue
    known.tails.set(name, { ...tail, stored: true })
    if (tail.entries === 0) {
      yield* run('DELETE FROM state_delta_tails WHERE room = ?1 AND branch = ?2', tail.room, tail.branch)
      continue
    }
    yield* run(
      `INSERT INTO state_delta_tails (room, branch, since, upto, entries, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
       ON CONFLICT (room, branch) DO UPDATE SET since = excluded.since, upto = excluded.upto,
         entries = excluded.entries, data = excluded.data`,
      tail.room,
      tail.branch,
      tail.since,
      tail.upto,
      tail.entries,
      tail.data,
    )
  }
}
