import type { ServerName } from './server-name.ts'

/**
 * What stands after the first colon of an id, or undefined without a colon. Not checked against the grammar: the
 * rules of old room versions compare these strings as they are.
 */
export function domainOf(id: string): ServerName | undefined {
  const colon = id.indexOf(':')
  return colon < 0 ? undefined : (id.slice(colon + 1) as ServerName)
}
