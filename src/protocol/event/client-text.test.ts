import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rulesOf } from '../room-version/rules.ts'
import { clientText, memberText } from './client-text.ts'

const rules = rulesOf('11')!
const stored = (event: object) => ({ json: JSON.stringify(event), eventId: '$e' })
const MESSAGE = {
  auth_events: ['$a', '$b'],
  content: { body: 'a "quoted" \\ {[, text', n: { list: [1, { x: '}' }] } },
  origin_server_ts: 5,
  room_id: '!r:x',
  sender: '@u:x',
  type: 'm.room.message',
}

test('a member is found behind others, whatever stands in their texts', () => {
  const values = ['"\\""', '"a\\\\"', '{}', '[]', '[[],{"content":1}]', '-1.50', 'true', 'null', '""']
  for (const other of values) {
    for (const value of values) {
      assert.equal(memberText(`{"a":${other},"content":${value},"z":${other}}`, 'content'), value)
      assert.equal(memberText(`{"content":${value}}`, 'content'), value)
    }
    assert.equal(memberText(`{"a":${other}}`, 'content'), undefined)
  }
  assert.equal(memberText('{}', 'content'), undefined)
})

test('a message as clients see it', () => {
  const text = clientText(stored(MESSAGE), rules)!
  const { content, origin_server_ts, room_id, sender, type } = MESSAGE
  assert.deepEqual(JSON.parse(`${text.head}${text.room}${text.tail}}`), {
    ...{ content, event_id: '$e', origin_server_ts, room_id, sender, type },
  })
  assert.equal(text.tail, '')
})

test('state has its key, and numbers stay as they were written', () => {
  const json = stored({ ...MESSAGE, state_key: '', content: {} }).json.replace('{}', '{"n":1.0}')
  const text = clientText({ json, eventId: '$e' }, rules)!
  assert.equal(text.tail, ',"state_key":""')
  assert.equal(text.contentText, '{"n":1.0}')
})

test('the create event of version 12 names its room by its own id', () => {
  const create = { ...MESSAGE, type: 'm.room.create', state_key: '', room_id: undefined }
  assert.equal(clientText(stored(create), rulesOf('12')!)?.room, ',"room_id":"!e"')
  assert.equal(clientText(stored(create), rules), undefined)
})

test('what needs a closer look is left alone', () => {
  const odd = [
    { ...MESSAGE, type: 'm.room.redaction' },
    { ...MESSAGE, content: [] },
    { ...MESSAGE, content: null },
    { ...MESSAGE, sender: 5 },
    { ...MESSAGE, origin_server_ts: 2 ** 60 },
    { ...MESSAGE, state_key: 1 },
    [],
  ]
  for (const event of odd) assert.equal(clientText(stored(event), rules), undefined)
  for (const json of ['', 'null', '{"content":{}', '5']) {
    assert.equal(clientText({ json, eventId: '$e' }, rules), undefined)
  }
})
