/** Client addresses as keys of rate limits. */

/**
 * One key per host or household: IPv4 as it is (also when mapped into IPv6), IPv6 by its /64, because one
 * customer has 2^64 addresses there. Other texts (unix sockets) stay as they are.
 */
export function addressKey(address: string): string {
  if (!address.includes(':')) return address
  const plain = address.split('%', 1)[0]!.toLowerCase()
  if (plain.includes('.')) return plain.slice(plain.lastIndexOf(':') + 1)
  const halves = plain.split('::')
  const head = halves[0] === '' ? [] : halves[0]!.split(':')
  const tail = halves[1] === undefined || halves[1] === '' ? [] : halves[1].split(':')
  const zeros = halves.length > 1 ? Math.max(0, 8 - head.length - tail.length) : 0
  const groups = [...head, ...Array<string>(zeros).fill('0'), ...tail]
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`
}
