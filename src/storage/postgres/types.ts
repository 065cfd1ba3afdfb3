/** How PostgreSQL's values become ours. Ours become PostgreSQL's in the pg package: numbers and texts as text, bytes as bytes. */
import { StoreError } from '#/base/store-error.ts'

const INT8 = 20
const INT2 = 21
const INT4 = 23
const BYTEA = 17

/** A 64-bit integer as a number. Throws where it would not be exact. */
function parseInt8(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new StoreError('invalid', `the database holds ${text}, beyond 2^53`)
  return value
}

const asText = (text: string): string => text
/* The hex form `\x0a…`, which every server since 9.0 sends. */
const parseBytes = (text: string): Uint8Array => Buffer.from(text.slice(2), 'hex')

/** The `types` of a pg client: every type but integers and bytes is read as text. */
export const valueTypes = {
  getTypeParser(oid: number): (text: string) => unknown {
    if (oid === INT8) return parseInt8
    if (oid === INT4 || oid === INT2) return Number
    if (oid === BYTEA) return parseBytes
    return asText
  },
}
