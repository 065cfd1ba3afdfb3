/** `kill -9` of a whole server while devices write each other: every message arrives once. LIVES sets how many kills. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ENGINES, LiveServer } from '../support/live-server.ts'
import { Mail } from './mail.ts'

const LIVES = Number(process.env['LIVES'] ?? (process.env['MYELIN_TEST_FULL'] ? 20 : 4))
const USERS = 4
/** A life ends a while after so many messages were acknowledged in it; every other life when all have synced, too. */
const LIFE_MESSAGES = 40
const LIFE_WORK_MS_MAX = 240_000
const LIFE_MS_MAX = 500
const EARLY_MS_MAX = 600
/** Delivered messages are deleted half a second after the request that proves it. */
const DELETED_MS_MAX = 10_000

/** Kills the server while it serves; one time in five also while it starts again. */
async function killOften(server: LiveServer, mail: Mail): Promise<void> {
  for (let life = 1; life <= LIVES; life++) {
    await untilWorked(mail, life)
    await sleep(Math.random() * LIFE_MS_MAX)
    assert.equal(await server.stop('SIGKILL'), 'SIGKILL')
    if (life % 5 === 4) {
      const begun = server.resume().then(
        () => 'ready',
        (error: Error) => error.message,
      )
      await sleep(Math.random() * EARLY_MS_MAX)
      await server.stop('SIGKILL')
      assert.match(await begun, /^ready$|ended with SIGKILL|is stopped/)
    }
    await server.resume()
  }
}

async function untilWorked(mail: Mail, life: number): Promise<void> {
  const end = performance.now() + LIFE_WORK_MS_MAX
  const messages = mail.acknowledged + LIFE_MESSAGES
  const syncs = mail.clients.map(({ answered }) => answered)
  const idle = (): number => mail.clients.filter(({ answered }, n) => answered === syncs[n]).length
  while (mail.acknowledged < messages || (life % 2 === 0 && idle() > 0)) {
    if (performance.now() > end) {
      assert.fail(
        `${mail.acknowledged} of ${messages} messages were acknowledged, ${idle()} syncs not answered`,
      )
    }
    await sleep(5)
  }
}

for (const { engine, skip } of ENGINES) {
  const name = `messages to devices arrive once though the server is killed ${LIVES} times, ${engine}`
  it(name, { skip, timeout: 120_000 + LIVES * 60_000 }, async (t) => {
    await using server = await LiveServer.start({ engine })
    const mail = new Mail(server)
    await mail.join(USERS)
    await mail.during(() => killOften(server, mail))
    mail.check()
    const received = mail.clients.reduce((sum, { kept }) => sum + kept.length, 0)
    const repeated = mail.clients.reduce((sum, client) => sum + client.repeated, 0)
    const { acknowledged, retried } = mail
    t.diagnostic(JSON.stringify({ kills: LIVES, acknowledged, received, retried, repeated }))
    assert.ok(repeated > 0 && retried > 0, 'the clients did nothing')
    if (engine === 'sqlite') await untilDeleted(join(server.folder, 'homeserver.db'))
    assert.equal(await server.stop(), 0)
  })
}

/** What was proved to be delivered is not kept. */
async function untilDeleted(path: string): Promise<void> {
  using database = new DatabaseSync(path, { readOnly: true })
  const rows = database.prepare('SELECT COUNT(*) AS n FROM inbox_messages')
  const end = performance.now() + DELETED_MS_MAX
  for (;;) {
    const left = rows.get()?.['n']
    if (left === 0) return
    if (performance.now() > end) assert.fail(`${left} delivered messages are still there`)
    await sleep(50)
  }
}
