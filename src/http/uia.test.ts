import assert from 'node:assert/strict'
import { test } from 'node:test'
import { realWorld } from '#/base/world.ts'
import type { JsonValue } from '#/protocol/json/value.ts'
import { Uia, type UiaFlow, type UiaOutcome, type UiaSession, type UiaSessionStore } from './uia.ts'
import { memoryUiaSessions } from './uia-memory.ts'

function setUp(store: UiaSessionStore = memoryUiaSessions()) {
  const state = { now: 1_000 }
  const checked: string[] = []
  const uia = new Uia({
    store,
    clock: { ...realWorld.clock, now: () => state.now },
    rng: realWorld.rng,
    stages: {
      'm.login.dummy': { check: async () => ({ ok: true }) },
      'm.login.password': {
        async check(auth) {
          checked.push('password')
          return auth['password'] === 'right'
            ? { ok: true, keep: '@a:x' }
            : { ok: false, errcode: 'M_FORBIDDEN', error: 'Wrong password.' }
        },
      },
      'm.login.recaptcha': { params: () => ({ public_key: 'k' }), check: async () => ({ ok: true }) },
    },
  })
  const run = async (
    auth: JsonValue | undefined,
    flows: readonly UiaFlow[] = [['m.login.password']],
    more = {},
  ) => {
    const outcome = await uia.run({
      flows,
      auth,
      operation: 'delete device A',
      userId: '@a:x',
      remote: 'r',
      ...more,
    })
    return { ...answer(outcome), outcome }
  }
  return { uia, run, state, checked }
}

function answer(outcome: UiaOutcome) {
  if (outcome.done)
    return { done: true, status: 200, body: {} as Record<string, unknown>, session: outcome.session }
  const body = JSON.parse(String(outcome.reply.body)) as Record<string, unknown>
  return { done: false, status: outcome.reply.status, body, session: String(body['session']) }
}

test('without auth: 401 with flows, params and a session, and no errcode', async () => {
  const { run } = setUp()
  const first = await run(undefined, [['m.login.recaptcha', 'm.login.dummy'], ['m.login.password']])
  assert.equal(first.status, 401)
  assert.deepEqual(first.body, {
    completed: [],
    flows: [{ stages: ['m.login.recaptcha', 'm.login.dummy'] }, { stages: ['m.login.password'] }],
    params: { 'm.login.recaptcha': { public_key: 'k' } },
    session: first.session,
  })
  assert.ok(first.session.length >= 20)
})

test('stages of one flow over several requests; the session stays good until finish', async () => {
  const { run, uia } = setUp()
  const flows = [['m.login.recaptcha', 'm.login.dummy']]
  const { session } = await run(undefined, flows)
  const half = await run({ type: 'm.login.dummy', session }, flows)
  assert.equal(half.status, 401)
  assert.deepEqual(half.body['completed'], ['m.login.dummy'])
  assert.equal(half.body['errcode'], undefined)
  assert.ok((await run({ type: 'm.login.recaptcha', session }, flows)).done)
  assert.ok((await run({ type: 'm.login.recaptcha', session }, flows)).done, 'again')
  assert.ok((await run({ session }, flows)).done, 'without a type')
  await uia.finish(session)
  assert.equal((await run({ session }, flows)).status, 400)
})

test('one request may carry the only stage and no session', async () => {
  const { run } = setUp()
  const outcome = (await run({ type: 'm.login.password', password: 'right' })).outcome
  assert.ok(outcome.done)
  assert.deepEqual(outcome.completed, { 'm.login.password': '@a:x' })
})

test('a failed stage: 401 with errcode, the same session; too many begin anew', async () => {
  const { run } = setUp()
  let { session } = await run(undefined)
  for (let i = 1; i < 20; i++) {
    const failed = await run({ type: 'm.login.password', password: 'wrong', session })
    assert.equal(failed.status, 401)
    assert.equal(failed.body['errcode'], 'M_FORBIDDEN')
    assert.equal(failed.session, session)
  }
  const last = await run({ type: 'm.login.password', password: 'wrong', session })
  assert.notEqual(last.session, session)
  session = last.session
  assert.ok((await run({ type: 'm.login.password', password: 'right', session })).done)
})

test('adv-68: a stage that is not in the offered flows proves nothing and is not even checked', async () => {
  const { run, checked } = setUp()
  const flows = [['m.login.recaptcha']]
  for (const type of ['m.login.password', 'm.login.dummy', 'm.login.sso', '__proto__', 'constructor']) {
    const refused = await run({ type, password: 'right' }, flows)
    assert.equal(refused.status, 401, type)
    assert.equal(refused.body['errcode'], 'M_UNRECOGNIZED')
    assert.deepEqual(refused.body['completed'], [])
  }
  assert.deepEqual(checked, [])
})

test('adv-68: a stage done for other flows does not complete flows that lack it', async () => {
  const { run } = setUp()
  const { session } = await run({ type: 'm.login.dummy' }, [['m.login.dummy', 'm.login.recaptcha']])
  const other = await run({ type: 'm.login.dummy', session }, [['m.login.password']])
  assert.equal(other.done, false)
})

test('a session proves only the operation and account it was begun for', async () => {
  const { run } = setUp()
  const { session } = await run({ type: 'm.login.password', password: 'right' })
  assert.ok((await run({ session })).done)
  for (const more of [{ operation: 'delete device B' }, { userId: '@b:x' }, { userId: undefined }]) {
    const refused = await run({ session }, undefined, more)
    assert.equal(refused.status, 403)
  }
})

test('adv-66: nothing of a body is kept', async () => {
  const kept: unknown[] = []
  const inner = memoryUiaSessions()
  const spy: UiaSessionStore = {
    ...inner,
    create: (session: UiaSession) => {
      kept.push(session)
      return inner.create(session)
    },
    complete: (...all) => {
      kept.push(all)
      return inner.complete(...all)
    },
  }
  const { run } = setUp(spy)
  const { session } = await run({ type: 'm.login.password', password: 'wrong', new_password: 'hunter2' })
  await run({ type: 'm.login.password', password: 'right', session, new_password: 'hunter2' })
  assert.ok(kept.length >= 2)
  assert.ok(!/right|wrong|hunter2/.test(JSON.stringify(kept)))
})

test('sessions end after two days and an unknown one is 400', async () => {
  const { run, state } = setUp()
  const { session } = await run(undefined)
  state.now += 48 * 3_600_000
  assert.equal((await run({ session })).status, 401)
  state.now += 1
  assert.equal((await run({ session })).status, 400)
  assert.equal((await run({ session: 'nonsense' })).status, 400)
})

test('auth of a wrong type counts as absent; an offered stage without code is a bug', async () => {
  const { run } = setUp()
  for (const auth of [null, 'x', 5, [], { type: 5 }, { session: 5 }])
    assert.equal((await run(auth)).status, 401)
  await assert.rejects(run(undefined, [['m.login.unheard']]), /not implemented/)
})

test('the store in memory is bounded', async () => {
  const store = memoryUiaSessions(3)
  for (const id of ['a', 'b', 'c', 'd']) {
    await store.create({ id, operation: '', createdAtMs: 0, completed: {}, failures: 0 })
  }
  assert.equal(await store.get('a'), undefined)
  assert.equal((await store.get('d'))?.id, 'd')
})
