import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { checkAuthEvents } from '#/protocol/auth/check-auth-events.ts'
import { checkAuthRules } from '#/protocol/auth/check-auth-rules.ts'
import type { Result, Verdict } from '#/protocol/errors.ts'
import { contentHash, hasValidContentHash } from '#/protocol/event/hash.ts'
import { parsePdu } from '#/protocol/event/parse.ts'
import type { Pdu } from '#/protocol/event/pdu.ts'
import { redact } from '#/protocol/event/redact.ts'
import type { EventId } from '#/protocol/ids/event-id.ts'
import { canonicalJson } from '#/protocol/json/canonical.ts'
import { readJson } from '#/protocol/json/reader.ts'
import { isObject } from '#/protocol/json/value.ts'
import { ROOM_VERSIONS, type RoomVersion } from '#/protocol/room-version/rules.ts'
import {
  type AuthCase,
  authDivergence,
  DIVERGENCE_NAMES,
  type EventRow,
  eventDivergence,
} from './known-divergences.ts'

const LINE_MAX = Number(process.env['LINE_MAX'] ?? 900)
const CASES_MAX = Number(process.env['CASES_MAX'] ?? 4)

interface AuthRow {
  readonly v: RoomVersion
  readonly state: readonly string[]
  readonly events: Readonly<Record<string, string>>
  readonly cases: readonly AuthCase[]
}

function load<T>(name: string): T[] {
  const file = gunzipSync(readFileSync(new URL(name, import.meta.url)))
  return (JSON.parse(file.toString('utf8')) as { rows: T[] }).rows
}

function receive(version: RoomVersion, text: string): Result<Pdu> {
  const rules = ROOM_VERSIONS[version]
  const json = readJson(text, rules.strictJson ? 'strict' : 'lenient')
  if (!json.ok) return json
  if (!isObject(json.value)) return { ok: false, rule: 'json.object', why: 'not an object' }
  return parsePdu(rules, json.value)
}

/** Fails with a count per kind and the first cases of each, so that a new difference can be read at once. */
function report(differences: Map<string, string[]>): void {
  const lines = [...differences].map(
    ([kind, cases]) => `${cases.length} x ${kind}\n    ${cases.slice(0, CASES_MAX).join('\n    ')}`,
  )
  assert.equal(differences.size, 0, `\n${lines.join('\n')}`)
}

function note(differences: Map<string, string[]>, kind: string, what: string): void {
  const list = differences.get(kind) ?? []
  list.push(what.length > LINE_MAX ? `${what.slice(0, LINE_MAX)}...` : what)
  differences.set(kind, list)
}

const hit = new Set<string>()

test("events equal Synapse's: format, size, redaction, content hash, event id", (t) => {
  const rows = load<EventRow>('synapse-events.json.gz')
  assert.ok(rows.length >= 3000)
  const differences = new Map<string, string[]>()
  const known = new Map<string, number>()
  let equal = 0
  for (const row of rows) {
    const difference = eventDifference(row)
    if (difference === undefined) {
      equal++
      continue
    }
    const divergence = eventDivergence(row, difference)
    if (divergence === undefined)
      note(differences, difference, `v${row.v} ${row.m}: ${row.format} ${row.size}: ${row.t}`)
    else count(known, divergence)
  }
  t.diagnostic(`${equal} of ${rows.length} equal; known divergences: ${JSON.stringify([...known])}`)
  report(differences)
})

function count(known: Map<string, number>, divergence: string): void {
  hit.add(divergence)
  known.set(divergence, (known.get(divergence) ?? 0) + 1)
}

/** What differs, or undefined. */
function eventDifference(row: EventRow): string | undefined {
  const ours = receive(row.v, row.t)
  const theirs = row.format === 'ok' && row.size === 'ok' && typeof row.hashOk === 'boolean'
  if (!ours.ok) return theirs ? `we refuse (${ours.rule}), Synapse accepts` : undefined
  if (!theirs) return 'we accept, Synapse refuses'
  const { json, rules, eventId } = ours.value
  if (eventId !== row.id) return 'event id'
  if (hash('sha256', canonicalJson(redact(rules, json)), 'base64').slice(0, -1) !== row.redacted)
    return 'redaction'
  if (contentHash(json) !== row.hash) return 'content hash'
  return hasValidContentHash(json) === row.hashOk ? undefined : 'validity of the content hash'
}

test("adv-3, adv-5 authorisation equals Synapse's: own auth events, and a given state", (t) => {
  const rows = load<AuthRow>('synapse-auth.json.gz')
  const differences = new Map<string, string[]>()
  const known = new Map<string, number>()
  const rulesHit = new Set<string>()
  let equal = 0
  let total = 0
  for (const row of rows) {
    const events = new Map<EventId, Pdu>()
    for (const text of Object.values(row.events)) {
      const pdu = receive(row.v, text)
      if (pdu.ok) events.set(pdu.value.eventId, pdu.value)
    }
    for (const one of row.cases) {
      for (const kind of ['own', 'state'] as const) {
        total++
        const verdict = judge(row, one, kind, events)
        if (!verdict.ok) rulesHit.add(verdict.rule)
        if (verdict.ok === (one[kind] === 'allow')) {
          equal++
          continue
        }
        const ours = verdict.ok ? 'allow' : `${verdict.rule} ${verdict.why}`
        const state = row.state.map((id) => row.events[id]!)
        const divergence = authDivergence(row.v, one, kind, verdict, state)
        if (divergence === undefined) {
          note(
            differences,
            `${kind}: ours ${ours}, Synapse ${one[kind]}`,
            `v${row.v} ${one.m} ${one.e} IN ${state}`,
          )
        } else count(known, divergence)
      }
    }
  }
  assert.ok(total >= 3000)
  t.diagnostic(`${equal} of ${total} equal; ${rulesHit.size} rules hit; known: ${JSON.stringify([...known])}`)
  report(differences)
})

/** Our verdict on the same question. */
function judge(
  row: AuthRow,
  one: AuthCase,
  kind: 'own' | 'state',
  events: ReadonlyMap<EventId, Pdu>,
): Verdict {
  const event = receive(row.v, one.e)
  if (!event.ok) return event
  const pdu = event.value
  if (kind === 'own') {
    const known = new Map(events)
    const answer = checkAuthEvents(pdu, known, (id) => one.rejected.includes(id))
    return 'done' in answer ? answer.done : { ok: false, rule: 'unknown', why: answer.need.join() }
  }
  const state = row.state.map((id) => events.get(id as EventId)).filter((e) => e !== undefined)
  return checkAuthRules(pdu, (type, key) => state.find((e) => e.type === type && e.stateKey === key))
}

test('every known divergence is still needed', () => {
  assert.deepEqual(
    DIVERGENCE_NAMES.filter((name) => !hit.has(name)),
    [],
  )
})
