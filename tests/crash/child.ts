/**
 * A server's store in a process of its own, to be killed. Says each acknowledged write on standard output, in one
 * system call each, so that whatever was said before a kill arrives.
 */
import { writeSync } from 'node:fs'
import { realWorld } from '#/base/world.ts'
import type { Store } from '#/ports/store/store.ts'
import { openPostgres } from '#/storage/postgres/store.ts'
import { openSqlite } from '#/storage/sqlite/store.ts'
import type { DatabaseLocation } from '#/storage/verify/location.ts'
import { RoomScript, SCRIPT_SERVER, type ScriptPlan, scriptUser } from '../support/room-script.ts'

export interface ChildTask {
  readonly database: DatabaseLocation
  /** Number of this process's life; names its rooms and transactions. */
  readonly life: number
  readonly writers: number
  /** Writes per writer; then the process ends by itself. */
  readonly writes: number
}

export type FromChild =
  /** Opened, recovered and written once: milliseconds since opening began. */
  | { readonly ready: number }
  | { readonly room: string }
  | { readonly event: string; readonly txn?: string; readonly sender: string; readonly room: string }

const say = (message: FromChild): void => void writeSync(1, `${JSON.stringify(message)}\n`)

const task = JSON.parse(process.argv[2] ?? '') as ChildTask
const onFatal = (error: Error): never => {
  throw error
}

function open({ database }: ChildTask): Promise<Store> {
  const common = { serverName: SCRIPT_SERVER, world: realWorld, onFatal }
  return database.engine === 'sqlite'
    ? openSqlite({ ...common, path: database.path })
    : openPostgres({ ...common, target: database.target })
}

/** Two writers share a room, so that events build on others that are not on disk yet. */
async function write(store: Store, room: RoomScript, name: string): Promise<void> {
  for (let i = 0; i < task.writes; i++) {
    const txnId = `${task.life}-${name}-${i}`
    const { plan, eventIds, txn } = next(room, txnId, i)
    const result = await store.commit(plan)
    if (!result.ok) throw new Error(`refused: ${result.conflict}`)
    for (const event of eventIds) {
      say({ event, ...(txn ? { txn: txnId } : {}), sender: room.creator, room: room.roomId })
    }
  }
}

function next(room: RoomScript, txnId: string, i: number): ScriptPlan & { txn: boolean } {
  if (i % 7 === 3) return { ...room.state('m.room.topic', '', { topic: txnId }), txn: false }
  if (i % 11 === 5) return { ...room.member(scriptUser(`guest-${txnId}`), 'join'), txn: false }
  return { ...room.message(txnId, room.creator, { device: 'DEVICE', txnId }), txn: true }
}

async function makeRoom(store: Store, index: number): Promise<RoomScript> {
  const room = new RoomScript(`L${task.life}R${index}x`)
  const { plan, eventIds } = room.create()
  const result = await store.commit(plan)
  if (!result.ok) throw new Error(`refused: ${result.conflict}`)
  room.created(result.results)
  say({ room: room.roomId })
  for (const event of eventIds) say({ event, sender: room.creator, room: room.roomId })
  return room
}

const begun = performance.now()
await using store = await open(task)
const first = await makeRoom(store, 0)
say({ ready: performance.now() - begun })
const writing: Promise<void>[] = []
for (let i = 0; i < task.writers; i += 2) {
  const room = i === 0 ? first : await makeRoom(store, i)
  writing.push(write(store, room, `${i}`))
  if (i + 1 < task.writers) writing.push(write(store, room, `${i + 1}`))
}
await Promise.all(writing)
