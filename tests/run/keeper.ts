/**
 * Keeps the services of one test run: starts PostgreSQL and Redis on a throw-away folder, prints their
 * addresses as one line of JSON, and when its standard input ends, however the other side died, stops them and
 * removes the folder. Started by services.ts with the paths of the programs as one JSON argument.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { chownSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import type { Programs } from './requirements.ts'

/** PostgreSQL refuses to run as root; so do we with Redis. */
type Identity = { uid?: number; gid?: number }

const START_MS_MAX = 30_000
const STOP_MS_MAX = 5_000

const children: ChildProcess[] = []
const folder = mkdtempSync(join(tmpdir(), 'myelin-test-'))
let stopping = false

process.stdin.resume().on('end', stop).on('error', stop)
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, stop)
try {
  const programs = JSON.parse(process.argv[2] ?? '') as Programs
  const as = unprivileged()
  if (as.uid !== undefined && as.gid !== undefined) chownSync(folder, as.uid, as.gid)
  const [postgres, redis] = await Promise.all([startPostgres(programs, as), startRedis(programs, as)])
  process.stdout.write(`${JSON.stringify({ postgres, redis })}\n`)
} catch (error) {
  if (!stopping) process.stdout.write(`${JSON.stringify({ error: String(error) })}\n`)
}

async function startPostgres(programs: Programs, as: Identity): Promise<string> {
  const data = join(folder, 'postgres')
  const bin = programs.postgresBin
  const version = Number(/(\d+)/.exec(spawnSync(join(bin, 'postgres'), ['--version']).stdout.toString())?.[1])
  // A collation that is not C, so that a missing COLLATE "C" shows as a wrong order.
  const locale = version >= 15 ? ['--locale-provider=icu', '--icu-locale=en-US'] : []
  const args = ['-D', data, '-U', 'myelin', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync', ...locale]
  const made = spawnSync(join(bin, 'initdb'), args, { ...as, cwd: folder })
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr}`)
  const port = await freePort()
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: folder,
    // Nobody cuts the power of a throw-away server: a killed client loses nothing that its commit has given away.
    fsync: 'off',
    full_page_writes: 'off',
    max_connections: '300',
    // A test of batches that lock each other out waits this long for each; it is a second otherwise.
    deadlock_timeout: '50ms',
    shared_buffers: '64MB',
    log_min_messages: 'panic',
  }
  const options = Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`])
  const server = start(join(bin, 'postgres'), ['-D', data, '-p', `${port}`, ...options], as)
  const url = `postgres://myelin@127.0.0.1:${port}/postgres`
  await ready(server, 'PostgreSQL', async () => {
    const client = new pg.Client(url)
    await client.connect()
    await client.end()
  })
  return url
}

async function startRedis(programs: Programs, as: Identity): Promise<string> {
  const port = await freePort()
  const args = [
    '--port',
    `${port}`,
    '--bind',
    '127.0.0.1',
    '--dir',
    folder,
    '--save',
    '',
    '--appendonly',
    'no',
  ]
  const server = start(programs.redis, args, as)
  await ready(server, 'Redis', async () => {
    const socket = connect(port, '127.0.0.1')
    try {
      await new Promise((done, fail) => socket.once('connect', done).once('error', fail))
    } finally {
      socket.destroy()
    }
  })
  return `redis://127.0.0.1:${port}`
}

function start(program: string, args: string[], as: Identity): ChildProcess {
  const child = spawn(program, args, { ...as, cwd: folder, stdio: 'ignore' })
  child.on('error', () => {})
  children.push(child)
  return child
}

/** Tries until it works; a service that ended or takes too long is an error. */
async function ready(child: ChildProcess, name: string, attempt: () => Promise<void>): Promise<void> {
  const until = performance.now() + START_MS_MAX
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined)
        throw new Error(`${name} ended at once with ${child.exitCode ?? child.signalCode}`)
      if (performance.now() > until) throw new Error(`${name} does not answer`, { cause: error })
      await sleep(30)
    }
  }
}

function unprivileged(): Identity {
  if (process.getuid?.() !== 0) return {}
  const users = readFileSync('/etc/passwd', 'utf8').split('\n')
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = users.find((line) => line.startsWith(`${name}:`))?.split(':') ?? []
    if (uid && gid) return { uid: Number(uid), gid: Number(gid) }
  }
  throw new Error('started as root, and there is neither a user postgres nor nobody to run PostgreSQL as')
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const address = server.address()
  await new Promise((done) => server.close(done))
  if (address === null || typeof address === 'string') throw new Error('no free port')
  return address.port
}

async function stop(): Promise<void> {
  if (stopping) return
  stopping = true
  // SIGQUIT ends PostgreSQL without a checkpoint nobody will read.
  for (const child of children) child.kill('SIGQUIT')
  const gone = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null || !child.pid
  const until = performance.now() + STOP_MS_MAX
  while (!children.every(gone) && performance.now() < until) await sleep(10)
  for (const child of children) if (!gone(child)) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  process.exit(0)
}
