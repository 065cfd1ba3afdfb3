/** Keys: each belongs to a device or an account that is there, and is JSON. */
import type { Row, Sql } from '../sql/sql.ts'
import { type Walk, walk } from './pages.ts'
import type { Findings } from './report.ts'
import { isJson } from './rooms.ts'

interface Check extends Walk {
  readonly name: (row: Row) => string
  readonly fault: (row: Row) => readonly [kind: string, what: string] | undefined
}

const isObject = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isText = (value: unknown): boolean => typeof value === 'string' || isObject(value)

const CHECKS: readonly Check[] = [
  {
    table: 'device_keys',
    text: `SELECT k.nid, k.user_id, k.device_id, k.body, k.signatures, d.device_id AS device FROM device_keys k
      LEFT JOIN devices d ON d.user_id = k.user_id AND d.device_id = k.device_id WHERE 1 = 1 {after}`,
    key: [['k.nid', 'nid']],
    name: (row) => `${row.user_id} ${row.device_id}`,
    fault(row) {
      if (row.device === null) return ['device_keys.device', 'keys of a device that is not there']
      if (row.body === null) return undefined
      const fine = isJson(row.body as string, isObject) && isJson(String(row.signatures), isObject)
      return fine ? undefined : ['device_keys.json', 'not the JSON that it should be']
    },
  },
  ofDevice('one_time_keys', 'nid'),
  ofDevice('fallback_keys', 'key_id'),
  {
    table: 'claimed_keys',
    text: `SELECT k.device, k.digest, d.nid AS known FROM claimed_keys k
      LEFT JOIN device_keys d ON d.nid = k.device WHERE 1 = 1 {after}`,
    key: ['device', 'digest'].map((name) => [`k.${name}`, name] as const),
    name: (row) => `claimed_keys ${row.device}`,
    fault: (row) =>
      row.known === null ? ['key.device', 'a claimed key of a device that is not there'] : undefined,
  },
  {
    table: 'cross_signing_keys',
    text: `SELECT k.user_id, k.usage, k.body, k.signatures, a.deactivated FROM cross_signing_keys k
      LEFT JOIN accounts a ON a.user_id = k.user_id WHERE 1 = 1 {after}`,
    key: [
      ['k.user_id', 'user_id'],
      ['k.usage', 'usage'],
    ],
    name: (row) => `${row.user_id} ${row.usage}`,
    fault(row) {
      /* Users of other servers have no account here. */
      if (row.deactivated === 1) return ['cross_signing_keys.account', 'a key of a deactivated account']
      const fine = isJson(row.body as string, isObject) && isJson(row.signatures as string, isObject)
      return fine ? undefined : ['cross_signing_keys.json', 'not the JSON that it should be']
    },
  },
]

/** Keys by the number of their device. */
function ofDevice(table: string, last: string): Check {
  return {
    table,
    text: `SELECT k.device, k.algorithm, k.${last}, k.json, d.nid AS known FROM ${table} k
      LEFT JOIN device_keys d ON d.nid = k.device WHERE 1 = 1 {after}`,
    key: ['device', 'algorithm', last].map((name) => [`k.${name}`, name] as const),
    name: (row) => `${table} ${row.device} ${row.algorithm}`,
    fault(row) {
      if (row.known === null) return ['key.device', 'a key of a device that is not there']
      if (isJson(row.json as string, isText)) return undefined
      return ['key.json', 'not the JSON that it should be']
    },
  }
}

/** Checks the tables of keys. */
export function* verifyKeys(findings: Findings): Sql<void> {
  for (const check of CHECKS) {
    yield* walk(findings, check, (rows) => {
      for (const row of rows) {
        const fault = check.fault(row)
        if (fault) findings.add(fault[0], check.name(row), fault[1])
      }
      return undefined
    })
  }
}
