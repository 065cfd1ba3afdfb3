import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join as path } from 'node:path'
import { test } from 'node:test'
import { signingKeyFromSeed } from '#/protocol/crypto/ed25519.ts'
import type { EventFields } from '#/protocol/event/build.ts'
import type { Pdu } from '#/protocol/event/pdu.ts'
import type { EventId } from '#/protocol/ids/event-id.ts'
import type { RoomId } from '#/protocol/ids/room-id.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import { rulesOf } from '#/protocol/room-version/rules.ts'
import { createSigner } from '../../keys/signer.ts'
import { passLocal } from './gate.ts'

const SERVER = 'home.test' as ServerName
const ALICE = '@alice:home.test' as UserId
const MALLORY = '@mallory:home.test' as UserId
const ROOM = '!room:home.test' as RoomId
const RULES = rulesOf('11')!
const signer = createSigner(SERVER, signingKeyFromSeed('t', new Uint8Array(32).fill(1)))

function event(fields: Partial<EventFields>): Pdu {
  const built = signer.event(RULES, {
    type: 'm.room.message',
    sender: ALICE,
    content: {},
    roomId: ROOM,
    originServerTs: 1,
    prevEvents: [],
    authEvents: [],
    depth: 1,
    ...fields,
  })
  assert.ok(built.ok)
  return built.value
}

const create = event({ type: 'm.room.create', stateKey: '', content: { room_version: '11' } })
const after = { prevEvents: [create.eventId], authEvents: [create.eventId], depth: 2 }
const join = { type: 'm.room.member', content: { membership: 'join' }, ...after }
const state = (type: string): Pdu | undefined => (type === 'm.room.create' ? create : undefined)
const known = new Map<EventId, Pdu>([[create.eventId, create]])

test('adv-6 the gate passes an event by the rules alone, for own users as well', () => {
  assert.ok(passLocal(create, new Map(), () => undefined).ok)
  assert.ok(passLocal(event({ ...join, stateKey: ALICE }), known, state).ok)
  const stranger = passLocal(event({ ...join, sender: MALLORY, stateKey: MALLORY }), known, state)
  assert.ok(!stranger.ok && stranger.rule.startsWith('auth.'), JSON.stringify(stranger))
  assert.equal(passLocal(event({ ...after }), known, state).ok, false, 'who is not in the room')
})

test('adv-6 an auth event that is not at hand lets nothing pass', () => {
  const result = passLocal(event({ ...join, stateKey: ALICE }), new Map(), state)
  assert.ok(!result.ok && result.rule === 'gate.auth_events')
})

/** Files of the server that have a text, without tests. */
function filesWith(pattern: RegExp): string[] {
  const root = path(import.meta.dirname, '../../..')
  return globSync('**/*.ts', { cwd: root })
    .filter((file) => !file.endsWith('.test.ts') && pattern.test(readFileSync(path(root, file), 'utf8')))
    .sort()
}

test('adv-6 nothing but the gate makes a verified event', () => {
  assert.deepEqual(filesWith(/\bas (unknown as )?VerifiedPdu\b/), ['services/rooms/ingest/gate.ts'])
})

test('adv-19, adv-18 the signing key signs events that this server builds for its users, in one module', () => {
  assert.deepEqual(Object.keys(signer), ['serverName', 'event'])
  const fields = { type: 'x', content: {}, roomId: ROOM, originServerTs: 1, prevEvents: [], authEvents: [] }
  const foreign = signer.event(RULES, { ...fields, sender: '@eve:evil.test' as UserId, depth: 1 })
  assert.ok(!foreign.ok && foreign.rule === 'sign.sender')
  const signs = filesWith(/\b(buildEvent|signJson|signText)\b/).filter(
    (file) => !file.startsWith('protocol/'),
  )
  assert.deepEqual(signs, ['services/keys/signer.ts'])
})
