/** Who the client is when proxies stand between: only what trusted proxies say counts (adv-61). */
import { BlockList, isIP } from 'node:net'
import { FORWARDED_HOPS_MAX } from './limits.ts'

/**
 * Loopback, private and link-local ranges: what `x_forwarded: true` trusts unless `myelin.trusted_proxies`
 * narrows it.
 */
export const DEFAULT_TRUSTED_PROXIES: readonly string[] = [
  '127.0.0.0/8',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  '169.254.0.0/16',
  '::1/128',
  'fc00::/7',
  'fe80::/10',
]

/** The address that stands for a unix socket. Whoever may open the socket is trusted. */
export const UNIX_PEER = 'unix'

/** Tells addresses of trusted proxies. Throws on an entry that is no address or network. */
export function trustedProxies(networks: readonly string[]): (address: string) => boolean {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', prefix] = network.split('/')
    const family = isIP(address)
    if (family === 0) throw new Error(`trusted_proxies: '${network}' is no address or network`)
    const type = family === 4 ? 'ipv4' : 'ipv6'
    const bits = prefix === undefined ? (family === 4 ? 32 : 128) : Number(prefix)
    if (!/^[0-9]{1,3}$/.test(prefix ?? '0') || bits > (family === 4 ? 32 : 128)) {
      throw new Error(`trusted_proxies: '${network}' has a bad prefix length`)
    }
    list.addSubnet(address, bits, type)
  }
  return (address) => {
    if (address === UNIX_PEER) return true
    const family = isIP(address)
    return family !== 0 && list.check(address, family === 4 ? 'ipv4' : 'ipv6')
  }
}

/** `::ffff:192.0.2.1` is 192.0.2.1; a zone index is left out. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined) return UNIX_PEER
  const plain = address.startsWith('::ffff:') ? address.slice(7) : address
  return plain.split('%', 1)[0] ?? plain
}

/** `192.0.2.1:80`, `[::1]:80` and `"..."` to the address, or undefined. */
function hopAddress(text: string): string | undefined {
  const bare = text.trim().replaceAll('"', '')
  const inner = bare.startsWith('[') ? bare.slice(1, bare.indexOf(']')) : bare
  const host = isIP(inner) === 0 && inner.split(':').length === 2 ? inner.slice(0, inner.indexOf(':')) : inner
  return isIP(host) === 0 ? undefined : plainAddress(host)
}

/**
 * The client's address. From the peer leftwards through X-Forwarded-For as long as the hop before is trusted;
 * what an untrusted client wrote itself stands further left and is never reached.
 */
export function clientAddress(
  peer: string,
  forwarded: string | undefined,
  trusted: (address: string) => boolean,
): string {
  if (forwarded === undefined || !trusted(peer)) return peer
  let client = peer
  for (const hop of forwarded.split(',').slice(-FORWARDED_HOPS_MAX).reverse()) {
    const address = hopAddress(hop)
    if (address === undefined) return client
    client = address
    if (!trusted(address)) return client
  }
  return client
}
