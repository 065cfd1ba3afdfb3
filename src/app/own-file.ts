/** Files that the program reads because a configuration or an operator names them. */
import { readFileSync } from 'node:fs'
import { StoreError } from '#/base/store-error.ts'
import { reasonOf } from '#/base/system-error.ts'

/** The text of a file. Throws a StoreError `refused` that says what was to be read, and why it cannot be. */
export function readOwnFile(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new StoreError('refused', `${what}, ${path}, cannot be read: ${reasonOf(error)}`, { cause: error })
  }
}
