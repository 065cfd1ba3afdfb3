import assert from 'node:assert/strict'
import { EventType, type MatrixEvent, RelationType } from 'matrix-js-sdk'
import { type Person, roomOf, type Stage } from './person.ts'

/** Edits, reactions and their redaction, live and for a device that comes later. */
export async function relations(stage: Stage): Promise<void> {
  const eve = await stage.enter('eve')
  const emil = await stage.enter('emil')
  const roomId = await roomOf(eve, [emil])
  const said = await eve.say(roomId, 'an olw')
  const original = await emil.event(roomId, said)
  await edit(eve, roomId, said, 'an owl')
  await emil.sees('the edit', () => original.getContent()['body'] === 'an owl')

  const stays = await react(emil, roomId, said, '🦉')
  const goes = await react(eve, roomId, said, '👎')
  await emil.sees('two reactions', () => reactions(emil, roomId, said).length === 2)
  await eve.sees('two reactions', () => reactions(eve, roomId, said).length === 2)
  await eve.client.redactEvent(roomId, goes)
  await emil.sees('one reaction', () => String(reactions(emil, roomId, said)) === '🦉')
  await assert.rejects(react(emil, roomId, said, '🦉'), { errcode: 'M_DUPLICATE_ANNOTATION' })

  const reply = await emil.client.sendEvent(roomId, EventType.RoomMessage, {
    msgtype: 'm.text',
    body: 'a reply',
    'm.relates_to': { 'm.in_reply_to': { event_id: said } },
  } as never)
  assert.equal((await eve.event(roomId, reply.event_id)).replyEventId, said)

  const later = await stage.another(emil)
  const there = await later.event(roomId, said)
  assert.equal(there.getContent()['body'], 'an owl', 'the edit is bundled')
  await later.sees('the reaction that stayed', () => String(reactions(later, roomId, said)) === '🦉')
  const found = await later.client.relations(roomId, said, RelationType.Annotation, EventType.Reaction)
  assert.deepEqual(
    found.events.map((event: MatrixEvent) => event.getId()),
    [stays],
  )
  assert.equal(found.originalEvent?.getId(), said)

  await eve.client.redactEvent(roomId, said)
  await later.sees('the message removed', () => there.isRedacted())
}

async function edit(person: Person, roomId: string, eventId: string, body: string): Promise<void> {
  const text = { msgtype: 'm.text', body }
  await person.client.sendEvent(roomId, EventType.RoomMessage, {
    ...text,
    body: `* ${body}`,
    'm.new_content': text,
    'm.relates_to': { rel_type: RelationType.Replace, event_id: eventId },
  } as never)
}

async function react(person: Person, roomId: string, eventId: string, key: string): Promise<string> {
  const relation = { rel_type: RelationType.Annotation as const, event_id: eventId, key }
  const sent = await person.client.sendEvent(roomId, EventType.Reaction, { 'm.relates_to': relation })
  return sent.event_id
}

/** Keys of the reactions that the client shows, in order of their number and name. */
function reactions(person: Person, roomId: string, eventId: string): string[] {
  const container = person.room(roomId).relations
  const found = container.getChildEventsForEvent(eventId, RelationType.Annotation, EventType.Reaction)
  return (found?.getSortedAnnotationsByKey() ?? []).flatMap(([key, events]) => (events.size > 0 ? [key] : []))
}
