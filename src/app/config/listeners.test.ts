import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Listener } from './listeners.ts'
import { loadConfig } from './load.ts'
import { memoryFiles } from './memory-files.ts'
import { ConfigError } from './problems.ts'

const HEAD = 'server_name: a.example\ndatabase: {args: {database: x}}\n'

function load(text: string, others: Record<string, string> = {}) {
  return loadConfig(['h.yaml'], memoryFiles({ '/work/h.yaml': HEAD + text, ...others }))
}

function one(text: string): Listener {
  const [listener] = load(`listeners:\n  - ${text}\n`).config.listeners
  assert.ok(listener)
  return listener
}

function problems(text: string): [number, string, string][] {
  try {
    load(text)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map((p) => [p.line, p.key, p.text])
    throw error
  }
  return []
}

test('addresses: given, old spelling, defaults by type', () => {
  const addresses = (text: string) => {
    const listener = one(text)
    return listener.kind === 'tcp' && listener.bindAddresses
  }
  assert.deepEqual(addresses('{port: 1, type: http, bind_addresses: ["::1"], bind_address: 127.0.0.1}'), [
    '::1',
    '127.0.0.1',
  ])
  assert.deepEqual(addresses('{port: 1, type: http}'), ['::', '0.0.0.0'])
  assert.deepEqual(addresses('{port: 1, type: http, bind_addresses: []}'), ['::', '0.0.0.0'])
  assert.deepEqual(addresses('{port: 1, type: metrics}'), ['0.0.0.0'])
})

test('a Unix socket: path, mode in all spellings, forwarded addresses by default', () => {
  const socket = one('{path: run/m.sock, type: http, resources: [{names: [client], compress: true}]}')
  assert.deepEqual(socket, {
    kind: 'unix',
    type: 'http',
    path: '/work/run/m.sock',
    mode: 0o666,
    key: 'listeners[0]',
    tag: 'unix',
    xForwarded: true,
    requestIdHeader: null,
    resources: ['client'],
    compressed: ['client'],
  })
  for (const mode of ['0660', '"0660"', '0o660', '"660"', '432']) {
    const listener = one(`{path: /s, type: http, mode: ${mode}}`)
    assert.equal(listener.kind === 'unix' && listener.mode, 0o660, mode)
  }
  assert.equal(one('{path: /s, type: http, x_forwarded: false}').xForwarded, false)
  assert.equal(one('{port: 1, type: http}').xForwarded, false)
})

test('a metrics listener serves metrics alone', () => {
  const { config, warnings } = load('listeners: [{port: 9000, type: metrics}]\n')
  assert.deepEqual(config.listeners[0]?.resources, ['metrics'])
  assert.match(warnings.map((w) => w.text).join(), /`enable_metrics` is false/)
})

test('resources of several entries are joined without repeats', () => {
  const listener = one(
    '{port: 1, type: http, resources: [{names: [client, federation]}, {names: [client], compress: true}]}',
  )
  assert.deepEqual([listener.resources, listener.compressed], [['client', 'federation'], ['client']])
})

test('port or path, not both and not neither; no TLS and no metrics on a socket', () => {
  assert.deepEqual(problems('listeners:\n  - {type: http}\n'), [
    [4, 'listeners[0]', 'expected `port` or `path`'],
  ])
  assert.deepEqual(problems('listeners:\n  - {type: http, port: 1, path: /s}\n'), [
    [4, 'listeners[0]', 'expected `port` or `path`, both are given'],
  ])
  assert.deepEqual(
    problems('listeners:\n  - {type: http, path: /s, tls: true}\n').map((p) => p[2]),
    ['expected no `tls` on a Unix socket'],
  )
  assert.deepEqual(
    problems('listeners:\n  - {type: metrics, path: /s}\n').map((p) => p[2]),
    ['expected `port`: metrics need TCP'],
  )
  assert.match(problems('listeners:\n  - {type: http, path: /s, mode: 666}\n').join(), /permissions in octal/)
})

test('TLS needs certificate and key', () => {
  const text = 'listeners:\n  - {port: 1, type: http, tls: true}\n'
  assert.deepEqual(
    problems(text).map((p) => p[1]),
    ['tls_certificate_path', 'tls_private_key_path'],
  )
  const given = `${text}tls_certificate_path: c.pem\ntls_private_key_path: /k.pem\n`
  const { config } = load(given)
  assert.equal(config.tls.tlsCertificatePath, '/work/c.pem')
})

test('a debug shell is not opened, and nothing to listen on is said', () => {
  const { config, warnings } = load('listeners: [{port: 9, type: manhole}]\n')
  assert.deepEqual(config.listeners, [])
  assert.match(warnings.map((w) => w.text).join(), /no debug shell.*nothing to listen on/)
})
