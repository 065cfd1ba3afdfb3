/** Running PostgreSQL's own programs. The password goes by a file, because arguments are seen by everyone. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { StoreError } from '#/base/store-error.ts'
import type { Target } from '../postgres/session.ts'
import { PRIVATE_FILE } from './files.ts'
import { PROGRAM_ERROR_CHARS_MAX } from './limits.ts'

/** Calls `use` with a connection string for libpq that holds no password itself. */
export async function withConnection<T>(target: Target, use: (dbname: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'myelin-pg-'))
  try {
    const passfile = join(folder, 'pgpass')
    const { dbname, password } = connectionTexts(target, passfile)
    const escaped = password.replaceAll('\\', '\\\\').replaceAll(':', '\\:')
    await writeFile(passfile, password === '' ? '' : `*:*:*:*:${escaped}\n`, { mode: PRIVATE_FILE })
    return await use(dbname)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The target as libpq reads it, apart from the password. */
export function connectionTexts(target: Target, passfile: string): { dbname: string; password: string } {
  const { connectionString } = target as { connectionString?: string }
  if (connectionString !== undefined) {
    const url = new URL(connectionString)
    const password = decodeURIComponent(url.password)
    url.password = ''
    if (password !== '') url.searchParams.set('passfile', passfile)
    return { dbname: url.href, password }
  }
  const { host, port, user, database, password, libpq } = target as Exclude<
    Target,
    { connectionString: string }
  >
  if (typeof password === 'function') throw new StoreError('refused', 'the password must be a text')
  const fields = {
    host,
    port,
    user,
    dbname: database,
    ...libpq,
    passfile: password ? passfile : undefined,
  }
  const dbname = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}='${String(value).replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`)
    .join(' ')
  return { dbname, password: password ?? '' }
}

/** Runs a program to its end. Throws a StoreError with what it said when it fails or is not there. */
export async function runProgram(name: string, args: readonly string[]): Promise<void> {
  const child = spawn(name, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  await ended(name, child)
}

/** Runs `from | to`, with texts around what the first one writes; the last one only when that ended well. */
export async function runPiped(
  from: readonly [name: string, args: readonly string[]],
  to: readonly [name: string, args: readonly string[]],
  around: { readonly first: string; readonly last: string },
): Promise<void> {
  const source = spawn(from[0], from[1], { stdio: ['ignore', 'pipe', 'pipe'] })
  const sourceEnded = ended(from[0], source)
  const sink = spawn(to[0], to[1], { stdio: ['pipe', 'ignore', 'pipe'] })
  const sinkEnded = ended(to[0], sink)
  async function* text(): AsyncGenerator<Buffer | string> {
    yield around.first
    for await (const chunk of source.stdout as Readable) yield chunk as Buffer
    await sourceEnded
    yield around.last
  }
  const piped = pipeline(text, sink.stdin as Writable)
  const results = await Promise.allSettled([sourceEnded, sinkEnded, piped])
  for (const result of results) if (result.status === 'rejected') throw result.reason
}

function ended(name: string, child: ChildProcess): Promise<void> {
  let said = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-PROGRAM_ERROR_CHARS_MAX)
  })
  return new Promise((resolve, reject) => {
    child.on('error', (error: NodeJS.ErrnoException) => {
      const missing = `the program ${name} is not installed (Debian: postgresql-client)`
      reject(new StoreError('refused', error.code === 'ENOENT' ? missing : `${name}: ${error.message}`))
    })
    child.on('close', (code) => {
      if (code === 0) resolve()
      else reject(new StoreError('unavailable', `${name} failed: ${said.trim()}`))
    })
  })
}
