import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonValue } from '../json/value.ts'
import { InviteFilter } from './invite-filter.ts'

const answers = (rules: JsonValue, ...senders: string[]): string[] => {
  const filter = new InviteFilter(undefined, rules)
  return senders.map((sender) => filter.answer(sender))
}

test('users come before servers, and in each of them allowed, ignored, blocked', () => {
  const rules = {
    blocked_users: ['@a:one', '@b:one', '@c:one'],
    ignored_users: ['@a:one', '@b:one'],
    allowed_users: ['@a:one'],
    allowed_servers: ['one'],
    ignored_servers: ['two'],
    blocked_servers: ['*'],
  }
  assert.deepEqual(answers(rules, '@a:one', '@b:one', '@c:one', '@d:one', '@a:two', '@a:three'), [
    'allow',
    'ignore',
    'block',
    'allow',
    'ignore',
    'block',
  ])
})

test('case does not matter, and a pattern means the whole id', () => {
  const rules = { blocked_users: ['@Ann:ONE', '@b?b:*'] }
  assert.deepEqual(answers(rules, '@ann:one', '@ann:one.org', '@bob:two', '@boob:two'), [
    'block',
    'allow',
    'block',
    'allow',
  ])
})

test('whatever is not such a list is passed over', () => {
  for (const rules of [
    undefined,
    null,
    [],
    'x',
    { blocked_users: 'x', blocked_servers: [1, null, '', 'x'.repeat(256)] },
  ]) {
    assert.deepEqual(answers(rules as JsonValue, '@a:one', `@a:${'x'.repeat(256)}`), ['allow', 'allow'])
  }
})

test('a default action of block goes before all rules, any other is none', () => {
  const rules = { allowed_users: ['*'] }
  assert.equal(new InviteFilter({ default_action: 'block' }, rules).answer('@a:one'), 'block')
  assert.equal(new InviteFilter({ default_action: 'allow' }, rules).answer('@a:one'), 'allow')
  assert.equal(new InviteFilter({ default_action: 'block' }).answer(undefined), 'block')
  assert.equal(new InviteFilter(undefined, { blocked_users: ['*'] }).answer(undefined), 'allow')
})
