import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type TLSSocket } from 'node:tls'
import { CERTIFICATE_ONE, CERTIFICATE_TWO } from '#/adapters/http-server/certificates.fixture.ts'
import { freePort, LiveServer, logLines, plainListener } from '../support/live-server.ts'

const RELOADED = /reloaded log level and certificates|could not reload/

/** Replaces text of homeserver.yaml. */
function edit(server: LiveServer, from: string, to: string): void {
  const text = readFileSync(server.configPath, 'utf8')
  assert.ok(text.includes(from))
  writeFileSync(server.configPath, text.replace(from, to))
}

/** Sends SIGHUP and waits until it was taken. @returns what was logged of it. */
async function hangUp(server: LiveServer): Promise<string> {
  const before = server.log.length
  server.program.child.kill('SIGHUP')
  for (let waited = 0; waited < 10_000; waited += 20) {
    const fresh = server.log.slice(before)
    if (RELOADED.test(fresh)) return fresh
    await sleep(20)
  }
  throw new Error(`SIGHUP was not taken:\n${server.log}`)
}

test('SIGHUP changes the level of the log, and a wrong file changes nothing', async () => {
  await using server = await LiveServer.start({ engine: 'sqlite', config: 'myelin:\n  log_level: info\n' })
  const requests = () => logLines(server.log).filter((line) => line.msg === 'request').length
  const asks = async (): Promise<number> => {
    const before = requests()
    await server.call('GET', '/_matrix/client/versions')
    /* Lines wait up to a second in the buffer. */
    await sleep(1_500)
    return requests() - before
  }
  /* The line of the start's own question comes late too. */
  await sleep(1_500)
  assert.equal(await asks(), 1)
  edit(server, 'log_level: info', 'log_level: error')
  assert.match(
    await hangUp(server),
    /"level":"info".*reloaded/,
    'the answer to a signal is seen at every level',
  )
  assert.equal(await asks(), 0, 'requests are not errors')
  edit(server, 'log_level: error', 'log_level: fatal')
  assert.match(await hangUp(server), /reloaded/)
  edit(server, 'log_level: fatal', 'log_level: error')
  assert.match(await hangUp(server), /reloaded/)
  edit(server, 'log_level: error', 'log_level: loud')
  assert.match(await hangUp(server), /log_level: expected one of.*could not reload/)
  assert.equal(await asks(), 0, 'all stays as it was')
  edit(server, 'log_level: loud', 'log_level: info')
  assert.match(await hangUp(server), /reloaded/)
  assert.equal(await asks(), 1)
})

function dial(port: number): Promise<TLSSocket> {
  return new Promise((done, fail) => {
    const options = { port, host: '127.0.0.1', servername: 'localhost', rejectUnauthorized: false }
    const socket = connect(options, () => done(socket))
    socket.once('error', fail)
  })
}

/** One request on an open connection. */
async function ask(socket: TLSSocket): Promise<string> {
  socket.write('GET /_matrix/client/versions HTTP/1.1\r\nhost: localhost\r\n\r\n')
  const [chunk] = (await once(socket, 'data')) as [Buffer]
  return String(chunk)
}

test('SIGHUP shows new certificates to new connections and keeps the old ones', async () => {
  const tlsPort = await freePort()
  await using server = await LiveServer.start({
    engine: 'sqlite',
    listeners: (port, folder) => {
      writeFileSync(join(folder, 'cert.pem'), CERTIFICATE_ONE.cert)
      writeFileSync(join(folder, 'key.pem'), CERTIFICATE_ONE.key)
      const tls = `  - { port: ${tlsPort}, bind_addresses: ['127.0.0.1'], type: http, tls: true, resources: [{ names: [client] }] }`
      return [
        plainListener(port),
        tls,
        `tls_certificate_path: ${folder}/cert.pem`,
        `tls_private_key_path: ${folder}/key.pem`,
      ].join('\n')
    },
  })
  const old = await dial(tlsPort)
  assert.equal(old.getPeerCertificate().subject.CN, 'one.test')
  writeFileSync(join(server.folder, 'cert.pem'), CERTIFICATE_TWO.cert)
  writeFileSync(join(server.folder, 'key.pem'), CERTIFICATE_TWO.key)
  assert.match(await hangUp(server), /reloaded/)
  const fresh = await dial(tlsPort)
  assert.equal(fresh.getPeerCertificate().subject.CN, 'two.test')
  writeFileSync(join(server.folder, 'cert.pem'), 'not a certificate')
  assert.match(await hangUp(server), /could not reload/)
  const third = await dial(tlsPort)
  assert.equal(third.getPeerCertificate().subject.CN, 'two.test', 'the last good one stays')
  for (const socket of [old, fresh, third]) {
    assert.match(await ask(socket), /^HTTP\/1\.1 200 /)
    socket.destroy()
  }
})
