/** The check of what may be stored, the same for both engines. */
import { StoreError } from '#/base/store-error.ts'
import type { SqlValue } from './sql.ts'

/** Throws `text` or `invalid` for a value that one engine would refuse and the other silently alter. */
export function checkParams(params: readonly SqlValue[]): void {
  for (const param of params) {
    if (typeof param === 'string') checkText(param)
    else if (typeof param === 'number') checkNumber(param)
  }
}

/** PostgreSQL refuses NUL in a text, SQLite alters lone surrogates: neither reaches an engine. */
export function checkText(text: string): void {
  if (!text.isWellFormed()) throw new StoreError('text', 'a text with a lone surrogate cannot be stored')
  if (text.includes('\0')) throw new StoreError('text', 'a text with a NUL character cannot be stored')
}

/** Beyond 2^53 a number is not itself any more. */
function checkNumber(value: number): void {
  if (!Number.isSafeInteger(value)) throw new StoreError('invalid', `${value} cannot be stored as an integer`)
}
