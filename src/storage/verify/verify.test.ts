import assert from 'node:assert/strict'
import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import { type LogLine, memoryLog } from '#/base/log.ts'
import { StoreError } from '#/base/store-error.ts'
import { filledSqlite, tempFolder } from '../../../tests/support/filled-database.ts'
import { type Delta, packDeltas, unpackDeltas } from '../sql/state-codec.ts'
import type { VerifyReport } from './report.ts'
import { runVerify } from './run-verify.ts'
import { verifySqlite } from './verify-sqlite.ts'

let folder: string
let clean: string
let work: string

before(async () => {
  folder = tempFolder('verify')
  clean = await filledSqlite(folder)
  work = join(folder, 'damaged.db')
})
after(() => rmSync(folder, { recursive: true }))

const verify = (path: string): VerifyReport => verifySqlite(path, () => {})

/** Verifies a copy of the clean database after the statements. */
function damaged(...statements: string[]): VerifyReport {
  return damagedBy((db) => {
    for (const text of statements)
      assert.notEqual(Number(db.prepare(text).run().changes), 0, `${text}: no row`)
  })
}

function damagedBy(change: (db: DatabaseSync) => void): VerifyReport {
  rmSync(`${work}-wal`, { force: true })
  rmSync(`${work}-shm`, { force: true })
  copyFileSync(clean, work)
  const db = new DatabaseSync(work, { enableForeignKeyConstraints: false })
  try {
    change(db)
  } finally {
    db.close()
  }
  return verify(work)
}

describe('verify', () => {
  it('finds nothing in a clean database and says what it looked at', () => {
    const report = verify(clean)
    assert.deepEqual(report.findings, [])
    assert.equal(report.ok, true)
    for (const table of [
      'events',
      'event_originals',
      'event_txns',
      'rooms',
      'members',
      'local_memberships',
    ]) {
      assert.ok((report.checked[table] ?? 0) > 0, `${table} was not looked at`)
    }
    for (const table of [
      'state_delta_chunks',
      'state_delta_tails',
      'room_state',
      'state_branches',
      'tokens',
      'jobs',
      'receipts',
      'event_kinds',
      'thread_news',
      'push_actions',
      'push_profiles',
      'pushers',
      'room_facts',
    ]) {
      assert.ok((report.checked[table] ?? 0) > 0, `${table} was not looked at`)
    }
    assert.equal(report.serverName, 'test.example')
  })

  it('runs on a thread of its own and logs what it finds', async () => {
    damaged('UPDATE room_heads SET joined = joined + 1')
    const lines: LogLine[] = []
    const report = await runVerify({ database: { engine: 'sqlite', path: work }, log: memoryLog(lines) })
    assert.equal(report.ok, false)
    assert.equal(report.counts['room.joined'], 2)
    assert.deepEqual(
      lines.map((line) => line.fields.kind),
      ['room.joined', 'room.joined'],
    )
  })

  it('finds a published room with a wrong number of members, and rows of no room', () => {
    const row = 'INSERT INTO published_rooms (room, shown, joined, search)'
    const wrong = damaged(`${row} SELECT room, 1, joined + 1, '' FROM room_heads LIMIT 1`)
    assert.deepEqual(wrong.counts, { 'published.joined': 1 })
    const lost = damaged(`${row} VALUES (1234567, 1, 1, '')`)
    assert.deepEqual(lost.counts, { 'room.missing': 1 })
  })

  it('refuses what is not ours, untouched', async () => {
    const other = join(folder, 'other.db')
    const db = new DatabaseSync(other)
    db.exec('CREATE TABLE notes (text)')
    db.close()
    const bytes = readFileSync(other)
    for (const path of [other, join(folder, 'absent.db')]) {
      const run = runVerify({ database: { engine: 'sqlite', path }, log: memoryLog([]) })
      await assert.rejects(run, (error) => error instanceof StoreError && error.kind === 'refused')
    }
    assert.deepEqual(readFileSync(other), bytes)
  })
})

it('the manual explains every kind of finding, and no other', () => {
  const manual = readFileSync('docs/operating/verify.md', 'utf8')
  const folder = new URL('.', import.meta.url).pathname
  const named = new Set<string>()
  for (const file of readdirSync(folder).filter((name) => !name.includes('.test.'))) {
    const text = readFileSync(join(folder, file), 'utf8')
    for (const [, kind = ''] of text.matchAll(/(?:add\(\s*|\? |\[|return \[|: )'([a-z_]{2,}\.[a-z_]+)'/g))
      named.add(kind)
    for (const [, table, column] of text.matchAll(/jsonCheck\('(\w+)', \[[^\]]*\], '(\w+)'/g))
      named.add(`${table}.${column}`)
  }
  const explained = new Set<string>()
  for (const line of manual.split('\n').filter((line) => line.startsWith('| `'))) {
    for (const [, kind = ''] of (line.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)) explained.add(kind)
  }
  assert.deepEqual([...explained].sort(), [...named].sort())
})

describe('verify finds one changed byte in any column of an event row', () => {
  const columns =
    `nid room arrival depth flags ts redacted_by state_branch state_pos checksum auth event_id type
    sender state_key rejected_rule json`.split(/\s+/)

  it('names every column of the table', () => {
    const db = new DatabaseSync(clean, { readOnly: true })
    const names = db.prepare(`SELECT name FROM pragma_table_info('events')`).all()
    db.close()
    assert.deepEqual(names.map((row) => row.name).sort(), [...columns].sort())
  })

  for (const column of columns) {
    it(column, () => {
      const report = damagedBy((db) => {
        const nid = eventWith(db, column)
        const value = db.prepare(`SELECT ${column} AS v FROM events WHERE nid = ?`).get(nid)?.v
        db.prepare(`UPDATE events SET ${column} = ? WHERE nid = ?`).run(flipped(value as never), nid)
      })
      assert.ok((report.counts['event.checksum'] ?? 0) > 0, JSON.stringify(report.counts))
    })
  }

  /** A row in which the column holds a value, or any row when none does. */
  function eventWith(db: DatabaseSync, column: string): number {
    const text = `SELECT nid FROM events ORDER BY ${column} IS NULL, state_key IS NULL, -length(state_key), nid LIMIT 1`
    return db.prepare(text).get()?.nid as number
  }

  function flipped(value: string | number | Uint8Array | null): string | number | Uint8Array {
    if (value === null) return column0()
    if (typeof value === 'number') return value ^ 1 || value + 1
    if (typeof value === 'string') return value.length === 0 ? 'x' : `${flipChar(value)}${value.slice(1)}`
    const bytes = new Uint8Array(value)
    bytes[0] = (bytes[0] ?? 0) ^ 1
    return bytes
  }

  const column0 = (): string => '1'
  const flipChar = (text: string): string => String.fromCharCode(text.charCodeAt(0) ^ 1)
})

describe('verify finds bytes changed in the file', () => {
  it('in the rows of events, wherever they are', () => {
    const bytes = readFileSync(clean)
    const rows = eventRows(bytes)
    assert.ok(rows.length > 600, `only ${rows.length} rows were found in the file`)
    let seed = 12345
    const random = (limit: number): number => {
      seed = (seed * 1103515245 + 12345) % 2147483648
      return Math.floor((seed / 2147483648) * limit)
    }
    for (let i = 0; i < 60; i++) {
      const row = rows[random(rows.length)]
      assert.ok(row)
      const at = row.start + random(row.end - row.start)
      if (at === row.unread) continue
      const copy = Buffer.from(bytes)
      copy[at] = (copy[at] ?? 0) ^ (1 << random(8))
      writeFileSync(work, copy)
      const report = verify(work)
      const found =
        (report.counts['event.checksum'] ?? 0) +
        (report.counts['event.text'] ?? 0) +
        (report.counts['database.integrity'] ?? 0) +
        (report.counts['database.unreadable'] ?? 0)
      assert.ok(
        found > 0,
        `byte ${at} of a row from ${row.start} to ${row.end}: ${JSON.stringify(report.counts)}`,
      )
    }
  })

  /**
   * The cells of rows that lie whole on one page, found by their texts. A page keeps dead copies of rows between its
   * cells; only what a cell pointer names is a row. https://www.sqlite.org/fileformat2.html#b_tree_pages
   */
  function eventRows(bytes: Buffer): { start: number; end: number; unread: number }[] {
    const pageBytes = bytes.readUInt16BE(16)
    const rows: { start: number; end: number; unread: number }[] = []
    for (const body of eventBodies()) {
      for (let at = bytes.indexOf(body); at >= 0; at = bytes.indexOf(body, at + 1)) {
        const page = at - (at % pageBytes)
        const cells = bytes.readUInt16BE(page + 3)
        for (let i = 0; i < cells; i++) {
          const start = page + bytes.readUInt16BE(page + 8 + 2 * i)
          if (start < at && at - start < 100)
            rows.push({ start, end: at + body.length, unread: rowIdType(bytes, start) })
        }
      }
    }
    return rows
  }

  /**
   * SQLite keeps a row's integer key before the record and never reads the record's own entry for it, one byte that
   * can change without any effect: it stands behind the lengths of the record, the key and the record's header.
   */
  function rowIdType(bytes: Buffer, start: number): number {
    let at = start
    for (let numbers = 0; numbers < 3; numbers++) {
      while ((bytes[at] ?? 0) >= 0x80) at++
      at++
    }
    return at
  }

  /** The part of each row behind its numbers, as it lies in the file. */
  function eventBodies(): Buffer[] {
    const db = new DatabaseSync(clean, { readOnly: true })
    const events = db.prepare('SELECT auth, event_id, type, sender, state_key, json FROM events').all()
    db.close()
    return events.map(({ auth, event_id, type, sender, state_key, json }) =>
      Buffer.concat([
        auth as Uint8Array,
        Buffer.from(`${event_id}${type}${sender}${state_key ?? ''}${json}`),
      ]),
    )
  }
})

describe('verify finds a broken', () => {
  const first = `(SELECT nid FROM events WHERE type = 'm.room.message' ORDER BY nid LIMIT 1)`
  const cases: [kind: string, ...statements: string[]][] = [
    ['event.room', `DELETE FROM rooms WHERE nid = (SELECT MIN(nid) FROM rooms)`],
    ['event.arrival', `UPDATE events SET flags = 4 WHERE nid = ${first}`],
    ['event.arrival', `UPDATE events SET arrival = 1 WHERE nid = ${first}`],
    ['event.flags', `UPDATE events SET flags = 64 WHERE nid = ${first}`],
    ['event.flags', `UPDATE events SET rejected_rule = 'x' WHERE nid = ${first}`],
    ['event.json', `UPDATE events SET json = substr(json, 2) WHERE nid = ${first}`],
    ['event.id', `UPDATE events SET event_id = '$x' || substr(event_id, 3) WHERE nid = ${first}`],
    ['event.content_hash', `UPDATE events SET json = replace(json, 'message 3', 'message 4')`],
    ['event.columns', `UPDATE events SET sender = '@x:test.example' WHERE nid = ${first}`],
    ['event.auth', `DELETE FROM events WHERE type = 'm.room.power_levels'`],
    ['event.redacted_by', `DELETE FROM events WHERE type = 'm.room.redaction'`],
    [
      'event.redacted_form',
      `UPDATE events SET json = (SELECT json FROM event_originals WHERE event = nid) WHERE redacted_by IS NOT NULL`,
    ],
    ['event.state_point', `DELETE FROM state_branches`],
    ['original.event', `UPDATE event_originals SET event = event + 100000`],
    ['original.id', `UPDATE event_originals SET json = (SELECT json FROM events WHERE nid = ${first})`],
    ['txn.event', `UPDATE event_txns SET event = 9999999 WHERE event = (SELECT MAX(event) FROM event_txns)`],
    [
      'relation.event',
      `UPDATE event_relations SET event = ${first} WHERE rel_type = 'm.replace' AND event = (SELECT MIN(event) FROM event_relations WHERE rel_type = 'm.replace')`,
    ],
    ['relation.event', `UPDATE event_relations SET sender = 'x'`],
    ['relation.event', 'DELETE FROM relation_targets'],
    ['relation.sums', `DELETE FROM event_relations WHERE rel_type = 'm.reference'`],
    ['relation.sums', 'UPDATE relation_targets SET thread_count = thread_count + 1'],
    ['relation.sums', 'UPDATE relation_targets SET thread_event = thread_event - 1'],
    ['relation.target', 'DELETE FROM event_relations'],
    ['room.version', `UPDATE rooms SET version = '99'`],
    ['room.head', `DELETE FROM room_heads`],
    ['room.head', `UPDATE room_heads SET extremities = '[1]'`],
    ['room.extremity', `UPDATE room_heads SET extremities = '["$unknown"]'`],
    ['room.extremity', `UPDATE room_heads SET room = room + 1000000`, 'UPDATE rooms SET nid = nid + 1000000'],
    ['room.depth', 'UPDATE room_heads SET depth = depth - 1'],
    ['room.joined', 'UPDATE room_heads SET joined = joined + 1'],
    ['room.invited', 'UPDATE room_heads SET invited = 0'],
    ['room.create', `DELETE FROM state_keys WHERE type = 'm.room.create'`],
    ['room.missing', 'DELETE FROM rooms'],
    ['membership.missing', `DELETE FROM local_memberships WHERE membership = 'join'`],
    ['membership.state', `UPDATE local_memberships SET membership = 'join' WHERE membership = 'leave'`],
    [
      'membership.state',
      `DELETE FROM room_state WHERE state_key = (SELECT nid FROM state_keys WHERE state_key = '@bob:test.example')`,
    ],
    ['membership.event', `UPDATE local_memberships SET event = ${first}`],
    ['membership.event', `UPDATE local_memberships SET membership = 'ban'`],
    ['membership.value', `UPDATE local_memberships SET membership = 'here'`],
    ['membership.user', `UPDATE local_memberships SET user_id = user_id || 'x'`],
    ['membership.room', 'UPDATE local_memberships SET room = room + 1000000'],
    ['membership.stripped', `UPDATE local_memberships SET stripped = '{'`],
    ['state.event', `UPDATE room_state SET event = ${first} WHERE branch = 0`],
    ['state.key', `DELETE FROM state_keys WHERE type = 'm.room.topic'`],
    ['state.history', 'UPDATE room_state SET pos = pos + 1'],
    ['state.history', 'DELETE FROM state_delta_tails'],
    ['state.history', 'DELETE FROM room_state_older'],
    ['state.history', 'UPDATE room_state SET older = NULL'],
    ['state.history', `DELETE FROM room_state WHERE branch <> 0`],
    ['state.packed', `UPDATE room_state SET older = x'ff'`],
    ['state.packed', `UPDATE state_delta_chunks SET data = x'80'`],
    ['state.chunk', 'UPDATE state_delta_chunks SET since = since - 1'],
    ['state.chunk', 'UPDATE state_delta_chunks SET upto = upto + 1'],
    ['state.chunk', 'UPDATE state_delta_tails SET since = since - 1'],
    ['state.chunk', 'UPDATE state_delta_tails SET upto = upto + 1'],
    ['state.chunk', 'UPDATE state_delta_tails SET entries = entries + 1'],
    ['state.packed', `UPDATE state_delta_tails SET data = x'80'`],
    ['state.branch', 'UPDATE state_branches SET depth = 7'],
    ['state.branch', 'UPDATE state_branches SET parent = 9999999'],
    ['account.folded', `UPDATE accounts SET folded = 'x'`],
    ['device.account', 'DELETE FROM accounts'],
    ['token.account', 'DELETE FROM accounts'],
    ['token.device', 'DELETE FROM devices'],
    ['token.kind', `UPDATE tokens SET kind = 'other'`],
    ['profiles.fields', `UPDATE profiles SET fields = '[]'`],
    ['filters.json', `UPDATE filters SET json = 'x'`],
    ['uia_sessions.data', `UPDATE uia_sessions SET data = ''`],
    ['jobs.data', `UPDATE jobs SET data = '{'`],
    ['account_data.content', `UPDATE account_data SET content = 'null'`],
    ['count.event', `UPDATE event_kinds SET room = room + 1`],
    ['count.totals', `UPDATE event_kinds SET totals = x'0102'`],
    ['count.thread', `UPDATE thread_news SET latest = latest + 1`],
    ['count.kind', `UPDATE push_actions SET kind = 77`],
    ['count.profile', `UPDATE push_profiles SET profile = 'x'`],
    ['inbox.device', `UPDATE inboxes SET device_id = 'LOST' WHERE device_id = 'DEVICE'`],
    ['device.inbox', `DELETE FROM inboxes`],
    ['inbox.sums', `UPDATE inboxes SET waiting = waiting + 1`],
    ['inbox.refs', `UPDATE inbox_contents SET refs = 9`],
    ['inbox.content', `UPDATE inbox_contents SET content = '{x'`],
    ['inbox.lost', `DELETE FROM inbox_contents`],
    ['backup.account', `UPDATE backup_versions SET user_id = '@nobody:x'`],
    ['backup.count', `UPDATE backup_versions SET keys = 7`],
    ['backup.data', `UPDATE backup_versions SET auth_data = '{'`],
    ['backup.last', `UPDATE backup_users SET last = 0`],
    ['backup.lost', `DELETE FROM backup_versions`],
    ['backup.key', `UPDATE backup_keys SET data = ''`],
    ['dehydrated.device', `UPDATE dehydrated_devices SET device_id = 'LOST'`],
    ['dehydrated.data', `UPDATE dehydrated_devices SET data = ''`],
    ['pusher.account', `UPDATE pushers SET user_id = '@nobody:x'`],
    ['pusher.count', `UPDATE push_users SET pushers = 7`],
    ['pushers.data', `UPDATE pushers SET data = '[]'`],
    ['receipt.kind', `UPDATE receipts SET kind = 'm.other'`],
    [
      'room.bump',
      `UPDATE room_facts SET bump = (SELECT MAX(nid) FROM events) WHERE room = (SELECT MIN(nid) FROM rooms)`,
    ],
    ['receipt.event', `UPDATE receipts SET event_id = '$other'`],
    ['meta.epoch', `UPDATE myelin_meta SET value = '0' WHERE name = 'epoch'`],
    ['meta.position', `UPDATE myelin_meta SET value = '10' WHERE name = 'position'`],
    ['meta.position', `UPDATE myelin_meta SET value = 'x' WHERE name = 'position'`],
    ['meta.schema', `UPDATE myelin_meta SET value = '0' WHERE name = 'schema'`],
    ['search.event', 'UPDATE search_tail SET event = event + 1000000'],
    ['search.event', 'UPDATE search_segments SET since = since - 1'],
    ['search.terms', `UPDATE search_tail SET terms = x'ff'`],
    [
      'search.redacted',
      'UPDATE events SET redacted_by = nid WHERE nid IN (SELECT MAX(event) FROM search_tail)',
    ],
    ['search.page', `UPDATE search_pages SET data = x'ffff'`],
    ['search.page', 'UPDATE search_pages SET part = part + 64'],
    ['search.segment', 'UPDATE search_segments SET postings = 1'],
    ['room.missing', 'UPDATE search_tail SET room = room + 1000000'],
  ]
  for (const [kind, ...statements] of cases) {
    it(`${kind}: ${statements[0]}`, () => {
      const report = damaged(...statements)
      assert.equal(report.ok, false)
      assert.ok((report.counts[kind] ?? 0) > 0, JSON.stringify(report.counts))
    })
  }

  const deltaCases: [kind: string, change: (delta: Delta) => Delta][] = [
    ['state.event', (delta) => ({ ...delta, event: 9999999 })],
    ['state.delta', (delta) => ({ ...delta, prev: delta.prev + 1 })],
    ['state.history', (delta) => ({ ...delta, event: 0 })],
  ]
  for (const [kind, change] of deltaCases) {
    it(`${kind}: an entry in the tail of the log: ${change}`, () => {
      const report = damagedBy((db) => {
        const row = db.prepare('SELECT data FROM state_delta_tails WHERE branch = 0').get()
        const deltas = unpackDeltas(row?.['data'] as Uint8Array)
        const data = packDeltas([...deltas.slice(0, -1), change(deltas.at(-1)!)])
        db.prepare('UPDATE state_delta_tails SET data = ? WHERE branch = 0').run(data)
      })
      assert.ok((report.counts[kind] ?? 0) > 0, JSON.stringify(report.counts))
    })
  }

  it('database.integrity: an index that lacks a row', () => {
    const report = damagedBy((db) => {
      db.enableDefensive(false)
      db.exec('PRAGMA writable_schema = ON')
      db.exec(
        `UPDATE sqlite_schema SET sql = replace(sql, '(event_id)', '(sender)') WHERE name = 'events_by_id'`,
      )
    })
    assert.ok((report.counts['database.integrity'] ?? 0) + (report.counts['database.unreadable'] ?? 0) > 0)
  })
})
