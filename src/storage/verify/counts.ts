/** What notifications are counted from: kinds of events, totals, threads, and outcomes that differ from the kind's. */
import { DEFAULT_PROFILE, NO_ROOM_PROFILE } from '#/protocol/push-rules/profile.ts'
import { addKind, NO_TOTALS } from '../sql/kind-totals.ts'
import type { Row, Sql } from '../sql/sql.ts'
import { walk } from './pages.ts'
import type { Findings } from './report.ts'

export function* verifyCounts(findings: Findings): Sql<void> {
  yield* verifyTotals(findings)
  yield* verifyThreads(findings)
  yield* verifyActions(findings)
  yield* verifyProfiles(findings)
}

/** Each event's totals are those of the event before it in the thread and one more of its own kind. */
function* verifyTotals(findings: Findings): Sql<void> {
  const text = `SELECT k.room, k.thread, k.event, k.kind, k.totals, e.room AS of_room FROM event_kinds k
    LEFT JOIN events e ON e.nid = k.event WHERE 1 = 1 {after}`
  const key = ['room', 'thread', 'event'].map((name) => [`k.${name}`, name] as const)
  let thread = ''
  let totals = NO_TOTALS
  yield* walk(findings, { table: 'event_kinds', text, key }, (rows) => {
    for (const row of rows) {
      const name = `${row.room} ${row.thread}`
      if (name !== thread) totals = NO_TOTALS
      thread = name
      const event = row.event as number
      /* What a purged event counted for stays counted: totals go on from it. */
      if (row.of_room !== null && row.of_room !== row.room)
        findings.add('count.event', event, 'counted, but not stored in its room')
      const expected = addKind(totals, row.kind as number)
      totals = row.totals as Uint8Array
      if (Buffer.compare(expected, totals) === 0) continue
      findings.add('count.totals', event, 'its totals do not follow from those of the event before it')
      totals = expected
    }
    return undefined
  })
}

function* verifyThreads(findings: Findings): Sql<void> {
  const text = `SELECT t.room, t.thread, t.latest,
      (SELECT MAX(k.event) FROM event_kinds k WHERE k.room = t.room AND k.thread = t.thread) AS newest
    FROM thread_news t WHERE 1 = 1 {after}`
  const key = ['room', 'thread'].map((name) => [`t.${name}`, name] as const)
  yield* walk(findings, { table: 'thread_news', text, key }, (rows) => {
    for (const row of rows) {
      if (row.latest === row.newest) continue
      findings.add('count.thread', `${row.room} ${row.thread}`, 'its newest event is another one')
    }
    return undefined
  })
}

/** Single outcomes and redactions say of their event what the event's own row says. */
function* verifyActions(findings: Findings): Sql<void> {
  const kinds = `LEFT JOIN event_kinds k ON k.event = x.event`
  const columns =
    'x.room, x.thread, x.event, x.kind, k.room AS of_room, k.thread AS of_thread, k.kind AS of_kind'
  const check = (name: (row: Row) => string) => (rows: Row[]) => {
    for (const row of rows) {
      if (row.room === row.of_room && row.thread === row.of_thread && row.kind === row.of_kind) continue
      findings.add('count.kind', name(row), 'kind, thread or room are not those that were counted')
    }
    return undefined
  }
  const actions = {
    table: 'push_actions',
    text: `SELECT x.user_id, ${columns} FROM push_actions x ${kinds} WHERE 1 = 1 {after}`,
    key: ['user_id', 'room', 'thread', 'event'].map((name) => [`x.${name}`, name] as const),
  }
  yield* walk(
    findings,
    actions,
    check((row) => `${row.user_id} ${row.event}`),
  )
  const redacted = {
    table: 'redacted_kinds',
    text: `SELECT ${columns} FROM redacted_kinds x ${kinds} WHERE 1 = 1 {after}`,
    key: ['room', 'thread', 'event'].map((name) => [`x.${name}`, name] as const),
  }
  yield* walk(
    findings,
    redacted,
    check((row) => `${row.event}`),
  )
}

function* verifyProfiles(findings: Findings): Sql<void> {
  const text = 'SELECT p.user_id, p.room_id, p.since, p.profile FROM push_profiles p WHERE 1 = 1 {after}'
  const key = ['user_id', 'room_id', 'since'].map((name) => [`p.${name}`, name] as const)
  yield* walk(findings, { table: 'push_profiles', text, key }, (rows) => {
    for (const row of rows) {
      const like = row.room_id === '' ? DEFAULT_PROFILE : NO_ROOM_PROFILE
      const profile = row.profile as string
      if (profile.length <= like.length && [...profile].every((each) => '-012'.includes(each))) continue
      findings.add('count.profile', `${row.user_id} ${row.room_id}`, 'not a profile of push rules')
    }
    return undefined
  })
}
