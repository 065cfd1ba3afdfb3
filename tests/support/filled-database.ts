/** Database files with a bit of everything in them, for tests of verification, backup and restore. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { realWorld } from '#/base/world.ts'
import type { Op, Plan } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import { DEFAULT_PROFILE } from '#/protocol/push-rules/profile.ts'
import { STATE_OLDER_INLINE_BYTES, STATE_TAIL_ROWS } from '#/storage/limits.ts'
import { openSqliteInline } from '#/storage/sqlite/store.ts'
import { backupKey, newBackup, putKeys, toDevice, toOne } from './e2ee-ops.ts'
import { accountPlan, RoomScript, relating, SCRIPT_SERVER, scriptUser } from './room-script.ts'

/** A fresh folder for one test. */
export function tempFolder(name: string, parent = tmpdir()): string {
  return mkdtempSync(join(parent, `myelin-${name}-`))
}

/** Commits a plan that nothing may refuse; gives its results. */
export async function commitAll(store: Store, plan: Plan): Promise<readonly unknown[]> {
  const result = await store.commit(plan)
  if (!result.ok) throw new Error(`refused: ${result.conflict} ${result.value ?? ''}`)
  return result.results
}

/** What `fill` made, for tests that go on from there. */
export interface Filled {
  readonly rooms: readonly RoomScript[]
  readonly users: readonly ReturnType<typeof scriptUser>[]
}

/** A receipt for the room's last event. */
async function receiptOf(store: Store, room: RoomScript, user: string): Promise<Op> {
  const { eventId } = room.last
  const row = await store.events.byId(eventId)
  if (!row) throw new Error('the last event is not stored')
  return {
    op: 'receipt.put',
    room: room.nid,
    user,
    kind: 'm.read',
    thread: '',
    eventId,
    event: row.nid,
    ts: 1,
  }
}

/** Rules, a pusher, and the room's last event counted in a thread, for somebody. */
async function pushOps(store: Store, room: RoomScript, user: string): Promise<Op[]> {
  const { eventId } = room.last
  const row = await store.events.byId(eventId)
  if (!row) throw new Error('the last event is not stored')
  const data = '{"lang":"en"}'
  const pusher = { user, appId: 'app', pushkey: 'key', kind: 'http', device: 'DEVICE', data, ts: 1 }
  return [
    { op: 'pusher.put', pusher, append: false, max: 5 },
    {
      op: 'push.rules',
      user,
      content: '{"global":{}}',
      custom: true,
      profile: DEFAULT_PROFILE,
      rooms: [[room.roomId, '0-']],
    },
    {
      op: 'push.event',
      event: { nid: row.nid },
      room: room.nid,
      thread: eventId,
      kind: 0,
      loud: false,
      readBy: user,
      joined: user,
      actions: [{ user, notify: true, highlight: true, actions: '["notify"]' }],
      queue: [{ user, actions: '["notify"]' }],
    },
  ]
}

/**
 * Two rooms of versions 11 and 12 with members that come and go, messages with transaction ids, a redaction, a state
 * branch, packed and spilled state history, and rows in every other table.
 */
export async function fill(store: Store): Promise<Filled> {
  const users = ['creator', 'alice', 'bob', 'carol'].map(scriptUser)
  await commitAll(store, { lane: 'search', ops: [{ op: 'search.enable', on: true }] })
  for (const [i, user] of users.entries()) {
    await commitAll(store, accountPlan(user, 'DEVICE', String(i).repeat(64)))
  }
  const rooms = [new RoomScript('first', '11'), new RoomScript('second', '12')]
  for (const room of rooms) await fillRoom(store, room, users)
  const [creator] = users
  if (!creator || !rooms[0]) throw new Error('nothing was made')
  const data: Plan = {
    lane: creator,
    ops: [
      { op: 'account_data.put', user: creator, room: 0, type: 'm.direct', content: '{"a":["b"]}' },
      { op: 'account_data.put', user: creator, room: rooms[0].nid, type: 'm.tag', content: '{"tags":{}}' },
      await receiptOf(store, rooms[0], creator),
      ...(await pushOps(store, rooms[0], creator)),
      { op: 'filter.put', user: creator, json: '{"room":{}}' },
      { op: 'profile.put', user: creator, fields: '{"displayname":"Cé"}' },
      { op: 'uia.put', session: 'session', data: '{"done":[]}', expiresTs: 2_000_000_000_000 },
      { op: 'job.put', kind: 'test', key: 'a', dueTs: 2_000_000_000_000, data: '{}' },
      {
        op: 'registration_token.put',
        token: 'welcome',
        usesAllowed: 1,
        expiresTs: null,
        admin: false,
      },
    ],
  }
  await commitAll(store, data)
  await commitAll(store, { lane: creator, ops: e2eeOps(users[0]!, users[1]!) })
  return { rooms, users }
}

/** Messages that wait for devices, a backup with keys, and a dehydrated device. */
function e2eeOps(one: string, two: string): Op[] {
  return [
    { op: 'device.put', user: one, device: 'DEHYDRATED', displayName: null, ts: 1 },
    { op: 'dehydrated.put', user: one, device: 'DEHYDRATED', data: '{"algorithm":"a"}' },
    toDevice([{ content: '{"a":"é"}', devices: [], users: [one, two] }], { txn: 'first' }),
    toDevice([toOne(one, 'DEVICE'), toOne(two, 'DEVICE', '{}')], { txn: 'second' }),
    newBackup(one),
    putKeys(one, 1, [backupKey('!r', 's'), backupKey('!r', 't')]),
  ]
}

async function fillRoom(store: Store, room: RoomScript, users: Filled['users']): Promise<void> {
  const [, alice, bob, carol] = users
  if (!alice || !bob || !carol) throw new Error('too few users')
  room.created(await commitAll(store, room.create().plan))
  for (const user of [alice, bob]) await commitAll(store, room.member(user, 'join').plan)
  await commitAll(store, room.member(carol, 'invite', room.creator).plan)
  await commitAll(store, room.member(bob, 'leave').plan)
  for (let i = 0; i < 20; i++) {
    const txn = { device: 'DEVICE', txnId: `m${i}` }
    await commitAll(store, room.message(`message ${i} «é»`, alice, txn).plan)
  }
  const target = room.last
  for (const relType of ['m.thread', 'm.replace', 'm.thread', 'm.reference', 'm.annotation']) {
    await commitAll(
      store,
      relating(room.message(`a relation ${relType}`, alice), room.nid, target.eventId, relType),
    )
  }
  await commitAll(store, room.redaction(room.last).plan)
  await commitAll(store, room.redaction(target).plan)
  /* Enough changes to pack the log of changes, and in the first room also to spill the history of a key. */
  const changes = room.rules.version === '11' ? STATE_OLDER_INLINE_BYTES / 2 + 50 : STATE_TAIL_ROWS + 10
  const plans = Array.from({ length: changes }, (_, i) =>
    room.state('m.room.topic', '', { topic: `topic ${i}` }),
  )
  /* Each builds on the one before; the store applies them in order and together. */
  await Promise.all(plans.map(({ plan }) => commitAll(store, plan)))
  await judgeOnBranch(store, room)
}

/** An event that was judged by another state than the main line's: a branch without join rules. */
async function judgeOnBranch(store: Store, room: RoomScript): Promise<void> {
  const parent = { branch: 0, pos: store.position() }
  const opened = await commitAll(store, {
    lane: room.roomId,
    ops: [{ op: 'state.branch', room: room.nid, parent }],
  })
  const branch = opened[0] as number
  const { plan } = room.message('judged by another state')
  const changes = [{ type: 'm.room.join_rules', stateKey: '', event: null }]
  const point = { branch, pos: store.position() + 1 }
  await commitAll(store, {
    lane: plan.lane,
    ops: [
      ...plan.ops,
      { op: 'state.change', room: room.nid, branch, changes },
      { op: 'state.at', event: { slot: 0 }, point },
    ],
  })
}

/** A filled and closed database file in `folder`; gives its path. */
export async function filledSqlite(folder: string): Promise<string> {
  const path = join(folder, 'homeserver.db')
  await using store = openSqliteInline({
    path,
    serverName: SCRIPT_SERVER,
    world: realWorld,
    pauseMsMax: 0,
  })
  await fill(store)
  return path
}
