import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { get } from 'node:http'
import { test } from 'node:test'
import { freePort, LiveServer, plainListener, request } from '../support/live-server.ts'

function overSocket(socketPath: string, path: string): Promise<{ status: number; text: string }> {
  return new Promise((done, fail) => {
    get({ socketPath, path, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      response.on('end', () => done({ status: response.statusCode ?? 0, text }))
    }).once('error', fail)
  })
}

async function text(url: string): Promise<{ status: number; text: string }> {
  const response = await fetch(url)
  return { status: response.status, text: await response.text() }
}

test('several listeners: TCP twice, a Unix socket over kills, metrics apart, health', async () => {
  const [second, metrics] = [await freePort(), await freePort()]
  await using server = await LiveServer.start({
    engine: 'sqlite',
    config: 'enable_metrics: true',
    listeners: (port, folder) =>
      [
        plainListener(port),
        plainListener(second),
        `  - { path: ${folder}/http.sock, mode: 0660, type: http, resources: [{ names: [client] }] }`,
        `  - { port: ${metrics}, bind_addresses: ['127.0.0.1'], type: metrics }`,
      ].join('\n'),
  })
  const socket = `${server.folder}/http.sock`
  const versions = '/_matrix/client/versions'
  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    assert.equal((await overSocket(socket, versions)).status, 200)
    assert.equal(statSync(socket).mode & 0o777, 0o660)
    assert.equal((await request(`http://127.0.0.1:${second}`, 'GET', versions)).status, 200)
    await server.restart(signal)
  }
  assert.deepEqual(await text(`${server.url}/health`), { status: 200, text: 'OK' })
  assert.deepEqual(await overSocket(socket, '/health'), { status: 200, text: 'OK' })

  const scraped = await text(`http://127.0.0.1:${metrics}/_synapse/metrics`)
  assert.equal(scraped.status, 200)
  const counted =
    /^synapse_http_server_requests_received_total\{method="GET",servlet="VersionsRestServlet",.*\} (\d+)$/m
  assert.ok(Number(counted.exec(scraped.text)?.[1]) >= 1, 'the question after the restart is counted')
  const outside = [`${server.url}/_synapse/metrics`, `http://127.0.0.1:${metrics}${versions}`]
  for (const url of outside) {
    const refused = await text(url)
    assert.deepEqual([refused.status, JSON.parse(refused.text).errcode], [404, 'M_UNRECOGNIZED'], url)
  }
  assert.equal(await server.stop(), 0)
  assert.equal(statSync(socket, { throwIfNoEntry: false }), undefined, 'the socket goes with the server')
})

test('endpoints that are not served, and paths that are not Matrix, are said not to be known', async () => {
  await using server = await LiveServer.start({ engine: 'sqlite' })
  for (const path of [
    '/_matrix/client/v1/media/config',
    '/_matrix/media/v3/upload',
    '/_matrix/nothing',
    '/nothing',
  ]) {
    const { status, json } = await request(server.url, 'POST', path, {})
    assert.deepEqual([status, json['errcode']], [404, 'M_UNRECOGNIZED'], path)
  }
  const wrongMethod = await request(server.url, 'DELETE', '/_matrix/client/v3/sync')
  assert.deepEqual([wrongMethod.status, wrongMethod.json['errcode']], [405, 'M_UNRECOGNIZED'])
})

test('a listener serves the resources that it names and no others', async () => {
  const ports = [await freePort(), await freePort(), await freePort()] as const
  const listener = (port: number, names: string): string =>
    `  - { port: ${port}, bind_addresses: ['127.0.0.1'], type: http, resources: [{ names: [${names}] }] }`
  await using server = await LiveServer.start({
    engine: 'sqlite',
    config: 'enable_metrics: true',
    listeners: (port) =>
      [
        plainListener(port),
        listener(ports[0], 'federation'),
        listener(ports[1], 'health'),
        listener(ports[2], 'client, metrics'),
      ].join('\n'),
  })
  const paths = [
    '/health',
    '/_matrix/client/versions',
    '/_synapse/admin/v1/register',
    '/_matrix/federation/v1/openid/userinfo?access_token=x',
    '/_synapse/metrics',
  ]
  const seen = async (base: string): Promise<(number | string)[]> => {
    const answers = await Promise.all(paths.map((path) => text(base + path)))
    return answers.map(({ status, text: body }) => (status === 404 ? JSON.parse(body).errcode : status))
  }
  const not = 'M_UNRECOGNIZED'
  assert.deepEqual(await seen(server.url), [200, 200, 200, 401, not])
  assert.deepEqual(await seen(`http://127.0.0.1:${ports[0]}`), [200, not, not, 401, not])
  assert.deepEqual(await seen(`http://127.0.0.1:${ports[1]}`), [200, not, not, not, not])
  assert.deepEqual(await seen(`http://127.0.0.1:${ports[2]}`), [200, 200, 200, not, 200])
  const preflight = await fetch(`http://127.0.0.1:${ports[1]}/_matrix/client/versions`, { method: 'OPTIONS' })
  assert.equal(preflight.headers.get('access-control-allow-origin'), '*')
})

test('answers are compressed where a listener says so', async () => {
  const port = await freePort()
  await using server = await LiveServer.start({
    engine: 'sqlite',
    listeners: (plain) =>
      `${plainListener(plain)}\n  - { port: ${port}, bind_addresses: ['127.0.0.1'], type: http, resources: [{ names: [client], compress: true }] }`,
  })
  const encoding = async (base: string) => {
    const answer = await fetch(`${base}/_matrix/client/versions`, { headers: { 'accept-encoding': 'gzip' } })
    assert.ok(Array.isArray(((await answer.json()) as { versions: unknown }).versions))
    return answer.headers.get('content-encoding')
  }
  assert.equal(await encoding(server.url), null)
  assert.equal(await encoding(`http://127.0.0.1:${port}`), 'gzip')
})
