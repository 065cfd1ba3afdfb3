/** Room state: the log of changes against the history in each key's row, and both against the events. */
import { crc32 } from 'node:zlib'
import { EVENT_FLAGS } from '#/protocol/event/flags.ts'
import { heldMany } from '../queries/state-walk.ts'
import { placeholders, type Row, run, type Sql } from '../sql/sql.ts'
import { type Delta, type Held, unpackDeltas, unpackHeld } from '../sql/state-codec.ts'
import { walk } from './pages.ts'
import type { Findings } from './report.ts'
import { STAYING } from './staying.ts'

/** What the log says of one key: the newest entry, and a digest of those before it. */
interface Logged {
  readonly held: Held
  readonly count: number
  readonly digest: number
}

/** A branch of a room's state. `parent` is where it began, absent for the main line. */
interface Branch {
  readonly room: number
  readonly branch: number
  readonly parent?: { readonly branch: number; readonly pos: number }
}

/** Checks the main line of every room, then every branch. */
export function* verifyState(findings: Findings): Sql<void> {
  const text = `SELECT r.nid FROM rooms r WHERE ${STAYING} {after}`
  yield* walk(findings, { table: 'state_lines', text, key: [['r.nid', 'nid']] }, function* (rows) {
    for (const row of rows) yield* checkLine(findings, { room: row.nid as number, branch: 0 })
  })
  const branches = `SELECT b.nid, b.room, b.parent, b.parent_pos, b.depth, p.depth AS parent_depth,
      p.room AS parent_room FROM state_branches b LEFT JOIN state_branches p ON p.nid = b.parent
      LEFT JOIN rooms r ON r.nid = b.room WHERE ${STAYING} {after}`
  yield* walk(
    findings,
    { table: 'state_branches', text: branches, key: [['b.nid', 'nid']] },
    function* (rows) {
      for (const row of rows) {
        const parent = { branch: row.parent as number, pos: row.parent_pos as number }
        if (!checkBranchRow(findings, row)) continue
        yield* checkLine(findings, { room: row.room as number, branch: row.nid as number, parent })
      }
    },
  )
}

function checkBranchRow(findings: Findings, row: Row): boolean {
  const nid = row.nid as number
  const rooted = row.parent === 0 || row.parent_room === row.room
  if (!rooted) findings.add('state.branch', nid, `no branch ${row.parent} in its room`)
  if (rooted && row.depth !== ((row.parent_depth as number | null) ?? 0) + 1) {
    findings.add('state.branch', nid, `depth ${row.depth} under a parent at ${row.parent_depth ?? 0}`)
  }
  return rooted
}

/** One branch: replays its log, then compares each key's row with what the log says of it. */
function* checkLine(findings: Findings, line: Branch): Sql<void> {
  const log = new Map<number, Logged>()
  const upto = yield* replayChunks(findings, line, log)
  yield* replayTail(findings, line, log, upto)
  yield* compareKeys(findings, line, log)
  for (const key of log.keys()) {
    findings.add('state.history', nameOf(line, key), 'in the log of changes, but no row holds the key')
  }
}

const nameOf = ({ room, branch }: Branch, key: number | string): string => `${room} ${branch} ${key}`

/** The chunks of the log; gives the position up to which they reach. */
function* replayChunks(findings: Findings, line: Branch, log: Map<number, Logged>): Sql<number> {
  const text = `SELECT c.upto, c.since, c.data FROM state_delta_chunks c
    WHERE c.room = ?1 AND c.branch = ?2 {after}`
  const params = [line.room, line.branch]
  let upto = 0
  yield* walk(
    findings,
    { table: 'state_delta_chunks', text, params, key: [['c.upto', 'upto']] },
    function* (rows) {
      for (const row of rows) {
        yield* replayPart(findings, line, log, { row, name: `chunk ${row.upto}`, upto })
        upto = row.upto as number
      }
    },
  )
  return upto
}

/** The newest changes, which are not a chunk yet. */
function* replayTail(findings: Findings, line: Branch, log: Map<number, Logged>, upto: number): Sql<void> {
  const text = `SELECT t.branch, t.upto, t.since, t.entries, t.data FROM state_delta_tails t
    WHERE t.room = ?1 AND t.branch = ?2 {after}`
  const params = [line.room, line.branch]
  yield* walk(
    findings,
    { table: 'state_delta_tails', text, params, key: [['t.branch', 'branch']] },
    function* (rows) {
      for (const row of rows) {
        const entries = yield* replayPart(findings, line, log, { row, name: 'tail', upto })
        if (entries !== undefined && entries !== row.entries) {
          findings.add(
            'state.chunk',
            nameOf(line, 'tail'),
            `${row.entries} entries, but ${entries} are there`,
          )
        }
      }
    },
  )
}

interface Part {
  readonly row: Row
  readonly name: string
  /** The position up to which the part before it reaches. */
  readonly upto: number
}

/** Gives the number of changes in the part, if it can be read. */
function* replayPart(
  findings: Findings,
  line: Branch,
  log: Map<number, Logged>,
  { row, name, upto }: Part,
): Sql<number | undefined> {
  const where = nameOf(line, name)
  const deltas = decode(findings, where, () => unpackDeltas(row.data as Uint8Array))
  if (!deltas) return undefined
  if (deltas[0]?.pos !== row.since || deltas.at(-1)?.pos !== row.upto || (row.since as number) < upto) {
    findings.add('state.chunk', where, `does not reach from ${row.since} to ${row.upto}`)
  }
  yield* replay(findings, line, log, deltas)
  return deltas.length
}

function* replay(
  findings: Findings,
  line: Branch,
  log: Map<number, Logged>,
  deltas: readonly Delta[],
): Sql<void> {
  yield* checkEvents(findings, line, deltas)
  const fresh = line.parent ? deltas.map((delta) => delta.key).filter((key) => !log.has(key)) : []
  const inherited = line.parent ? yield* heldMany(line.room, line.parent, [...new Set(fresh)]) : undefined
  for (const { pos, key, event, prev } of deltas) {
    const before = log.get(key)
    const held = before ? before.held.event : (inherited?.get(key) ?? 0)
    if (prev !== held) {
      const what = `at ${pos} it says that event ${prev} held the key, but event ${held} did`
      findings.add('state.delta', nameOf(line, key), what)
    }
    if (before && pos < before.held.pos) {
      findings.add('state.delta', nameOf(line, key), `position ${pos} after ${before.held.pos}`)
    }
    log.set(key, logged(before, { pos, event }))
  }
}

/* A second change at one position replaces the first, as it does in the key's row. */
function logged(before: Logged | undefined, held: Held): Logged {
  if (!before) return { held, count: 1, digest: 0 }
  if (before.held.pos === held.pos) return { ...before, held }
  return { held, count: before.count + 1, digest: digestOf(before.held, before.digest) }
}

const digestOf = (held: Held, before: number): number => crc32(`${held.pos}:${held.event};`, before)

/** Every event in the log is a state event of that key in that room. */
function* checkEvents(findings: Findings, line: Branch, deltas: readonly Delta[]): Sql<void> {
  const nids = [...new Set(deltas.map((delta) => delta.event))].filter((nid) => nid !== 0)
  if (nids.length === 0) return
  const rows = yield* run(
    `SELECT e.nid, e.room, k.nid AS key_nid FROM events e
     LEFT JOIN state_keys k ON k.type = e.type AND k.state_key = e.state_key
     WHERE e.nid IN (${placeholders(1, nids.length)})`,
    ...nids,
  )
  const events = new Map(rows.map((row) => [row.nid as number, row]))
  for (const { pos, key, event } of deltas) {
    if (event === 0) continue
    const found = events.get(event)
    if (found?.room !== line.room || found.key_nid !== key) {
      findings.add('state.event', nameOf(line, key), `at ${pos}: event ${event} is not of that key and room`)
    }
  }
}

/** Each key's row: what holds it now, and its packed history against the log. */
function* compareKeys(findings: Findings, line: Branch, log: Map<number, Logged>): Sql<void> {
  const text = `SELECT s.state_key, s.event, s.pos, s.spilled, s.older, k.nid AS named, k.type,
      k.state_key AS name, e.room AS event_room, e.type AS event_type, e.state_key AS event_key, e.flags
    FROM room_state s LEFT JOIN state_keys k ON k.nid = s.state_key LEFT JOIN events e ON e.nid = s.event
    WHERE s.room = ?1 AND s.branch = ?2 {after}`
  const params = [line.room, line.branch]
  const key = [['s.state_key', 'state_key']] as const
  yield* walk(findings, { table: 'room_state', text, params, key }, function* (rows) {
    for (const row of rows) {
      checkHolder(findings, line, row)
      yield* compareHistory(findings, line, row, log)
    }
  })
}

function checkHolder(findings: Findings, line: Branch, row: Row): void {
  const name = nameOf(line, row.state_key as number)
  if (row.named === null) findings.add('state.key', name, 'the key has no name')
  if (row.event === 0) return
  const fits = row.event_room === line.room && row.event_type === row.type && row.event_key === row.name
  if (!fits) findings.add('state.event', name, `event ${row.event} is not of that key and room`)
  else if (((row.flags as number) & EVENT_FLAGS.rejected) !== 0) {
    findings.add('state.event', name, `event ${row.event} was rejected`)
  }
}

function* compareHistory(findings: Findings, line: Branch, row: Row, log: Map<number, Logged>): Sql<void> {
  const key = row.state_key as number
  const name = nameOf(line, key)
  const history: Held[] = []
  const spilled = yield* run(
    'SELECT upto, data FROM room_state_older WHERE room = ?1 AND branch = ?2 AND state_key = ?3 ORDER BY upto',
    line.room,
    line.branch,
    key,
  )
  if (spilled.length !== row.spilled) {
    findings.add(
      'state.history',
      name,
      `${row.spilled} rows of older holders, but ${spilled.length} are there`,
    )
  }
  for (const part of spilled) {
    const some = decode(findings, name, () => unpackHeld(part.data as Uint8Array))
    for (const held of some ?? []) history.push(held)
    if ((some?.at(-1)?.pos ?? 0) > (part.upto as number)) {
      findings.add('state.history', name, `a row up to ${part.upto} reaches beyond`)
    }
  }
  if (row.older !== null) {
    for (const held of decode(findings, name, () => unpackHeld(row.older as Uint8Array)) ?? [])
      history.push(held)
  }
  history.push({ pos: row.pos as number, event: row.event as number })
  let digest = 0
  let last = -1
  for (const [index, held] of history.entries()) {
    if (held.pos <= last) findings.add('state.history', name, `position ${held.pos} after ${last}`)
    last = held.pos
    if (index < history.length - 1) digest = digestOf(held, digest)
  }
  const entry = log.get(key)
  log.delete(key)
  const same =
    entry?.count === history.length &&
    entry.digest === digest &&
    entry.held.pos === row.pos &&
    entry.held.event === row.event
  if (!same) findings.add('state.history', name, 'the history of the key differs from the log of changes')
}

function decode<T>(findings: Findings, name: string, unpack: () => T): T | undefined {
  try {
    return unpack()
  } catch (error) {
    findings.add('state.packed', name, (error as Error).message)
    return undefined
  }
}
