/** One-time keys claimed by several processes on one PostgreSQL database: the database decides who gets which. */
import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { it } from 'node:test'
import { silentLog } from '#/base/log.ts'
import { realWorld } from '#/base/world.ts'
import type { ClaimWish } from '#/ports/store/keys.ts'
import type { Op } from '#/ports/store/plan.ts'
import { openPostgres } from '#/storage/postgres/store.ts'
import { runVerify } from '#/storage/verify/run-verify.ts'
import { postgresSkip, testDatabase } from '../support/test-postgres.ts'
import type { Claimed, ClaimerTask } from './claimer.ts'
import { SERVER } from './engines.ts'
import { accepted } from './plans.ts'

const CURVE = 'signed_curve25519'
const PROCESSES = 4
/** Claims in one transaction at most, so that none takes all keys. */
const TOGETHER = 10
const CLAIMS = 1000
const DEVICES = 10
const KEYS_EACH = 10
const USER = `@owner:${SERVER}`
const CHILD = new URL('./claimer.ts', import.meta.url)
/** Connections of each process: claims use one lane, as the service has it. */
const WRITERS = 1

const ids = Array.from({ length: DEVICES }, (_, n) => `D${n}`)
const onFatal = (error: Error): never => assert.fail(error)

function uploads(): Op[] {
  const account: Op = {
    ...{ op: 'account.create', user: USER, passwordHash: null, admin: false, guest: false, ts: 1 },
  }
  const devices = ids.flatMap((device): Op[] => [
    { op: 'device.put', user: USER, device, displayName: null, ts: 1 },
    {
      op: 'keys.upload',
      user: USER,
      device,
      oneTime: Array.from({ length: KEYS_EACH }, (_, n) => ({
        algorithm: CURVE,
        keyId: `${device}-${n}`,
        json: `{"key":"${device}-${n}"}`,
      })),
      fallback: [],
      most: 1000,
    },
  ])
  return [account, ...devices]
}

/* One in five names several devices, in any order, so that transactions wait for each other. */
function wishesOf(n: number): ClaimWish[] {
  const shuffled = ids.toSorted(() => Math.random() - 0.5)
  const named = n % 5 === 0 ? shuffled.slice(0, 3) : shuffled.slice(0, 1)
  return named.map((device) => ({ user: USER, device, algorithm: CURVE }))
}

const startClaimer = (task: ClaimerTask): ChildProcess => fork(CHILD, [JSON.stringify(task)])

/** What a process says next; throws where it ends instead. */
async function said(child: ChildProcess): Promise<unknown> {
  const over = new AbortController()
  const ended = once(child, 'exit', { signal: over.signal }).then(([code]) => {
    throw new Error(`a claiming process ended with ${code}`)
  })
  ended.catch(() => {})
  try {
    const [message] = await Promise.race([once(child, 'message', { signal: over.signal }), ended])
    return message
  } finally {
    over.abort()
  }
}

const name = `${CLAIMS} claims at a time by ${PROCESSES} processes on one PostgreSQL: each of 100 keys once, ever`
it(name, { skip: postgresSkip, timeout: 120_000 }, async () => {
  await using database = await testDatabase()
  const target = { connectionString: database.url }
  const open = () => openPostgres({ target, serverName: SERVER, world: realWorld, onFatal })
  {
    await using store = await open()
    await accepted(store, USER, ...uploads())
  }
  const claims = Array.from({ length: CLAIMS / PROCESSES }, (_, n) => n)
  const children = Array.from({ length: PROCESSES }, () =>
    startClaimer({ url: database.url, writers: WRITERS, claims: claims.map(wishesOf), together: TOGETHER }),
  )
  const results: Claimed[] = []
  try {
    await Promise.all(children.map(said))
    const answers = children.map((child) => said(child) as Promise<Claimed>)
    for (const child of children) child.send('go')
    results.push(...(await Promise.all(answers)))
  } finally {
    for (const child of children) child.kill('SIGKILL')
  }
  const claimed = results.flat(2)
  assert.equal(new Set(claimed.map(({ keyId }) => keyId)).size, claimed.length, 'a key was given twice')
  assert.equal(claimed.length, DEVICES * KEYS_EACH, 'a key was given to nobody')
  assert.ok(claimed.every(({ device, keyId }) => keyId.startsWith(`${device}-`)))
  const busy = results.filter((keys) => keys.flat().length > 0).length
  assert.ok(busy > 1, 'one process was given all keys, so nothing was shown')
  /* A claim gives one key for each device. */
  for (const ofProcess of results) {
    for (const keys of ofProcess) assert.equal(new Set(keys.map(({ device }) => device)).size, keys.length)
  }
  await using store = await open()
  const wishes = ids.map((device) => ({ user: USER, device, algorithm: CURVE }))
  const { results: more } = await accepted(store, 'late', { op: 'keys.claim', wishes })
  assert.deepEqual(more[0], [])
  const report = await runVerify({ database: { engine: 'postgres', target }, log: silentLog })
  assert.deepEqual(report.findings, [])
})
