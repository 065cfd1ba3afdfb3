import { SERVER_NAME_BYTES_MAX } from '../limits.ts'
import type { Id } from './brand.ts'

/**
 * `hostname[:port]`, where hostname is a DNS name, a dotted IPv4 address or an IPv6 address in brackets.
 * Case-sensitive in ids. https://spec.matrix.org/v1.16/appendices/#server-name
 */
export type ServerName = Id<string, 'ServerName'>

/** A server name by the grammar, or undefined. */
export function parseServerName(text: string): ServerName | undefined {
  if (text.length === 0 || text.length > SERVER_NAME_BYTES_MAX) return undefined
  const hostEnd = text.charCodeAt(0) === 0x5b /* [ */ ? ipv6End(text) : dnsEnd(text)
  if (hostEnd <= 0) return undefined
  return hostEnd === text.length || isPort(text, hostEnd) ? (text as ServerName) : undefined
}

/** Index after `]`, or 0. `IPv6char` is a digit, a letter A-F, `:` or `.`; 2 to 45 of them. */
function ipv6End(text: string): number {
  const close = text.indexOf(']')
  if (close < 3 || close > 46) return 0
  for (let i = 1; i < close; i++) {
    const c = text.charCodeAt(i) | 0x20
    const digit = c >= 0x30 && c <= 0x3a && text.charCodeAt(i) >= 0x30
    const hex = c >= 0x61 && c <= 0x66
    if (!digit && !hex && text.charCodeAt(i) !== 0x2e) return 0
  }
  return close + 1
}

/** Index after the longest run of letters, digits, `-` and `.`. */
function dnsEnd(text: string): number {
  let i = 0
  for (; i < text.length; i++) {
    const c = text.charCodeAt(i)
    const alnum = (c >= 0x30 && c <= 0x39) || (c >= 0x41 && c <= 0x5a) || (c >= 0x61 && c <= 0x7a)
    if (!alnum && c !== 0x2d && c !== 0x2e) break
  }
  return i
}

/** `:` and one to five digits up to the end. */
function isPort(text: string, at: number): boolean {
  const digits = text.length - at - 1
  if (text.charCodeAt(at) !== 0x3a || digits < 1 || digits > 5) return false
  for (let i = at + 1; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c < 0x30 || c > 0x39) return false
  }
  return true
}
