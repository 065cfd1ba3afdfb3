import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { CONDITIONS_MAX, PUSH_RULES_TRIED_MAX } from '#/services/push/limits.ts'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import { sync, syncWith, V3 } from '../../support/room-calls.ts'
import { TestServer } from '../../support/test-server.ts'

covers(
  'GET /_matrix/client/v3/pushrules/',
  'GET /_matrix/client/v3/pushrules/global/',
  'GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}',
  'PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}',
  'DELETE /_matrix/client/v3/pushrules/global/{kind}/{ruleId}',
  'GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled',
  'PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled',
  'GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/actions',
  'PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/actions',
)

let server: TestServer
let alice: ApiClient
before(async () => {
  server = await TestServer.start()
  alice = await server.user('alice')
})
after(() => server.close())

const RULES = `${V3}/pushrules/global/`
const at = (kind: string, id: string, more = ''): string => `${RULES}${kind}/${encodeURIComponent(id)}${more}`

async function ids(who: ApiClient, kind: string): Promise<string[]> {
  const rules = await who.get(RULES)
  return rules[kind].map((rule: Json) => rule.rule_id)
}

const own = async (who: ApiClient, kind: string): Promise<string[]> =>
  (await ids(who, kind)).filter((id) => !id.startsWith('.'))

test('the default push rules, under both paths, with and without the last slash', async () => {
  const who = await server.user('untouched')
  const { global } = await who.get(`${V3}/pushrules/`)
  assert.deepEqual(await who.get(RULES), global)
  assert.deepEqual(await who.get(`${V3}/pushrules`), { global })
  assert.deepEqual(await who.get(`${V3}/pushrules/global`), global)
  assert.deepEqual(Object.keys(global).sort(), ['content', 'override', 'room', 'sender', 'underride'])
  assert.equal(global.override[0].rule_id, '.m.rule.master')
  /* Cinny calls a rule without this tweak switched off. */
  const message = global.underride.find((rule: Json) => rule.rule_id === '.m.rule.message')
  assert.deepEqual(message.actions, ['notify', { set_tweak: 'highlight', value: false }])
})

test('a rule is made, read, changed and deleted, under r0 as well', async () => {
  const url = at('content', 'cake')
  await alice.refused('404 M_NOT_FOUND', 'GET', url)
  await alice.put(url, { pattern: 'cake*lie', actions: ['notify', { set_tweak: 'sound', value: 'x.wav' }] })
  const rule = {
    rule_id: 'cake',
    default: false,
    enabled: true,
    pattern: 'cake*lie',
    actions: ['notify', { set_tweak: 'sound', value: 'x.wav' }],
  }
  assert.deepEqual(await alice.get(url), rule)
  assert.deepEqual(await alice.get(url.replace('/v3/', '/r0/')), rule)
  await alice.put(url, { pattern: 'pie', actions: [] })
  assert.deepEqual(await alice.get(url), { ...rule, pattern: 'pie', actions: [] })
  assert.deepEqual(await alice.ok('DELETE', url), {})
  await alice.refused('404 M_NOT_FOUND', 'GET', url)
  await alice.refused('404 M_NOT_FOUND', 'DELETE', url)
})

test('new rules come first, others are put beside those named', async () => {
  const who = await server.user('orderly')
  const put = (id: string, query = '') => who.put(at('override', id) + query, { actions: [], conditions: [] })
  await put('b')
  await put('a')
  assert.deepEqual(await own(who, 'override'), ['a', 'b'])
  await put('c', '?after=a')
  await put('d', '?before=a')
  assert.deepEqual(await own(who, 'override'), ['d', 'a', 'c', 'b'])
  await put('b', '?before=c&after=d')
  assert.deepEqual(await own(who, 'override'), ['d', 'a', 'b', 'c'])
  await put('a')
  assert.deepEqual(await own(who, 'override'), ['d', 'a', 'b', 'c'])
  assert.equal((await ids(who, 'override'))[0], '.m.rule.master')
  const beside = async (query: string) =>
    who.refused('400 M_UNKNOWN', 'PUT', `${at('override', 'e')}?${query}`, { actions: [] })
  await beside('before=nobody')
  await beside('after=.m.rule.master')
  assert.deepEqual(await own(who, 'override'), ['d', 'a', 'b', 'c'])
})

test('a rule is disabled and given other actions, a default rule too; a changed rule stays disabled', async () => {
  const who = await server.user('changing')
  for (const [kind, id] of [
    ['override', '.m.rule.tombstone'],
    ['room', '!mine:test.example'],
  ] as const) {
    if (!id.startsWith('.')) await who.put(at(kind, id), { actions: ['notify'] })
    assert.deepEqual(await who.get(at(kind, id, '/enabled')), { enabled: true })
    await who.put(at(kind, id, '/enabled'), { enabled: false })
    assert.deepEqual(await who.get(at(kind, id, '/enabled')), { enabled: false })
    const actions = ['dont_notify', { set_tweak: 'highlight' }]
    await who.put(at(kind, id, '/actions'), { actions })
    assert.deepEqual(await who.get(at(kind, id, '/actions')), { actions })
    await who.refused('400 M_INVALID_PARAM', 'PUT', at(kind, id, '/actions'), { actions: ['stir'] })
  }
  await who.put(at('room', '!mine:test.example'), { actions: [] })
  assert.deepEqual(await who.get(at('room', '!mine:test.example', '/enabled')), { enabled: false })
})

test('the rules of a kind are listed', async () => {
  const who = await server.user('listing')
  await who.put(at('room', '!mine:test.example'), { actions: ['notify'] })
  const list = await who.get('/_matrix/client/v3/pushrules/global/room/')
  assert.deepEqual(list, (await who.get('/_matrix/client/v3/pushrules/')).global.room)
  assert.equal(list.length, 1)
  await who.refused('400 M_INVALID_PARAM', 'GET', '/_matrix/client/v3/pushrules/global/sort/')
  const url = '/_matrix/client/v3/pushrules/global/room/'
  await who.refused('400 M_INVALID_PARAM', 'PUT', url, { actions: [] })
})

test('rules that are not there are not found', async () => {
  for (const more of ['/enabled', '/actions']) {
    await alice.refused('404 M_NOT_FOUND', 'GET', at('room', '!none:x', more))
    const body = more === '/enabled' ? { enabled: true } : { actions: [] }
    await alice.refused('404 M_NOT_FOUND', 'PUT', at('room', '!none:x', more), body)
  }
})

test('what the server defines is not deleted or overwritten', async () => {
  await alice.refused('404 M_NOT_FOUND', 'DELETE', at('override', '.m.rule.master'))
  await alice.refused('400 M_INVALID_PARAM', 'PUT', at('override', '.mine'), { actions: [] })
})

test('guests have no push rules', async () => {
  const guest = server.anonymous()
  guest.become(await guest.post(`${V3}/register?kind=guest`))
  await guest.refused('403 M_GUEST_ACCESS_FORBIDDEN', 'PUT', at('override', 'x'), { actions: [] })
  await guest.refused('403 M_GUEST_ACCESS_FORBIDDEN', 'GET', RULES)
  await guest.refused('403 M_GUEST_ACCESS_FORBIDDEN', 'GET', `${RULES}room/`)
})

test('bad rules are refused with a reason', async () => {
  const refused = (errcode: string, url: string, body: unknown) =>
    alice.refused(`400 ${errcode}`, 'PUT', url, body)
  await refused('M_INVALID_PARAM', at('nokind', 'x'), { actions: [] })
  await refused('M_INVALID_PARAM', at('override', 'a/b'), { actions: [] })
  await refused('M_INVALID_PARAM', at('override', 'a\\b'), { actions: [] })
  await refused('M_MISSING_PARAM', at('override', 'x'), {})
  await refused('M_MISSING_PARAM', at('content', 'x'), { actions: [] })
  await refused('M_INVALID_PARAM', at('override', 'x'), { actions: [1] })
  await refused('M_INVALID_PARAM', at('override', 'x'), { actions: [{ tweak: 1 }] })
  await refused('M_INVALID_PARAM', at('override', 'x'), { actions: [], conditions: [{}] })
  const many = Array.from({ length: CONDITIONS_MAX + 1 }, () => ({ kind: 'x' }))
  await refused('M_BAD_JSON', at('override', 'x'), { actions: [], conditions: many })
  await refused('M_BAD_JSON', at('override', '.m.rule.master', '/enabled'), { enabled: 'yes' })
  await refused('M_INVALID_PARAM', at('override', '.m.rule.master', '/actions'), { actions: [null] })
  await alice.put(at('room', 'r'.repeat(300)), { actions: [] })
  await refused('M_INVALID_PARAM', at('room', 'r'.repeat(301)), { actions: [] })
  const large = { actions: ['notify', { set_tweak: 'x', value: 'v'.repeat(1024) }] }
  await refused('M_INVALID_PARAM', at('room', 'r'), large)
  await refused('M_INVALID_PARAM', at('override', '.m.rule.reaction', '/actions'), large)
  await refused('M_BAD_JSON', at('content', 'x'), { actions: [], pattern: 'p'.repeat(1000) })
})

test('§2.11 push_rules.limits bound the rules of a user, their ids and what one says', async () => {
  const pushRuleLimits = { rules: 2, idBytes: 10, ruleBytes: 60 }
  const small = await TestServer.start({ configure: (plain) => ({ ...plain, pushRuleLimits }) })
  try {
    const who = await small.user('who')
    const refused = (url: string, body: unknown) => who.refused('400 M_INVALID_PARAM', 'PUT', url, body)
    await who.put(at('room', 'é'.repeat(5)), { actions: ['notify'] })
    await refused(at('room', 'é'.repeat(6)), { actions: ['notify'] })
    await refused(at('content', 'a'), { pattern: 'p'.repeat(60), actions: [] })
    await who.put(at('content', 'a'), { pattern: 'p'.repeat(48), actions: ['notify'] })
    await refused(at('room', 'third'), { actions: [] })
    await who.put(at('content', 'a'), { pattern: 'changed', actions: [] })
    await who.ok('DELETE', at('content', 'a'))
    await who.put(at('room', 'third'), { actions: [] })
  } finally {
    await small.close()
  }
})

test('nobody without a token reads or changes rules', async () => {
  const nobody = server.anonymous()
  const refused = (method: 'GET' | 'PUT' | 'DELETE', url: string, body?: unknown) =>
    nobody.refused('401 M_MISSING_TOKEN', method, url, body)
  await refused('GET', `${V3}/pushrules/`)
  await refused('GET', RULES)
  await refused('GET', at('override', '.m.rule.master'))
  await refused('PUT', at('override', 'x'), { actions: [] })
  await refused('DELETE', at('override', 'x'))
  for (const more of ['/enabled', '/actions']) {
    await refused('GET', at('override', '.m.rule.master', more))
    await refused('PUT', at('override', '.m.rule.master', more), { enabled: true, actions: [] })
  }
})

test('changed rules reach every device in account_data, and only then', async () => {
  const who = await server.user('synced')
  const first = await sync(who)
  const rules = first.account_data.events.find((event: Json) => event.type === 'm.push_rules')
  assert.deepEqual(rules.content, await who.get(`${V3}/pushrules/`))
  const quiet = await sync(who, { since: first.next_batch })
  assert.equal(quiet.account_data, undefined)
  await who.put(at('room', '!a:test.example'), { actions: [] })
  const next = await sync(who, { since: quiet.next_batch })
  const [event] = next.account_data.events
  assert.deepEqual([event.type, event.content], ['m.push_rules', await who.get(`${V3}/pushrules/`)])
  const full = await syncWith(who, {})
  assert.equal(full.account_data.events.filter((item: Json) => item.type === 'm.push_rules').length, 1)
  const data = await who.get(`${V3}/user/${encodeURIComponent(who.userId)}/account_data/m.push_rules`)
  assert.deepEqual(data, event.content)
})

test('rules outlive a restart', async () => {
  const who = await server.user('restarted')
  await who.put(at('content', 'word'), { pattern: 'word', actions: ['notify'] })
  await server.restart()
  assert.deepEqual(await own(who, 'content'), ['word'])
})

test('side by side changes are all kept', async () => {
  const who = await server.user('busy')
  const names = Array.from({ length: 10 }, (_, i) => `!room${i}:test.example`)
  await Promise.all(names.map((name) => who.put(at('room', name), { actions: [] })))
  assert.deepEqual((await own(who, 'room')).sort(), names)
})

test('adv-30 rules that look at the content of events have a limit; those of rooms are found by name', async () => {
  const who = await server.user('collector')
  for (let i = 0; i < PUSH_RULES_TRIED_MAX; i++) {
    await who.put(at('content', `r${i}`), { pattern: `*a*a*a*a*a*b${i}`, actions: ['notify'] })
  }
  const more = { pattern: 'x', actions: [] }
  await who.refused('400 M_INVALID_PARAM', 'PUT', at('content', 'more'), more)
  await who.put(at('content', 'r0'), more)
  await who.put(at('room', '!one:test.example'), { actions: [] })
  const mute = { kind: 'event_match', key: 'room_id', pattern: '!two:test.example' }
  await who.put(at('override', '!two:test.example'), { actions: [], conditions: [mute] })
})
