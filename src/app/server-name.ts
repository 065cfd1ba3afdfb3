import { StoreError } from '#/base/store-error.ts'
import { parseServerName, type ServerName } from '#/protocol/ids/server-name.ts'

/** The name of a server, or a sentence that it is none. */
export function checkedServerName(text: string): ServerName {
  const name = parseServerName(text)
  if (!name)
    throw new StoreError('refused', `${JSON.stringify(text)} is not a server name, such as example.org`)
  return name
}
