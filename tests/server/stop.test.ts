import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ENGINES, LiveServer, request } from '../support/live-server.ts'

const V3 = '/_matrix/client/v3'
const SENDERS = 10
/** From the signal to the end of the process, with requests under way, on a busy machine. */
const STOP_MS_MAX = 8_000

interface Message {
  readonly type: string
  readonly event_id: string
}

/** Ids of all messages of a room, by paging back. */
async function messagesOf(server: LiveServer, room: string, token: string): Promise<string[]> {
  const ids: string[] = []
  let from = ''
  for (;;) {
    const path = `${V3}/rooms/${encodeURIComponent(room)}/messages?dir=b&limit=100${from}`
    const { chunk, end } = (await server.call('GET', path, undefined, token)) as {
      chunk: Message[]
      end?: string
    }
    for (const event of chunk) if (event.type === 'm.room.message') ids.push(event.event_id)
    if (end === undefined) return ids
    from = `&from=${encodeURIComponent(end)}`
  }
}

/** Sends one message after the other until the server is gone; notes what was acknowledged. */
async function sendOn(
  server: LiveServer,
  room: string,
  token: string,
  name: string,
  into: string[],
): Promise<void> {
  for (let i = 0; ; i++) {
    const path = `${V3}/rooms/${encodeURIComponent(room)}/send/m.room.message/${name}-${i}`
    try {
      const { status, json } = await request(
        server.url,
        'PUT',
        path,
        { msgtype: 'm.text', body: `${name} ${i}` },
        token,
      )
      if (status !== 200) return
      into.push(String(json['event_id']))
    } catch {
      return
    }
  }
}

for (const { engine, skip } of ENGINES) {
  test(`SIGTERM during sends and a long poll: all that was acknowledged is there, exit 0 (${engine})`, {
    skip,
  }, async (t) => {
    await using server = await LiveServer.start({ engine })
    const sender = await server.makeAccount('sender', 'a password')
    const waiter = await server.makeAccount('waiter', 'a password')
    const made = await server.call('POST', `${V3}/createRoom`, {}, sender.access_token)
    const room = String(made['room_id'])
    const { next_batch: since } = await server.call('GET', `${V3}/sync`, undefined, waiter.access_token)
    const polling = request(
      server.url,
      'GET',
      `${V3}/sync?timeout=30000&since=${since}`,
      undefined,
      waiter.access_token,
    )
    const acknowledged: string[] = []
    const names = Array.from({ length: SENDERS }, (_, i) => `sender-${i}`)
    const sending = names.map((name) => sendOn(server, room, sender.access_token, name, acknowledged))
    while (acknowledged.length < 50) await sleep(5)

    const began = performance.now()
    assert.equal(await server.stop('SIGTERM'), 0)
    const took = performance.now() - began
    t.diagnostic(`stopped in ${Math.round(took)} ms, ${acknowledged.length} acknowledged`)
    assert.ok(took < STOP_MS_MAX, `took ${took} ms`)
    const polled = await polling
    assert.deepEqual([polled.status, typeof polled.json['next_batch']], [200, 'string'])
    await Promise.all(sending)
    assert.match(server.log, /"signal":"SIGTERM"/)
    assert.match(server.log, /"msg":"stopped"/)

    await server.resume()
    const stored = await messagesOf(server, room, sender.access_token)
    assert.equal(new Set(stored).size, stored.length, 'none is there twice')
    assert.deepEqual(
      acknowledged.filter((id) => !stored.includes(id)),
      [],
    )
    const unanswered = stored.length - acknowledged.length
    assert.ok(unanswered <= SENDERS, `${unanswered} more than acknowledged`)
  })
}

test('a second SIGTERM and an idle server: exit 0 at once', async () => {
  await using server = await LiveServer.start({ engine: 'sqlite' })
  const { child } = server.program
  child.kill('SIGTERM')
  const began = performance.now()
  assert.equal(await server.stop('SIGTERM'), 0)
  assert.ok(performance.now() - began < STOP_MS_MAX)
})
