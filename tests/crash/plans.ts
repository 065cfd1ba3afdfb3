/** One plan for every operation there is, over one small database. */
import { realWorld } from '#/base/world.ts'
import type { Op, Plan } from '#/ports/store/plan.ts'
import { openSqliteInline } from '#/storage/sqlite/store.ts'
import { backupKey, newBackup, putKeys, toDevice, toOne } from '../support/e2ee-ops.ts'
import { commitAll } from '../support/filled-database.ts'
import { accountPlan, RoomScript, relating, SCRIPT_SERVER, scriptUser } from '../support/room-script.ts'

const LATER = 2_000_000_000_000
const user = scriptUser('creator')
const other = scriptUser('other')
const guest = scriptUser('12345')

export interface Base {
  readonly room: RoomScript
  /** Row id of the room's last event. */
  readonly last: number
  /** Row id of a state branch. */
  readonly branch: number
  readonly position: number
  /** Row id of a report. */
  readonly report: number
}

/** Makes the database on which each plan is tried. */
export async function makeBase(path: string): Promise<Base> {
  const room = new RoomScript('base')
  let last: number
  let branch: number
  let position: number
  let report: number
  {
    await using store = openSqliteInline({
      path,
      serverName: SCRIPT_SERVER,
      world: realWorld,
      pauseMsMax: 0,
    })
    for (const [i, name] of [user, other].entries()) {
      await commitAll(store, accountPlan(name, 'DEVICE', `${i}`.repeat(64)))
    }
    await commitAll(store, tablesPlan())
    await commitAll(store, e2eePlan())
    await commitAll(store, { lane: 'search', ops: [{ op: 'search.enable', on: true }] })
    room.created(await commitAll(store, room.create().plan))
    await commitAll(store, directoryPlan(room.nid))
    await commitAll(store, room.member(other, 'join').plan)
    await commitAll(store, room.member(other, 'leave').plan)
    /* One short of a full tail, so that the next change packs the log. */
    const topics = Array.from({ length: 121 }, (_, i) => room.state('m.room.topic', '', { topic: `${i}` }))
    await Promise.all(topics.map(({ plan }) => commitAll(store, plan)))
    const parent = { branch: 0, pos: store.position() }
    const opened = await commitAll(store, { lane: '', ops: [{ op: 'state.branch', room: room.nid, parent }] })
    branch = opened[0] as number
    await commitAll(store, room.message('to be redacted').plan)
    last = (await store.events.byId(room.last.eventId))!.nid
    await commitAll(store, { lane: other, ops: [receiptOf({ room, last }, other)] })
    position = store.position()
    report = (await commitAll(store, roomTablesPlan(room.nid)))[0] as number
  }
  return { room, last, branch, position, report }
}

/** The room has an alias and is published. */
function directoryPlan(room: number): Plan {
  const ops: Op[] = [
    { op: 'alias.put', alias: '#old:x', room, creator: user, ts: 1 },
    { op: 'directory.publish', room, published: true },
  ]
  return { lane: '', ops }
}

function tablesPlan(): Plan {
  const pair = null
  const ops: Op[] = [
    { op: 'account.create', user: guest, passwordHash: null, admin: false, guest: true, ts: 1 },
    { op: 'token.put', digest: 'r'.repeat(64), user, device: 'DEVICE', kind: 'refresh', expiresTs: 1, pair },
    { op: 'registration_token.put', token: 'welcome', usesAllowed: 2, expiresTs: null, admin: false },
    { op: 'uia.put', session: 'session', data: '{}', expiresTs: 1 },
    { op: 'job.put', kind: 'kind', key: 'key', dueTs: LATER, data: '{}' },
    { op: 'account_data.put', user, room: 0, type: 'm.here', content: '{}' },
    { op: 'filter.put', user, json: '{"room":{}}' },
    { op: 'pusher.put', pusher: pusherOf('key'), append: false, max: 5 },
    { op: 'login_token.put', digest: 'l'.repeat(64), user, expiresTs: LATER, most: 9 },
    { op: 'month.seen', user: guest, ts: 100, since: 1, most: undefined },
    { op: 'month.seen', user: other, ts: 101, since: 1, most: undefined },
    { op: 'month.seen', user, ts: 102, since: 1, most: undefined },
  ]
  return { lane: user, ops }
}

function delayed(room: number, delayId: string): Op {
  return {
    op: 'delayed.put',
    delayId,
    user,
    device: 'DEVICE',
    txn: delayId,
    room,
    type: 'm.room.topic',
    stateKey: '',
    content: '{}',
    delayMs: 1000,
    sinceTs: 1,
    max: 10,
  }
}

function roomTablesPlan(room: number): Plan {
  const report = { kind: 'user', ts: 1, reporter: other, room: 0, event: null, target: user } as const
  return {
    lane: user,
    ops: [{ op: 'report.put', ...report, reason: null, score: -1, keep: 10 }, delayed(room, 'first')],
  }
}

/** A plan that holds the operation; the room's script stays where the base left it. */
export function planOf(base: Base, name: Op['op']): Plan {
  const mark = base.room.mark
  const ops = PLANS[name](base)
  base.room.rewind(mark)
  return { lane: '', ops }
}

const message = ({ room }: Base): readonly Op[] =>
  room.message('hello', user, { device: 'DEVICE', txnId: 't' }).plan.ops

/** Takes a key away and makes another, on the branch alone. */
const onBranch = ({ room, branch }: Base): Op => ({
  op: 'state.change',
  room: room.nid,
  branch,
  changes: [
    { type: 'm.room.join_rules', stateKey: '', event: null },
    { type: 'm.room.message', stateKey: '', event: null },
  ],
})

const receiptOf = ({ room, last }: Pick<Base, 'room' | 'last'>, of: string): Op => ({
  op: 'receipt.put',
  room: room.nid,
  user: of,
  kind: 'm.read',
  thread: '',
  eventId: room.last.eventId,
  event: last,
  ts: 1,
})

/** A message that annotates the message before it. */
function annotation({ room }: Base): readonly Op[] {
  const target = room.last.eventId
  const script = room.message('hello', user, { device: 'DEVICE', txnId: 't' })
  const by = { event: { slot: 0 }, type: 'm.room.message', sender: user, key: 'k' }
  return [
    ...relating(script, room.nid, target, 'm.annotation').ops,
    { op: 'relation.unique', room: room.nid, target, ...by },
  ]
}

const pusherOf = (pushkey: string) => ({
  user,
  appId: 'app',
  pushkey,
  kind: 'http',
  device: 'DEVICE',
  data: '{}',
  ts: 1,
})

const countOf = ({ room }: Pick<Base, 'room'>): Op => ({
  op: 'push.event',
  event: { slot: 0 },
  room: room.nid,
  thread: '$root',
  kind: 1,
  loud: true,
  readBy: other,
  joined: other,
  actions: [{ user, notify: true, highlight: true, actions: '["notify"]' }],
  queue: [{ user, actions: '["notify"]' }],
})

const uploadOf = (device: string, keyId: string): Op => ({
  op: 'keys.upload',
  user,
  device,
  keys: { body: '{"algorithms":[]}', signatures: '{}' },
  oneTime: [{ algorithm: 'signed_curve25519', keyId, json: '{"key":"k"}' }],
  fallback: [{ algorithm: 'signed_curve25519', keyId: 'F', json: '{"key":"f"}' }],
  most: 10,
})

const crossSigning: Op = {
  op: 'keys.cross_signing',
  user,
  keys: [{ usage: 'master', publicKey: 'm', body: '{"usage":["master"]}', signatures: '{}' }],
}

/** Messages that wait, one for two devices, and a backup. */
function e2eePlan(): Plan {
  const ops: Op[] = [
    toDevice([{ content: '{}', devices: [], users: [user, other] }], { txn: 'one' }),
    newBackup(other),
    putKeys(other, 1, [backupKey('!r', 's')]),
  ]
  return { lane: other, ops }
}

/** Adding an operation to the ports makes this fail to compile until it has a plan here. */
const PLANS: { readonly [K in Op['op']]: (base: Base) => readonly Op[] } = {
  'event.insert': message,
  'event.redact': ({ room }) => room.redaction(room.last).plan.ops,
  'event.txn': message,
  'relation.put': annotation,
  'relation.index': ({ room }) =>
    relating(room.message('hello', user), room.nid, room.last.eventId, 'm.thread').ops.map((op) =>
      op.op === 'relation.put' ? { ...op, op: 'relation.index' } : op,
    ),
  'relation.unique': annotation,
  'thread.subscribe': ({ room }) => [
    { op: 'thread.subscribe', user, room: room.nid, root: room.last.eventId, automatic: null },
  ],
  'thread.unsubscribe': ({ room }) => [
    { op: 'thread.subscribe', user, room: room.nid, root: room.last.eventId, automatic: 1 },
    { op: 'thread.unsubscribe', user, room: room.nid, root: room.last.eventId },
  ],
  'room.create': () => new RoomScript('another').create().plan.ops,
  'room.open': () => [
    ...new RoomScript('hidden')
      .create()
      .plan.ops.map((op) => (op.op === 'room.create' ? { ...op, hidden: true as const } : op)),
    {
      op: 'room.open',
      room: 'new',
      roomId: new RoomScript('hidden').roomId,
      members: [{ user, membership: 'join', sender: user, event: 1 }],
    },
  ],
  'room.head': message,
  'room.membership': ({ room }) => room.member(scriptUser('third'), 'invite', user).plan.ops,
  'room.forget': ({ room }) => [{ op: 'room.forget', room: room.nid, user: other }],
  'room.purge': (base) => [
    ...message(base),
    { op: 'room.purge', room: base.room.nid, before: LATER, limit: 1000 },
  ],
  'room.hide': ({ room }) => [{ op: 'room.hide', room: room.nid }],
  'room.clear': ({ room }) => [
    { op: 'room.hide', room: room.nid },
    { op: 'room.clear', room: room.nid, limit: 10 },
  ],
  'room.delete': ({ room }) => [{ op: 'room.delete', room: room.nid }],
  'state.change': ({ room }) => room.state('m.room.topic', '', { topic: 'packs the log' }).plan.ops,
  'state.branch': ({ room, position }) => [
    { op: 'state.branch', room: room.nid, parent: { branch: 0, pos: position } },
  ],
  'state.at': (base) => [
    ...message(base),
    onBranch(base),
    { op: 'state.at', event: { slot: 0 }, point: { branch: base.branch, pos: base.position } },
  ],
  'account.create': () => accountPlan(scriptUser('new'), 'NEW', 'n'.repeat(64)).ops,
  'account.upgrade': () => [{ op: 'account.upgrade', user: guest, passwordHash: '$2b$x', admin: false }],
  'account.password': () => [{ op: 'account.password', user, passwordHash: '$2b$x' }],
  'account.active': (base) => [{ op: 'account.active', user }, ...message(base)],
  'account.flags': () => [{ op: 'account.flags', user, locked: true }],
  'device.put': () => [{ op: 'device.put', user, device: 'SECOND', displayName: null, ts: 1 }],
  'device.seen': () => [
    { op: 'device.seen', devices: [{ user, device: 'DEVICE', ts: 9, ip: '192.0.2.1', agent: 'x' }] },
  ],
  'device.delete': () => [{ op: 'device.delete', user }],
  'token.put': () => [
    {
      op: 'token.put',
      digest: 'a'.repeat(64),
      user,
      device: 'DEVICE',
      kind: 'access',
      expiresTs: null,
      pair: null,
    },
  ],
  'token.delete': () => [{ op: 'token.delete', digest: '0'.repeat(64) }],
  'token.exchanged': () => [{ op: 'token.exchanged', digest: 'r'.repeat(64) }],
  'token.clear': () => [{ op: 'token.clear', user }],
  'registration_token.put': () => [
    { op: 'registration_token.put', token: 'more', usesAllowed: null, expiresTs: null, admin: true },
  ],
  'registration_token.use': () => [
    { op: 'registration_token.use', token: 'welcome', now: 1 },
    ...accountPlan(scriptUser('new'), 'NEW', 'n'.repeat(64)).ops,
  ],
  'profile.put': () => [{ op: 'profile.put', user, fields: '{"displayname":"C"}' }],
  'profile.says': () => [
    { op: 'profile.put', user, fields: '{"displayname":"C"}' },
    { op: 'profile.says', user, displayName: 'C', avatarUrl: null },
  ],
  'uia.put': () => [{ op: 'uia.put', session: 'next', data: '{}', expiresTs: LATER }],
  'uia.delete': () => [{ op: 'uia.delete', session: 'session' }],
  'account_data.put': ({ room }) => [
    { op: 'account_data.put', user, room: room.nid, type: 'm.tag', content: '{"tags":{}}' },
    { op: 'account_data.put', user, room: 0, type: 'm.direct', content: '{}' },
  ],
  'account_data.delete': () => [{ op: 'account_data.delete', user, room: 0, type: 'm.here' }],
  'account_data.purge': () => [
    { op: 'account_data.delete', user, room: 0, type: 'm.here' },
    { op: 'account_data.purge', user },
  ],
  'account_data.clear': () => [{ op: 'account_data.clear', user }],
  'room.facts': ({ room }) => [
    { op: 'room.facts', room: room.nid, roomType: 'm.space', name: 'n', encrypted: true },
  ],
  'receipt.put': (base) => [receiptOf(base, user)],
  'receipt.clear': () => [{ op: 'receipt.clear', user: other }],
  'push.rules': () => [
    {
      op: 'push.rules',
      user,
      content: '{"global":{}}',
      custom: true,
      profile: '-000000000000',
      rooms: [['!room:x', '0-']],
    },
  ],
  'push.custom': () => [{ op: 'push.custom', user, custom: true }],
  'push.event': (base) => [...message(base), countOf(base)],
  'push.recount': (base) => [
    ...message(base),
    countOf(base),
    { op: 'push.recount', room: base.room.nid, repair: true },
  ],
  'push.clear': () => [{ op: 'push.clear', user }],
  'pusher.put': () => [{ op: 'pusher.put', pusher: pusherOf('more'), append: false, max: 5 }],
  'pusher.delete': () => [{ op: 'pusher.delete', user, appId: 'app', pushkey: 'key' }],
  'filter.put': () => [{ op: 'filter.put', user, json: '{}' }],
  'job.put': () => [{ op: 'job.put', kind: 'kind', key: 'other', dueTs: LATER, data: '{}' }],
  'job.done': () => [{ op: 'job.done', kind: 'kind', key: 'key' }],
  'job.retry': () => [{ op: 'job.retry', kind: 'kind', key: 'key', dueTs: LATER + 1 }],
  'alias.put': ({ room }) => [{ op: 'alias.put', alias: '#new:x', room: room.nid, creator: user, ts: 1 }],
  'alias.delete': ({ room }) => [{ op: 'alias.delete', alias: '#old:x', room: room.nid }],
  'directory.move': ({ room }) => [
    ...new RoomScript('next').create().plan.ops,
    { op: 'directory.move', from: room.nid, to: 'new' },
  ],
  'directory.publish': ({ room }) => [{ op: 'directory.publish', room: room.nid, published: false }],
  'to_device.put': () => [
    toDevice([toOne(user, '*'), toOne(other, 'DEVICE')], { txn: 'another' }),
    toDevice([{ ...toOne(user, '*'), request: 'r' }, { ...toOne(other, 'DEVICE', '{}') }]),
    toDevice([{ ...toOne(user, '*', '{}'), request: 'r', cancels: { floor: 0, given: [] } }]),
  ],
  'keys.upload': () => [uploadOf('DEVICE', 'AAAB')],
  'keys.claim': () => [
    uploadOf('DEVICE', 'AAAC'),
    { op: 'keys.claim', wishes: [{ user, device: 'DEVICE', algorithm: 'signed_curve25519' }] },
  ],
  'keys.cross_signing': () => [crossSigning],
  'keys.sign': () => [
    crossSigning,
    { op: 'keys.sign', user, body: '{"usage":["master"]}', signatures: '{"a":{}}' },
  ],
  'keys.sign_user': () => [
    { op: 'keys.sign_user', signer: user, user: other, publicKey: 'p', keyId: 'ed25519:u', signature: 's' },
  ],
  'to_device.delivered': () => [
    { op: 'to_device.delivered', devices: [{ user: other, device: 'DEVICE', upto: LATER }], limit: 10 },
  ],
  'backup.create': () => [newBackup(other)],
  'backup.update': () => [{ op: 'backup.update', user: other, version: 1, authData: '{}' }],
  'backup.delete': () => [{ op: 'backup.delete', user: other, version: 1 }],
  'backup.put': () => [putKeys(other, 1, [backupKey('!r', 'new'), backupKey('!r', 's', { verified: true })])],
  'backup.drop': () => [{ op: 'backup.drop', user: other, version: 1, limit: 10 }],
  'backup.clear': () => [{ op: 'backup.clear', user: other }],
  'dehydrated.put': () => [{ op: 'dehydrated.put', user, device: 'DEVICE', data: '{}' }],
  'report.put': ({ room }) => [
    {
      op: 'report.put',
      kind: 'room',
      ts: 1,
      reporter: user,
      room: room.nid,
      event: null,
      target: null,
      reason: 'noise',
      score: null,
      keep: 10,
    },
  ],
  'report.delete': ({ report }) => [{ op: 'report.delete', nid: report }],
  'delayed.put': ({ room }) => [delayed(room.nid, 'second')],
  'delayed.restart': () => [{ op: 'delayed.restart', delayId: 'first', sinceTs: LATER }],
  'delayed.take': (base) => [...message(base), { op: 'delayed.take', delayId: 'first' }],
  'delayed.supersede': ({ room }) => [
    { op: 'delayed.supersede', room: room.nid, type: 'm.room.topic', stateKey: '', sender: other },
  ],
  'delayed.clear': () => [{ op: 'delayed.clear', user }],
  'job.sweep': () => [{ op: 'job.sweep', now: LATER, limit: 10 }],
  'search.enable': () => [{ op: 'search.enable', on: false }],
  'search.restart': () => [{ op: 'search.restart' }],
  'search.fill': ({ room }) => [{ op: 'search.restart' }, { op: 'search.fill', room: room.nid }],
  'search.clear': () => [{ op: 'search.enable', on: false }, { op: 'search.clear' }],
  'directory.remote': () => [
    { op: 'directory.remote', user: '@far:away.example', displayName: 'Far Away', avatarUrl: null },
  ],
  'directory.room': ({ room }) => [
    { op: 'directory.room', room: room.nid, rule: 'history_visibility', open: true },
  ],
  'directory.reindex': () => [
    { op: 'directory.remote', user: other, displayName: 'Somebody else', avatarUrl: null },
    { op: 'directory.reindex', after: '', limit: 10 },
  ],
  'directory.reindex_rooms': ({ room }) => [
    { op: 'directory.room', room: room.nid, rule: 'history_visibility', open: true },
    { op: 'directory.reindex_rooms', after: 0, limit: 10 },
    { op: 'directory.built', version: 2 },
  ],
  'directory.check': () => [
    { op: 'directory.remote', user: other, displayName: 'Somebody else', avatarUrl: null },
    { op: 'directory.check', part: 'users', after: '', limit: 10, repair: true },
  ],
  'directory.built': () => [{ op: 'directory.built', version: 1 }],
  'openid.put': () => [
    { op: 'openid.put', digest: 'o'.repeat(64), user, expiresTs: LATER, most: 1 },
    { op: 'openid.put', digest: 'p'.repeat(64), user, expiresTs: LATER + 1, most: 1 },
  ],
  'login_token.put': () => [
    { op: 'login_token.put', digest: 'q'.repeat(64), user, expiresTs: LATER, most: 1 },
    { op: 'login_token.put', digest: 'r'.repeat(64), user, expiresTs: LATER + 1, most: 1 },
  ],
  'login_token.take': () => [{ op: 'login_token.take', digest: 'l'.repeat(64), now: 1 }],
  'consent.put': () => [{ op: 'consent.put', user, version: '1.0', ts: 5 }],
  'consent.asked': () => [{ op: 'consent.asked', user, version: '1.0' }],
  'erasure.put': () => [{ op: 'erasure.put', user }],
  'month.seen': () => [{ op: 'month.seen', user, ts: LATER, since: 1, most: 10 }],
  'month.trim': () => [{ op: 'month.trim', since: 100, most: 1, limit: 10 }],
  'notices.put': ({ room }) => [{ op: 'notices.put', user, room: room.nid }],
}

export const OPERATIONS = Object.keys(PLANS) as Op['op'][]
