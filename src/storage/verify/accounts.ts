/** Accounts, devices, tokens and whatever else belongs to users; and rows whose room is gone. */
import type { Row, Sql } from '../sql/sql.ts'
import { type Walk, walk } from './pages.ts'
import type { Findings } from './report.ts'
import { isJson } from './rooms.ts'

const isAny = (): boolean => true

interface Check extends Walk {
  /** Columns that name the row in a finding. */
  readonly name: (row: Row) => string
  readonly check: (row: Row) => readonly [kind: string, what: string] | undefined
}

const isObject = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const CHECKS: readonly Check[] = [
  {
    table: 'accounts',
    text: 'SELECT a.user_id, a.folded FROM accounts a WHERE 1 = 1 {after}',
    key: [['a.user_id', 'user_id']],
    name: (row) => String(row.user_id),
    check: (row) =>
      row.folded === (row.user_id as string).toLowerCase()
        ? undefined
        : ['account.folded', `${row.folded} is not the folded user id`],
  },
  {
    table: 'devices',
    text: `SELECT d.user_id, d.device_id, a.user_id AS owner FROM devices d
      LEFT JOIN accounts a ON a.user_id = d.user_id WHERE 1 = 1 {after}`,
    key: [
      ['d.user_id', 'user_id'],
      ['d.device_id', 'device_id'],
    ],
    name: (row) => `${row.user_id} ${row.device_id}`,
    check: (row) => (row.owner === null ? ['device.account', 'a device of no account'] : undefined),
  },
  {
    table: 'tokens',
    text: `SELECT t.digest, t.user_id, t.device_id, t.kind, a.user_id AS owner, d.device_id AS device
      FROM tokens t LEFT JOIN accounts a ON a.user_id = t.user_id
      LEFT JOIN devices d ON d.user_id = t.user_id AND d.device_id = t.device_id WHERE 1 = 1 {after}`,
    key: [['t.digest', 'digest']],
    /* The digest is no secret, but half of it tells as much. */
    name: (row) => `${String(row.digest).slice(0, 12)} of ${row.user_id}`,
    check(row) {
      if (row.owner === null) return ['token.account', 'a token of no account']
      if (row.device === null)
        return ['token.device', `a token of the device ${row.device_id}, which is not there`]
      if (row.kind !== 'access' && row.kind !== 'refresh') return ['token.kind', `unknown kind ${row.kind}`]
      return undefined
    },
  },
  jsonCheck('profiles', ['user_id'], 'fields'),
  jsonCheck('filters', ['user_id', 'nid'], 'json'),
  jsonCheck('uia_sessions', ['session'], 'data', isAny),
  jsonCheck('jobs', ['kind', 'key'], 'data', isAny),
  jsonCheck('account_data', ['user_id', 'room', 'type'], 'content'),
  {
    table: 'pushers',
    text: `SELECT x.user_id, x.app_id, x.pushkey, x.data AS checked, a.user_id AS owner,
        (SELECT p.pushers FROM push_users p WHERE p.user_id = x.user_id) AS known,
        (SELECT COUNT(*) FROM pushers y WHERE y.user_id = x.user_id) AS n
      FROM pushers x LEFT JOIN accounts a ON a.user_id = x.user_id WHERE 1 = 1 {after}`,
    key: ['user_id', 'app_id', 'pushkey'].map((name) => [`x.${name}`, name] as const),
    /* A push key is as good as an address. */
    name: (row) => `${row.user_id} ${row.app_id}`,
    check(row) {
      if (row.owner === null) return ['pusher.account', 'a pusher of no account']
      if (!isJson(row.checked as string, isObject)) return ['pushers.data', 'not the JSON that it should be']
      return Number(row.known) === Number(row.n)
        ? undefined
        : ['pusher.count', `${row.known} pushers are noted, ${row.n} there`]
    },
  },
  {
    table: 'receipts',
    text: `SELECT x.room, x.user_id, x.kind, x.thread, x.event_id, e.event_id AS found, e.room AS of_room
      FROM receipts x LEFT JOIN events e ON e.nid = x.event WHERE 1 = 1 {after}`,
    key: ['room', 'user_id', 'kind', 'thread'].map((name) => [`x.${name}`, name] as const),
    name: (row) => `${row.room} ${row.user_id} ${row.kind} ${row.thread}`,
    check(row) {
      if (row.kind !== 'm.read' && row.kind !== 'm.read.private') {
        return ['receipt.kind', `unknown kind ${row.kind}`]
      }
      /* An event that is not there was purged. */
      const same = row.found === null || (row.found === row.event_id && row.of_room === row.room)
      return same ? undefined : ['receipt.event', `names ${row.event_id}, but its row is ${row.found}`]
    },
  },
  {
    table: 'room_facts',
    text: `SELECT x.room, x.bump, e.room AS of_room FROM room_facts x LEFT JOIN events e ON e.nid = x.bump
      WHERE 1 = 1 {after}`,
    key: [['x.room', 'room']],
    name: (row) => String(row.room),
    check: (row) =>
      row.bump === 0 || row.of_room === null || row.of_room === row.room
        ? undefined
        : ['room.bump', `is the position of an event of room ${row.of_room}`],
  },
]

function jsonCheck(table: string, key: readonly string[], column: string, is = isObject): Check {
  return {
    table,
    text: `SELECT ${key.map((name) => `x.${name}`).join(', ')}, x.${column} AS checked FROM ${table} x WHERE 1 = 1 {after}`,
    key: key.map((name) => [`x.${name}`, name] as const),
    name: (row) => key.map((name) => row[name]).join(' '),
    check: (row) =>
      isJson(row.checked as string, is)
        ? undefined
        : [`${table}.${column}`, 'not the JSON that it should be'],
  }
}

/** Checks the tables whose rows stand for themselves or point to an account. */
export function* verifyAccounts(findings: Findings): Sql<void> {
  for (const { name, check, ...table } of CHECKS) {
    yield* walk(findings, table, (rows) => {
      for (const row of rows) {
        const found = check(row)
        if (found) findings.add(found[0], name(row), found[1])
      }
      return undefined
    })
  }
}

/** Tables with a room's row id. Events and memberships report a missing room themselves. */
const ROOM_TABLES = [
  'room_heads',
  'room_facts',
  'room_state',
  'room_state_older',
  'state_delta_tails',
  'state_delta_chunks',
  'state_branches',
  'account_data',
  'receipts',
  'event_kinds',
  'thread_news',
  'redacted_kinds',
  'push_actions',
  'own_marks',
  'push_queue',
  'search_tail',
  'search_segments',
  'search_pages',
  'relation_targets',
  'thread_subscriptions',
  'room_aliases',
  'published_rooms',
  'notice_rooms',
] as const

/** Rows of rooms that do not exist. */
export function* verifyOwners(findings: Findings): Sql<void> {
  for (const table of ROOM_TABLES) {
    const text = `SELECT x.room FROM (SELECT DISTINCT room FROM ${table}) x
      WHERE x.room <> 0 AND NOT EXISTS (SELECT 1 FROM rooms r WHERE r.nid = x.room) {after}`
    yield* walk(findings, { table: `${table}.room`, text, key: [['x.room', 'room']] }, (rows) => {
      for (const row of rows) findings.add('room.missing', row.room as number, `${table} has rows of no room`)
      return undefined
    })
  }
}
