/**
 * Small prototypes of other ways to keep room state, on the same history as state.ts, for the table in
 * docs/decisions/0002-room-state.md. Reads run on the calling thread, without names of keys.
 * node bench/state/candidates.ts
 */
import { DatabaseSync } from 'node:sqlite'
import { packUints, unpackUints } from '#/storage/sql/varint.ts'
import { memberChanges, seeded, timed } from './walk.ts'

const [USERS, CHANGES] = [10_000, 100_000]

interface Change {
  readonly pos: number
  readonly key: number
}

/** The history by numbers: the event of a change has its position as row id. */
function history(db: DatabaseSync): Change[] {
  db.exec(`CREATE TABLE state_keys (nid INTEGER NOT NULL PRIMARY KEY, type TEXT NOT NULL, state_key TEXT NOT NULL,
    UNIQUE (type, state_key)) STRICT`)
  const insert = db.prepare(`INSERT INTO state_keys VALUES (?, 'm.room.member', ?)`)
  const keys = new Map<string, number>()
  const changes: Change[] = []
  let next = 0
  for (const { user } of memberChanges(USERS, CHANGES)) {
    let key = keys.get(user)
    if (key === undefined) {
      key = ++next
      keys.set(user, key)
      insert.run(key, user)
    }
    changes.push({ pos: ++next, key })
  }
  return changes
}

function bytes(db: DatabaseSync): number {
  return Number(db.prepare('SELECT SUM(pgsize) AS n FROM dbstat').get()?.['n'])
}

interface Candidate {
  readonly name: string
  /** Stores the history; gives how many of its changes the bytes are to be divided by. */
  build(db: DatabaseSync, changes: readonly Change[]): number
  reads(db: DatabaseSync): {
    full(pos: number): Map<number, number>
    some(pos: number, keys: readonly number[]): Map<number, number>
    difference(from: number, to: number): number
  }
}

const log: Candidate = {
  name: '(b) log of change rows with an index',
  build(db, changes) {
    db.exec(`CREATE TABLE log (room INTEGER NOT NULL, state_key INTEGER NOT NULL, pos INTEGER NOT NULL,
        event INTEGER NOT NULL, PRIMARY KEY (room, state_key, pos)) STRICT, WITHOUT ROWID;
      CREATE INDEX log_by_pos ON log (room, pos)`)
    const insert = db.prepare('INSERT INTO log VALUES (1, ?, ?, ?)')
    for (const { pos, key } of changes) insert.run(key, pos, pos)
    return changes.length
  },
  reads(db) {
    const full = db.prepare(
      'SELECT state_key, event, MAX(pos) FROM log WHERE room = 1 AND pos <= ? GROUP BY state_key',
    )
    const one = db.prepare(
      'SELECT event FROM log WHERE room = 1 AND state_key = ? AND pos <= ? ORDER BY pos DESC LIMIT 1',
    )
    const between = db.prepare('SELECT DISTINCT state_key FROM log WHERE room = 1 AND pos > ? AND pos <= ?')
    full.setReturnArrays(true)
    const at = (pos: number, key: number): number => Number(one.get(key, pos)?.['event'] ?? 0)
    return {
      full: (pos) => new Map((full.all(pos) as unknown as number[][]).map((row) => [row[0]!, row[1]!])),
      some: (pos, keys) => new Map(keys.map((key) => [key, at(pos, key)])),
      difference: (from, to) =>
        between.all(from, to).filter((row) => {
          const key = Number(row['state_key'])
          return at(from, key) !== at(to, key)
        }).length,
    }
  },
}

/** Hops after which a group holds the whole state, as in Synapse. */
const HOPS_MAX = 100
/** Changes measured with all members in the room: 20 whole states of 10,000 rows. */
const GROUPS = 2000

const groups: Candidate = {
  name: `(c) a group per change, whole every ${HOPS_MAX} (rows)`,
  build(db, changes) {
    db.exec(`CREATE TABLE edges (nid INTEGER NOT NULL PRIMARY KEY, prev INTEGER) STRICT;
      CREATE TABLE held (nid INTEGER NOT NULL, state_key INTEGER NOT NULL, event INTEGER NOT NULL,
        PRIMARY KEY (nid, state_key)) STRICT, WITHOUT ROWID;
      CREATE TABLE of_event (event INTEGER NOT NULL PRIMARY KEY, nid INTEGER NOT NULL) STRICT`)
    const edge = db.prepare('INSERT INTO edges VALUES (?, ?)')
    const hold = db.prepare('INSERT INTO held VALUES (?, ?, ?)')
    const name = db.prepare('INSERT INTO of_event VALUES (?, ?)')
    const state = new Map<number, number>()
    const start = changes.length - GROUPS
    for (const [index, { pos, key }] of changes.entries()) {
      state.set(key, pos)
      if (index < start) continue
      const whole = (index - start) % HOPS_MAX === 0
      edge.run(pos, whole ? null : changes[index - 1]!.pos)
      name.run(pos, pos)
      if (whole) for (const [each, event] of state) hold.run(pos, each, event)
      else hold.run(pos, key, pos)
    }
    return GROUPS
  },
  reads(db) {
    const chainOf = db.prepare(`WITH RECURSIVE chain (nid) AS (SELECT ? UNION ALL
      SELECT prev FROM chain JOIN edges USING (nid) WHERE prev IS NOT NULL) SELECT nid FROM chain`)
    const rows = db.prepare('SELECT state_key, event FROM held WHERE nid = ?')
    const one = db.prepare('SELECT event FROM held WHERE nid = ? AND state_key = ?')
    const chain = (pos: number): number[] => chainOf.all(pos).map((row) => Number(row['nid']))
    const full = (pos: number): Map<number, number> => {
      const held = new Map<number, number>()
      for (const nid of chain(pos).reverse()) {
        for (const row of rows.all(nid)) held.set(Number(row['state_key']), Number(row['event']))
      }
      return held
    }
    return {
      full,
      some(pos, keys) {
        const held = new Map<number, number>()
        for (const nid of chain(pos)) {
          for (const key of keys) {
            const row = held.has(key) ? undefined : one.get(nid, key)
            if (row) held.set(key, Number(row['event']))
          }
        }
        return held
      },
      difference(from, to) {
        const [a, b] = [full(from), full(to)]
        return [...b].filter(([key, event]) => a.get(key) !== event).length
      },
    }
  },
}

const SNAPSHOT_CHANGES = 1000

const snapshots: Candidate = {
  name: `(d) a packed whole state per ${SNAPSHOT_CHANGES} changes, packed changes between`,
  build(db, changes) {
    db.exec(`CREATE TABLE snapshots (room INTEGER NOT NULL, pos INTEGER NOT NULL, whole BLOB NOT NULL,
      changes BLOB NOT NULL, PRIMARY KEY (room, pos)) STRICT, WITHOUT ROWID`)
    const insert = db.prepare('INSERT INTO snapshots VALUES (1, ?, ?, ?)')
    const state = new Map<number, number>()
    for (let at = 0; at < changes.length; at += SNAPSHOT_CHANGES) {
      const some = changes.slice(at, at + SNAPSHOT_CHANGES)
      const whole = packUints([...state].flat())
      insert.run(some[0]!.pos, whole, packUints(some.flatMap(({ pos, key }) => [pos - some[0]!.pos, key])))
      for (const { pos, key } of some) state.set(key, pos)
    }
    return changes.length
  },
  reads(db) {
    const find = db.prepare('SELECT * FROM snapshots WHERE room = 1 AND pos <= ? ORDER BY pos DESC LIMIT 1')
    const full = (pos: number): Map<number, number> => {
      const row = find.get(pos)!
      const held = new Map<number, number>()
      const whole = unpackUints(row['whole'] as Uint8Array)
      for (let i = 0; i < whole.length; i += 2) held.set(whole[i]!, whole[i + 1]!)
      const changes = unpackUints(row['changes'] as Uint8Array)
      for (let i = 0; i < changes.length; i += 2) {
        const at = changes[i]! + Number(row['pos'])
        if (at > pos) break
        held.set(changes[i + 1]!, at)
      }
      return held
    }
    return {
      full,
      some(pos, keys) {
        const held = full(pos)
        return new Map(keys.map((key) => [key, held.get(key) ?? 0]))
      },
      difference(from, to) {
        const [a, b] = [full(from), full(to)]
        return [...b].filter(([key, event]) => a.get(key) !== event).length
      },
    }
  },
}

for (const candidate of [log, groups, snapshots]) {
  using db = new DatabaseSync(':memory:')
  db.exec('BEGIN')
  const changes = history(db)
  const keys = bytes(db)
  const over = candidate.build(db, changes)
  db.exec('COMMIT; VACUUM')
  const perChange = (bytes(db) - keys) / over + keys / CHANGES
  console.log(`${candidate.name}: ${perChange.toFixed(1)} bytes per change, names of keys included`)
  const { full, some, difference } = candidate.reads(db)
  const below = seeded(2)
  const reach = over - 200
  const any = (): number => changes[changes.length - 1 - below(reach)]!.pos
  await timed('full state at a random event', 20, () => full(any()))
  await timed('five keys at a random event', 100, () =>
    some(
      any(),
      Array.from({ length: 5 }, () => changes[below(USERS)]!.key),
    ),
  )
  await timed('difference of two states 100 changes apart', 50, () => {
    const at = changes.length - 101 - below(reach - 200)
    return difference(changes[at]!.pos, changes[at + 100]!.pos)
  })
}
