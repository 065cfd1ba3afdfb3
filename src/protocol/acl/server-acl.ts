/**
 * Server access control lists. Compile an m.room.server_acl event once and keep the result with the event's
 * id; asking it is cheap.
 * https://spec.matrix.org/v1.19/client-server-api/#mroomserver_acl
 */

import { foldText, foldToString } from '../glob/fold.ts'
import { compileGlob, type Glob, globIsLiteral, globMatches } from '../glob/glob.ts'
import { isArray, type JsonObject, type JsonValue, member } from '../json/value.ts'
import { ACL_PATTERNS_MAX, ACL_REMEMBERED_MAX } from './limits.ts'

/** A compiled list, made by `compileServerAcl`. */
export interface ServerAcl {
  readonly allowIpLiterals: boolean
  readonly allow: Patterns
  readonly deny: Patterns
  readonly remembered: Map<string, boolean>
}

interface Patterns {
  /** Patterns without wildcards, lower case. */
  readonly names: ReadonlySet<string>
  readonly globs: readonly Glob[]
}

/**
 * Prepares the content of an m.room.server_acl event. Entries that are not strings are ignored; an absent or
 * malformed `allow` allows nobody; `allow_ip_literals` is true unless it is the boolean false.
 */
export function compileServerAcl(content: JsonObject): ServerAcl {
  const allow = member(content, 'allow')
  const deny = member(content, 'deny')
  const tooMany = lengthOf(allow) + lengthOf(deny) > ACL_PATTERNS_MAX
  return {
    allowIpLiterals: member(content, 'allow_ip_literals') !== false,
    allow: compilePatterns(tooMany ? [] : allow),
    deny: compilePatterns(tooMany ? [] : deny),
    remembered: new Map(),
  }
}

/**
 * Tells whether a server may take part in the room. Without an m.room.server_acl event in the state
 * (`undefined`) everybody may. Case and port do not count.
 */
export function serverMayTakePart(acl: ServerAcl | undefined, serverName: string): boolean {
  if (acl === undefined) return true
  const known = acl.remembered.get(serverName)
  if (known !== undefined) return known
  const answer = decide(acl, hostOf(serverName))
  if (acl.remembered.size >= ACL_REMEMBERED_MAX) acl.remembered.clear()
  acl.remembered.set(serverName, answer)
  return answer
}

/** Tells whether a server name without its port is an IPv4 or IPv6 address. */
export function isIpLiteral(host: string): boolean {
  if (host.startsWith('[')) return true
  const parts = host.split('.')
  return parts.length === 4 && parts.every((part) => part.length <= 3 && isDigits(part))
}

function decide(acl: ServerAcl, host: string): boolean {
  if (!acl.allowIpLiterals && isIpLiteral(host)) return false
  const name = foldText(host)
  const text = foldToString(host)
  if (matchesAny(acl.deny, text, name)) return false
  return matchesAny(acl.allow, text, name)
}

function matchesAny(patterns: Patterns, text: string, name: Int32Array): boolean {
  return patterns.names.has(text) || patterns.globs.some((glob) => globMatches(glob, name))
}

/** Everything before the port: a last colon with digits after it, which no IPv6 address in brackets ends with. */
function hostOf(serverName: string): string {
  const colon = serverName.lastIndexOf(':')
  return colon > 0 && isDigits(serverName.slice(colon + 1)) ? serverName.slice(0, colon) : serverName
}

function isDigits(text: string): boolean {
  if (text === '') return false
  for (const character of text) if (character < '0' || character > '9') return false
  return true
}

function compilePatterns(value: JsonValue | undefined): Patterns {
  const names = new Set<string>()
  const globs = new Map<string, Glob>()
  for (const entry of isArray(value) ? value : []) {
    if (typeof entry !== 'string') continue
    const glob = compileGlob(entry)
    if (globIsLiteral(glob)) names.add(foldToString(entry))
    else globs.set(entry, glob)
  }
  return { names, globs: [...globs.values()] }
}

function lengthOf(value: JsonValue | undefined): number {
  return isArray(value) ? value.length : 0
}
