import { existsSync } from 'node:fs'
import { join } from 'node:path'

/**
 * The folder of the specification's data: MATRIX_SPEC_DIR, or shared/spec beside the checkout.
 * Undefined when there is none; where CI is set, or MATRIX_SPEC_DIR names a folder that is not it, an error.
 */
export function specDir(): string | undefined {
  const named = process.env['MATRIX_SPEC_DIR']
  const folder = named || join(import.meta.dirname, '../../../shared/spec')
  if (existsSync(join(folder, 'api/client-server'))) return folder
  if (named || process.env['CI'])
    throw new Error(`the specification is missing: no api/client-server in ${folder}; set MATRIX_SPEC_DIR`)
  return undefined
}

/** Options for tests that need the specification: skipped, with the reason, where it is absent. */
export function needsSpec(): { skip: string | false } {
  return { skip: specDir() ? false : 'the specification is absent (MATRIX_SPEC_DIR)' }
}
