/** A room with messages as a peer sends them, and the steps that a received one takes through the core. */
import { checkAuthEvents } from '#/protocol/auth/check-auth-events.ts'
import { checkAuthRules } from '#/protocol/auth/check-auth-rules.ts'
import { selectAuthKeys } from '#/protocol/auth/select.ts'
import { type SigningKey, signingKeyFromSeed } from '#/protocol/crypto/ed25519.ts'
import type { ServerKey } from '#/protocol/crypto/server-keys.ts'
import { buildEvent, type EventFields } from '#/protocol/event/build.ts'
import { hasValidContentHash } from '#/protocol/event/hash.ts'
import { parsePdu } from '#/protocol/event/parse.ts'
import type { Pdu } from '#/protocol/event/pdu.ts'
import { checkSignatures } from '#/protocol/event/verify.ts'
import type { EventId } from '#/protocol/ids/event-id.ts'
import { createEventIdOf } from '#/protocol/ids/room-id.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import { readJson } from '#/protocol/json/reader.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import { ROOM_VERSIONS } from '#/protocol/room-version/rules.ts'

export const RULES = ROOM_VERSIONS['12']
const SERVER = 'a.example' as ServerName
const ALICE = '@alice:a.example' as UserId
const NOW = 1_700_000_000_000

export class MadeRoom {
  readonly key: SigningKey = signingKeyFromSeed('a_1', new Uint8Array(32).fill(9))
  readonly #serverKey: ServerKey = {
    keyId: this.key.keyId,
    verifyKey: this.key.verifyKey,
    validUntilTs: Number.MAX_SAFE_INTEGER,
  }
  readonly #state = new Map<string, Pdu>()
  readonly #events = new Map<EventId, Pdu>()
  #last: Pdu

  constructor() {
    this.#last = this.#add('m.room.create', '', { room_version: '12' }, [])
    this.#add('m.room.member', ALICE, { membership: 'join' }, [])
    this.#add('m.room.power_levels', '', { users: {}, events_default: 0 }, [['m.room.member', ALICE]])
    this.#add('m.room.join_rules', '', { join_rule: 'public' }, [
      ['m.room.member', ALICE],
      ['m.room.power_levels', ''],
    ])
  }

  #add(type: string, stateKey: string, content: JsonObject, auth: [string, string][]): Pdu {
    const first = type === 'm.room.create'
    const event = this.build({
      type,
      sender: ALICE,
      stateKey,
      content,
      ...(first ? {} : { roomId: this.#last.roomId }),
      originServerTs: NOW,
      prevEvents: first ? [] : [this.#last.eventId],
      authEvents: auth.map(([of, key]) => this.state(of, key)!.eventId),
      depth: first ? 1 : this.#last.depth + 1,
    })
    this.#state.set(`${type}\0${stateKey}`, event)
    this.#events.set(event.eventId, event)
    this.#last = event
    return event
  }

  state = (type: string, stateKey: string): Pdu | undefined => this.#state.get(`${type}\0${stateKey}`)

  /** Fields of the n-th message: 100 characters of text. */
  message(n: number): EventFields {
    const keys = selectAuthKeys(RULES, 'm.room.message', ALICE, undefined, {})
    return {
      type: 'm.room.message',
      sender: ALICE,
      content: { msgtype: 'm.text', body: `${n} `.padEnd(100, 'x') },
      roomId: this.#last.roomId,
      originServerTs: NOW + n,
      prevEvents: [this.#last.eventId],
      authEvents: keys.flatMap(([type, key]) => this.state(type, key)?.eventId ?? []),
      depth: this.#last.depth + 1,
    }
  }

  build(fields: EventFields): Pdu {
    const built = buildEvent(RULES, fields, SERVER, this.key)
    if (!built.ok) throw new Error(built.why)
    return built.value
  }

  parse(text: string): Pdu {
    const json = readJson(text, 'strict')
    if (!json.ok) throw new Error(json.why)
    const parsed = parsePdu(RULES, json.value as JsonObject)
    if (!parsed.ok) throw new Error(parsed.why)
    return parsed.value
  }

  verify(pdu: Pdu): void {
    const verdict = checkSignatures(pdu, () => this.#serverKey, NOW)
    if (!verdict.ok) throw new Error(verdict.why)
  }

  hash(pdu: Pdu): void {
    if (!hasValidContentHash(pdu.json)) throw new Error('the content hash is wrong')
  }

  authorise(pdu: Pdu): void {
    const known = new Map(this.#events)
    known.set(createEventIdOf(pdu.roomId), this.state('m.room.create', '')!)
    const own = checkAuthEvents(pdu, known, () => false)
    if ('need' in own || !own.done.ok) throw new Error('refused by its auth events')
    const verdict = checkAuthRules(pdu, this.state)
    if (!verdict.ok) throw new Error(verdict.why)
  }

  /** All that a received event goes through, but for the policy server. */
  receive(text: string): void {
    const pdu = this.parse(text)
    this.verify(pdu)
    this.hash(pdu)
    this.authorise(pdu)
  }
}
