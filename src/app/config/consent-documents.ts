/** The documents of `user_consent.template_dir`, as Synapse lays them out: `en/<version>.html`, `en/success.html`. */
import { join } from 'node:path'
import { reasonOf } from '#/base/system-error.ts'
import { parseTemplate, type Template } from '#/base/template.ts'
import type { FileReader } from './files.ts'
import { CONSENT_DOCUMENTS_MAX } from './limits.ts'

export interface ConsentDocuments {
  /** By version. */
  readonly documents: ReadonlyMap<string, Template>
  readonly success: Template | undefined
}

const ENDING = '.html'

/** Reads all documents. Throws an Error with a sentence for the operator. */
export function readConsentDocuments(
  templateDir: string,
  version: string,
  files: FileReader,
): ConsentDocuments {
  const folder = join(templateDir, 'en')
  const entries = files.list(folder)
  if (entries === undefined) throw new Error(`there is no folder ${folder}`)
  const names = entries.filter((entry) => entry.isFile && entry.name.endsWith(ENDING))
  if (names.length > CONSENT_DOCUMENTS_MAX) {
    throw new Error(`${folder} has more than ${CONSENT_DOCUMENTS_MAX} documents`)
  }
  const all = new Map<string, Template>()
  for (const { name } of names) {
    const path = join(folder, name)
    try {
      all.set(name.slice(0, -ENDING.length), parseTemplate(files.readText(path)))
    } catch (error) {
      throw new Error(`${path}: ${reasonOf(error)}`)
    }
  }
  const success = all.get('success')
  all.delete('success')
  if (!all.has(version)) throw new Error(`there is no document ${join(folder, version + ENDING)}`)
  return { documents: all, success }
}
