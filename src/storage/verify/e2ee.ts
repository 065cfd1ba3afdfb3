/** Messages that wait for devices, and backups of room keys. */
import { run, type Sql } from '../sql/sql.ts'
import { walk } from './pages.ts'
import type { Findings } from './report.ts'
import { isJson } from './rooms.ts'

/** Checks inboxes and what is in them, backups and their keys, dehydrated devices. */
export function* verifyE2ee(findings: Findings): Sql<void> {
  yield* verifyInboxes(findings)
  yield* verifyContents(findings)
  yield* verifyBackups(findings)
}

const INBOXES = `SELECT i.nid, i.user_id, i.device_id, i.waiting, i.chars, d.device_id AS device,
  (SELECT COUNT(*) FROM inbox_messages m WHERE m.inbox = i.nid) AS n,
  (SELECT COALESCE(SUM(c.chars), 0) FROM inbox_messages m JOIN inbox_contents c ON c.pos = m.pos
    WHERE m.inbox = i.nid) AS total
  FROM inboxes i LEFT JOIN devices d ON d.user_id = i.user_id AND d.device_id = i.device_id WHERE 1 = 1 {after}`

const WITHOUT_INBOX = `SELECT d.user_id, d.device_id FROM devices d WHERE NOT EXISTS
  (SELECT 1 FROM inboxes i WHERE i.user_id = d.user_id AND i.device_id = d.device_id) {after}`

function* verifyInboxes(findings: Findings): Sql<void> {
  yield* walk(findings, { table: 'inboxes', text: INBOXES, key: [['i.nid', 'nid']] }, (rows) => {
    for (const row of rows) {
      const name = `${row.user_id} ${row.device_id}`
      if (row.user_id !== null && row.device === null) {
        findings.add('inbox.device', name, 'an inbox of a device that is not there')
      }
      if (Number(row.n) !== row.waiting || Number(row.total) !== row.chars) {
        findings.add('inbox.sums', name, `${row.waiting} messages are noted, ${row.n} there`)
      }
    }
    return undefined
  })
  const key = [
    ['d.user_id', 'user_id'],
    ['d.device_id', 'device_id'],
  ] as const
  yield* walk(findings, { table: 'devices without inbox', text: WITHOUT_INBOX, key }, (rows) => {
    for (const row of rows)
      findings.add('device.inbox', `${row.user_id} ${row.device_id}`, 'a device without an inbox')
    return undefined
  })
}

const CONTENTS = 'SELECT c.pos, c.refs, c.chars, c.content FROM inbox_contents c WHERE 1 = 1 {after}'

const LOST = `SELECT m.inbox, m.pos FROM inbox_messages m WHERE (NOT EXISTS
  (SELECT 1 FROM inbox_contents c WHERE c.pos = m.pos) OR NOT EXISTS (SELECT 1 FROM inboxes i WHERE i.nid = m.inbox))
  {after}`

/** How many devices wait for a content is asked once for a page: `inbox_messages` is ordered by device. */
function* verifyContents(findings: Findings): Sql<void> {
  yield* walk(
    findings,
    { table: 'inbox_contents', text: CONTENTS, key: [['c.pos', 'pos']] },
    function* (rows) {
      const [from, to] = [rows[0]?.pos, rows.at(-1)?.pos]
      if (from === undefined || to === undefined) return
      const counts = yield* run(
        'SELECT pos, COUNT(*) AS n FROM inbox_messages WHERE pos BETWEEN ?1 AND ?2 GROUP BY pos',
        from,
        to,
      )
      const waiting = new Map(counts.map((row) => [row.pos, Number(row.n)]))
      for (const row of rows) {
        const pos = row.pos as number
        if ((waiting.get(pos) ?? 0) !== row.refs) {
          findings.add('inbox.refs', pos, `${row.refs} devices are noted, ${waiting.get(pos) ?? 0} wait`)
        }
        const content = row.content as string
        if (content.length !== row.chars || !isJson(content, () => true)) {
          findings.add('inbox.content', pos, 'not the JSON that it should be')
        }
      }
    },
  )
  const key = [
    ['m.inbox', 'inbox'],
    ['m.pos', 'pos'],
  ] as const
  yield* walk(findings, { table: 'inbox_messages', text: LOST, key }, (rows) => {
    for (const row of rows)
      findings.add('inbox.lost', `${row.inbox} ${row.pos}`, 'has no inbox or no content')
    return undefined
  })
}

const VERSIONS = `SELECT v.nid, v.user_id, v.version, v.keys, v.auth_data, u.last, a.user_id AS owner,
  (SELECT COUNT(*) FROM backup_keys k WHERE k.backup = v.nid) AS n FROM backup_versions v
  LEFT JOIN backup_users u ON u.user_id = v.user_id LEFT JOIN accounts a ON a.user_id = v.user_id WHERE 1 = 1 {after}`

const KEYS = `SELECT k.backup, k.room_id, k.session_id, k.data, v.nid AS version FROM backup_keys k
  LEFT JOIN backup_versions v ON v.nid = k.backup WHERE 1 = 1 {after}`

function* verifyBackups(findings: Findings): Sql<void> {
  yield* walk(findings, { table: 'backup_versions', text: VERSIONS, key: [['v.nid', 'nid']] }, (rows) => {
    for (const row of rows) {
      /* The keys of a deleted one are on their way out. */
      if (row.user_id === null) continue
      const name = `${row.user_id} ${row.version}`
      if (row.owner === null) findings.add('backup.account', name, 'a backup of no account')
      if (Number(row.n) !== row.keys)
        findings.add('backup.count', name, `${row.keys} keys are noted, ${row.n} there`)
      if (Number(row.last ?? 0) < (row.version as number))
        findings.add('backup.last', name, 'its number would come back')
      if (!isJson(row.auth_data as string, () => true))
        findings.add('backup.data', name, 'not the JSON that it should be')
    }
    return undefined
  })
  const key = ['backup', 'room_id', 'session_id'].map((name) => [`k.${name}`, name] as const)
  yield* walk(findings, { table: 'backup_keys', text: KEYS, key }, (rows) => {
    for (const row of rows) {
      const name = `${row.backup} ${row.room_id} ${row.session_id}`
      if (row.version === null) findings.add('backup.lost', name, 'a key of no backup')
      if (!isJson(row.data as string, () => true))
        findings.add('backup.key', name, 'not the JSON that it should be')
    }
    return undefined
  })
  const dehydrated = `SELECT x.user_id, x.device_id, x.data, d.device_id AS device FROM dehydrated_devices x
    LEFT JOIN devices d ON d.user_id = x.user_id AND d.device_id = x.device_id WHERE 1 = 1 {after}`
  yield* walk(
    findings,
    { table: 'dehydrated_devices', text: dehydrated, key: [['x.user_id', 'user_id']] },
    (rows) => {
      for (const row of rows) {
        const name = row.user_id as string
        if (row.device === null) findings.add('dehydrated.device', name, `${row.device_id} is not there`)
        if (!isJson(row.data as string, () => true))
          findings.add('dehydrated.data', name, 'not the JSON that it should be')
      }
      return undefined
    },
  )
}
