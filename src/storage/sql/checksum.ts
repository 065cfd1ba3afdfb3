/**
 * The checksum of an event row covers every column, because the hashes inside the event do not cover `unsigned`,
 * flags, positions or what a redaction left. CRC-32 finds every change of up to four neighbouring bytes.
 */
import { crc32 } from 'node:zlib'

export interface ChecksummedEvent {
  readonly nid: number
  readonly room: number
  readonly arrival: number | null
  readonly depth: number
  readonly flags: number
  readonly ts: number
  readonly redactedBy: number | null
  readonly stateBranch: number | null
  readonly statePos: number | null
  readonly auth: Uint8Array
  readonly eventId: string
  readonly type: string
  readonly sender: string
  readonly stateKey: string | null
  readonly rejectedRule: string | null
  readonly json: string
}

/** Each text is led by its length, so that no two rows give the same input. */
export function eventChecksum(row: ChecksummedEvent): number {
  const numbers = `${row.nid},${row.room},${row.arrival},${row.depth},${row.flags},${row.ts},${row.redactedBy},${row.stateBranch},${row.statePos}`
  const texts =
    `${row.eventId.length}:${row.eventId}${row.type.length}:${row.type}${row.sender.length}:${row.sender}` +
    `${row.stateKey === null ? '-' : `${row.stateKey.length}:${row.stateKey}`}` +
    `${row.rejectedRule === null ? '-' : `${row.rejectedRule.length}:${row.rejectedRule}`}`
  return crc32(row.json, crc32(row.auth, crc32(`${numbers};${texts};`)))
}
