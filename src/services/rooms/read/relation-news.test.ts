import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EventRow } from '#/ports/store/events.ts'
import type { Change } from '#/ports/store/plan.ts'
import { RELATION_ROOMS_MAX } from './limits.ts'
import { RelationNews } from './relation-news.ts'

function follow(): { news: RelationNews; tell: (...changes: Change[]) => void; stopped: () => boolean } {
  let listener: (changes: readonly Change[]) => void = () => {}
  let stopped = false
  const news = new RelationNews({
    onChange(added) {
      listener = (changes) => added(changes, 0)
      return () => {
        stopped = true
      }
    },
  })
  return { news, tell: (...changes) => listener(changes), stopped: () => stopped }
}

const event = (room: number, position: number, type = 'm.room.message', json = '{}'): Change => ({
  stream: 'events',
  room,
  position,
  event: { type, json } as EventRow,
})

test('relations and redactions are news, other events are not', () => {
  const { news, tell, stopped } = follow()
  tell(event(1, 5))
  assert.equal(news.lastIn(1), 0)
  tell(event(1, 6, 'm.reaction', '{"content":{"m.relates_to":{}}}'), event(2, 7, 'm.room.redaction'))
  assert.deepEqual([news.lastIn(1), news.lastIn(2), news.lastIn(3)], [6, 7, 0])
  tell({ stream: 'events', room: 3, position: 8 })
  assert.equal(news.lastIn(3), 8, 'an event that is not told may be one')
  tell({ stream: 'account_data', user: '@a:x', position: 9 })
  tell(event(1, 10))
  assert.equal(news.lastIn(1), 6)
  news.close()
  assert.ok(stopped())
})

test('a forgotten room counts as having news as late as any that was forgotten', () => {
  const { news, tell } = follow()
  for (let room = 1; room <= RELATION_ROOMS_MAX; room++) tell(event(room, room, 'm.room.redaction'))
  assert.equal(news.lastIn(0), 0)
  tell(event(1, RELATION_ROOMS_MAX + 1, 'm.room.redaction'))
  tell(event(RELATION_ROOMS_MAX + 1, RELATION_ROOMS_MAX + 2, 'm.room.redaction'))
  assert.equal(news.lastIn(2), 2, 'the room longest without news was forgotten')
  assert.equal(news.lastIn(0), 2)
  assert.equal(news.lastIn(1), RELATION_ROOMS_MAX + 1)
})
