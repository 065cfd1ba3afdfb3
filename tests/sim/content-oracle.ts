/** What the events that reached clients said. Throws a SimFailure with what it found. */
import { isDeepStrictEqual } from 'node:util'
import type { Delivery, Ledger } from './ledger.ts'
import type { Rooms } from './oracles.ts'
import { SimFailure } from './sim-world.ts'
import type { TruthEvent } from './truth.ts'

/** Every delivered event says what it said when it was sent, or what a redaction left of it. */
export function checkContents(ledger: Ledger, rooms: Rooms): void {
  const redacted = redactedAt(ledger)
  for (const delivery of ledger.deliveries) {
    const { user, roomId, eventId, how, content, type, sender } = delivery
    const room = rooms.get(roomId)
    const event = room?.events[room.byId.get(eventId) ?? -1]
    if (!event) continue
    const what = `${user} got ${eventId} (${event.type}) of ${roomId} by ${how}`
    if (type !== event.type || sender !== event.sender) {
      throw new SimFailure(`${what} as ${String(type)} of ${String(sender)}`)
    }
    if (!saysOneOf(event, delivery)) {
      throw new SimFailure(`${what}, which says ${JSON.stringify(content)}`)
    }
    /* What was redacted before the client asked is redacted to it, however old the position from which it goes on. */
    const since = redacted.get(eventId)
    if (since === undefined || since >= delivery.begun || event.redactedBy === null) continue
    if (!isDeepStrictEqual(content, event.content)) {
      throw new SimFailure(`${what}, unredacted, after its redaction was acknowledged`)
    }
  }
}

function saysOneOf(event: TruthEvent, { content }: Delivery): boolean {
  /* Clients find what a redaction redacts in its content, in whatever version of rooms. */
  if (event.type === 'm.room.redaction') return true
  if (isDeepStrictEqual(content, event.content) || isDeepStrictEqual(content, event.whole)) return true
  /* With what was purged its original is gone. */
  return event.purged && event.redactedBy !== null
}

/** When the redaction of an event was acknowledged first, by event id. */
function redactedAt(ledger: Ledger): Map<string, number> {
  const times = new Map<string, number>()
  for (const { redacts, done } of ledger.events) {
    if (redacts === undefined || done === undefined) continue
    times.set(redacts, Math.min(done, times.get(redacts) ?? Number.POSITIVE_INFINITY))
  }
  return times
}
