import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  clientAddress,
  DEFAULT_TRUSTED_PROXIES,
  plainAddress,
  trustedProxies,
  UNIX_PEER,
} from './remote-address.ts'

const trusted = trustedProxies(DEFAULT_TRUSTED_PROXIES)

test('adv-61: what a client wrote into X-Forwarded-For itself is never believed', () => {
  const from = (peer: string, forwarded?: string) => clientAddress(peer, forwarded, trusted)
  assert.equal(from('203.0.113.1', '1.2.3.4'), '203.0.113.1', 'the peer is no proxy')
  assert.equal(from('127.0.0.1'), '127.0.0.1')
  assert.equal(from('127.0.0.1', '203.0.113.1'), '203.0.113.1')
  assert.equal(from('127.0.0.1', '1.2.3.4, 203.0.113.1'), '203.0.113.1', "the left part is the client's")
  assert.equal(from('127.0.0.1', '1.2.3.4, 203.0.113.1, 192.168.1.1'), '203.0.113.1')
  assert.equal(from('127.0.0.1', '10.1.1.1, 10.1.1.2'), '10.1.1.1', 'a client in the private network')
  assert.equal(from(UNIX_PEER, '203.0.113.1'), '203.0.113.1')
  assert.equal(from('::1', '[2001:db8::1]:443'), '2001:db8::1')
  assert.equal(from('::1', '203.0.113.1:8080'), '203.0.113.1')
  assert.equal(from('::1', 'unknown'), '::1')
  assert.equal(from('::1', '203.0.113.1, "><script>'), '::1')
  assert.equal(from('::1', '10.0.0.1,'.repeat(10_000)), '::1')
  assert.equal(from('::1', Array<string>(10_000).fill('10.0.0.1').join(',')), '10.0.0.1')
})

test('addresses: mapped IPv4, zones, unix sockets', () => {
  assert.equal(plainAddress('::ffff:192.0.2.1'), '192.0.2.1')
  assert.equal(plainAddress('fe80::1%eth0'), 'fe80::1')
  assert.equal(plainAddress(undefined), UNIX_PEER)
})

test('trusted_proxies: networks, single addresses, and refusals', () => {
  const some = trustedProxies(['192.0.2.0/24', '2001:db8::5', '198.51.100.7'])
  assert.ok(some('192.0.2.77') && some('2001:db8::5') && some('198.51.100.7') && some(UNIX_PEER))
  assert.ok(!some('192.0.3.1') && !some('2001:db8::6') && !some('127.0.0.1') && !some('nonsense'))
  for (const bad of ['proxy.test', '192.0.2.0/33', '::/129', '192.0.2.0/x', '']) {
    assert.throws(() => trustedProxies([bad]), /trusted_proxies/, bad)
  }
})
