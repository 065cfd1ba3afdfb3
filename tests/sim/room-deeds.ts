/** What users do in rooms. */
import type { Device } from './device.ts'
import { type Doer, roomPath } from './doer.ts'
import { KNOCK_VERSIONS } from './truth.ts'

const VISIBILITIES = ['shared', 'shared', 'joined', 'invited', 'world_readable'] as const
const VERSIONS = ['11', '11', '12', '12', '12', '1', '6', '10'] as const

export type MembershipDeed = 'join' | 'invite' | 'leave' | 'kick' | 'ban' | 'unban' | 'knock'

export async function createRoom(doer: Doer, device: Device): Promise<void> {
  const { rng, town, around } = doer
  if (doer.here.length >= town.roomsMax) return send(doer, device)
  const version = rng.pick(VERSIONS)
  const initial: object[] = [
    { type: 'm.room.history_visibility', content: { history_visibility: rng.pick(VISIBILITIES) } },
  ]
  if (KNOCK_VERSIONS.has(version) && rng.chance(0.3)) {
    initial.push({ type: 'm.room.join_rules', content: { join_rule: 'knock' } })
  }
  const answer = await device.insist('POST', '/createRoom', {
    room_version: version,
    preset: rng.pick(['public_chat', 'public_chat', 'private_chat', 'trusted_private_chat']),
    ...(rng.chance(0.5) ? { name: doer.marker() } : {}),
    invite: rng.chance(0.5) ? [doer.someone()].filter((user) => user !== doer.user) : [],
    initial_state: initial,
  })
  if (answer?.status !== 200) return
  const roomId = answer.body.room_id as string
  doer.meet(roomId)
  around.ledger.memberships.push({ roomId, sender: doer.user, target: doer.user, membership: 'join' })
}

/** Puts another room in the place of one. */
export async function upgrade(doer: Doer, device: Device): Promise<void> {
  const roomId = doer.room(device)
  if (roomId === undefined || doer.here.length > doer.town.roomsMax) return
  const answer = await device.insist('POST', `${roomPath(roomId)}/upgrade`, {
    new_version: doer.rng.pick(['11', '12']),
  })
  if (answer?.status !== 200) return
  const { user } = doer
  const replacement = answer.body.replacement_room as string
  doer.meet(replacement)
  doer.around.ledger.memberships.push({
    roomId: replacement,
    sender: user,
    target: user,
    membership: 'join',
    byUpgrade: true,
  })
}

export async function changeMembership(doer: Doer, device: Device, what: MembershipDeed): Promise<void> {
  const { rng, here, user, around } = doer
  let roomId = doer.room(device)
  const entering = what === 'join' || what === 'knock'
  const pending = [...device.invites.keys(), ...(what === 'leave' ? device.knocks.keys() : [])]
  if (entering) {
    if (what === 'join' && pending.length > 0 && rng.chance(0.6)) roomId = rng.pick(pending)
    else if (here.length > 0) roomId = rng.pick(here)
  } else if (what === 'leave' && pending.length > 0 && rng.chance(0.4)) roomId = rng.pick(pending)
  if (roomId === undefined) return
  const own = entering || what === 'leave'
  const knocking = around.ledger.knocks.get(roomId)
  const invited = what === 'invite' && knocking !== undefined && rng.chance(0.5)
  const target = own ? user : invited ? knocking : doer.someone()
  const path = what === 'knock' ? `/knock/${encodeURIComponent(roomId)}` : `${roomPath(roomId)}/${what}`
  const answer = await device.insist('POST', path, own ? {} : { user_id: target })
  if (what === 'join') {
    const key = `${roomId} ${user}`
    const { joins } = around.ledger
    joins.set(key, (joins.get(key) ?? 0) + (answer?.tries ?? Number.POSITIVE_INFINITY))
  }
  if (answer?.status !== 200) return
  if (what === 'knock') around.ledger.knocks.set(roomId, user)
  const membership = what === 'kick' || what === 'unban' ? 'leave' : what
  around.ledger.memberships.push({ roomId, sender: user, target, membership })
}

/** Content that a message has besides its text, and the type that goes with it. */
function relation(doer: Doer, roomId: string): { type: string; content: object; thread?: string } {
  const { rng, around, user } = doer
  const known = around.ledger.events.filter(
    (event) => event.roomId === roomId && event.type === 'm.room.message',
  )
  const what = rng.weighted({ plain: 6, reaction: 1, mention: 2, thread: 2, edit: 1, annotation: 1 })
  const type = 'm.room.message'
  const target = known.length === 0 ? undefined : rng.pick(known)
  if (what === 'reaction') return { type: 'm.reaction', content: {} }
  if (what === 'mention') return { type, content: { 'm.mentions': { user_ids: [doer.someone()] } } }
  if (what === 'plain' || !target) return { type, content: {} }
  const { eventId } = target
  if (what === 'thread') {
    const root = target.thread ?? eventId
    return { type, content: { 'm.relates_to': { rel_type: 'm.thread', event_id: root } }, thread: root }
  }
  if (what === 'annotation') {
    const relates = { rel_type: 'm.annotation', event_id: eventId, key: doer.marker() }
    return { type: 'm.reaction', content: { 'm.relates_to': relates } }
  }
  const own = known.findLast((event) => event.sender === user) ?? target
  const relates = { rel_type: 'm.replace', event_id: own.eventId }
  return { type, content: { 'm.relates_to': relates, 'm.new_content': { body: 'new' } } }
}

export async function send(doer: Doer, device: Device): Promise<void> {
  const roomId = doer.room(device)
  if (roomId === undefined) return
  const { ledger } = doer.around
  const marker = doer.marker()
  ledger.markers.set(marker, doer.user)
  const { type, content, thread } = relation(doer, roomId)
  const path = `${roomPath(roomId)}/send/${type}/${marker}`
  const answer = await device.insist('PUT', path, { marker, body: marker, msgtype: 'm.text', ...content })
  if (answer?.status !== 200) return
  const eventId = answer.body.event_id as string
  ledger.events.push({ roomId, eventId, sender: doer.user, type, marker, thread })
}

export async function setState(doer: Doer, device: Device): Promise<void> {
  const { rng } = doer
  const roomId = doer.room(device)
  if (roomId === undefined) return
  if (rng.chance(0.2)) return setRule(doer, device, roomId)
  const type = rng.pick(['m.room.topic', 'm.room.name', 'org.example.note'])
  const stateKey = type === 'org.example.note' ? rng.pick(['', 'a', 'b']) : ''
  /* Few values, so that setting what is set already happens. */
  const marker = rng.chance(0.4) ? `value-${rng.below(2)}` : doer.marker()
  const answer = await device.insist(
    'PUT',
    `${roomPath(roomId)}/state/${type}/${stateKey}`,
    rng.chance(0.15) && type === 'm.room.topic'
      ? { marker, topic: marker, extra: 'x'.repeat(10) }
      : { marker, name: marker },
  )
  if (answer?.status !== 200) return
  const eventId = answer.body.event_id as string
  doer.around.ledger.events.push({ roomId, eventId, sender: doer.user, type, marker, stateKey })
}

/** Changes who may come in, or who may see what. */
async function setRule(doer: Doer, device: Device, roomId: string): Promise<void> {
  const { rng } = doer
  const [type, content] = rng.chance(0.6)
    ? ['m.room.history_visibility', { history_visibility: rng.pick(VISIBILITIES) }]
    : ['m.room.join_rules', { join_rule: rng.pick(['public', 'invite', 'knock']) }]
  await device.insist('PUT', `${roomPath(roomId)}/state/${type}/`, content)
}

export async function redact(doer: Doer, device: Device): Promise<void> {
  const { ledger } = doer.around
  const roomId = doer.room(device)
  const candidates = ledger.events.filter(
    (event) => event.type === 'm.room.message' && event.roomId === roomId,
  )
  if (candidates.length === 0 || roomId === undefined) return
  const { eventId: redacts } = doer.rng.pick(candidates)
  const path = `${roomPath(roomId)}/redact/${encodeURIComponent(redacts)}/${doer.marker()}`
  const answer = await device.insist('PUT', path, {})
  if (answer?.status !== 200) return
  const eventId = answer.body.event_id as string
  const done = doer.around.world.time
  ledger.events.push({ roomId, eventId, sender: doer.user, type: 'm.room.redaction', redacts, done })
}

/** Reads this and that, which must not show what the user may not see. */
export async function look(doer: Doer, device: Device): Promise<void> {
  const { rng, here } = doer
  if (here.length === 0) return
  const roomId = rng.pick(here)
  const room = roomPath(roomId)
  const events = doer.around.ledger.events.filter((event) => event.roomId === roomId)
  const { eventId = '' } = events.length === 0 ? {} : rng.pick(events)
  const id = encodeURIComponent(eventId)
  const what = rng.pick(['messages', 'event', 'state', 'context', 'relations', 'threads'])
  if (what === 'messages') {
    const answer = await device.ask('GET', `${room}/messages?dir=${rng.pick(['b', 'f'])}&limit=30`)
    if (answer?.status === 200) device.seen(roomId, answer.body.chunk, answer, 'messages without a token')
  } else if (what === 'state') await device.ask('GET', `${room}/state`)
  else if (what === 'threads') {
    const answer = await device.ask('GET', `${room}/threads`, undefined, 0, '/_matrix/client/v1')
    if (answer?.status === 200) device.seen(roomId, answer.body.chunk, answer, 'threads')
  } else if (eventId === '') return
  else if (what === 'event') {
    const answer = await device.ask('GET', `${room}/event/${id}`)
    if (answer?.status === 200) device.seen(roomId, [answer.body], answer, 'event')
  } else if (what === 'relations') {
    const answer = await device.ask('GET', `${room}/relations/${id}`, undefined, 0, '/_matrix/client/v1')
    if (answer?.status === 200) device.seen(roomId, answer.body.chunk, answer, 'relations')
  } else {
    const answer = await device.ask('GET', `${room}/context/${id}?limit=10`)
    if (answer?.status !== 200) return
    const { events_before: before, events_after: after, event } = answer.body
    device.seen(roomId, [...before, ...after], answer, 'context')
    device.seen(roomId, [event], answer, 'event')
  }
}

export async function forget(doer: Doer, device: Device): Promise<void> {
  const left = [...device.rooms.values()].filter((view) => view.membership === 'leave')
  if (left.length === 0) return
  const { roomId } = doer.rng.pick(left)
  await device.insist('POST', `${roomPath(roomId)}/forget`, {})
}
