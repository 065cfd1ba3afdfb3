/** Accounts, devices, tokens, registration tokens, profiles, sessions, account data, filters and jobs. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Op } from '#/ports/store/plan.ts'
import { onEveryEngine } from './engines.ts'
import { accepted, account, fresh, newRoom, refused, user } from './plans.ts'

const device = (name: string, id: string, displayName: string | null = null): Op => ({
  op: 'device.put',
  user: name,
  device: id,
  displayName,
  ts: 5,
})
const token = (name: string, id: string, digest: string, more: object = {}): Op => ({
  op: 'token.put',
  digest,
  user: name,
  device: id,
  kind: 'access',
  expiresTs: null,
  pair: null,
  ...more,
})

onEveryEngine('accounts', (bench) => {
  it('makes an account once, changes its flags and password', async () => {
    const { store } = bench()
    const name = user('Case')
    const count = await store.accounts.count()
    const tries = Array.from({ length: 8 }, () => store.commit({ lane: fresh('lane'), ops: [account(name)] }))
    const made = (await Promise.all(tries)).filter((result) => result.ok)
    assert.equal(made.length, 1, 'one of several at once, whatever their lanes')
    assert.equal(await store.accounts.count(), count + 1)
    await accepted(store, name, { op: 'account.flags', user: name, admin: true, locked: true })
    await accepted(store, name, { op: 'account.flags', user: name, deactivated: true, locked: false })
    await accepted(store, name, { op: 'account.password', user: name, passwordHash: null })
    const upgrade = { op: 'account.upgrade', passwordHash: 'h', admin: false } as const
    assert.deepEqual(await refused(store, name, { ...upgrade, user: name }), {
      conflict: 'gone',
      value: name,
    })
    const guest = user('1')
    await accepted(store, guest, { ...account(guest), guest: true } as Op)
    assert.equal((await store.accounts.byUser(guest))?.guest, true)
    await accepted(store, guest, { ...upgrade, user: guest })
    const full = await store.accounts.byUser(guest)
    assert.deepEqual([full?.guest, full?.passwordHash], [false, 'h'])
    assert.equal((await refused(store, guest, { ...upgrade, user: guest })).conflict, 'gone')
    const row = {
      user: name,
      passwordHash: null,
      admin: true,
      deactivated: true,
      locked: false,
      suspended: false,
      guest: false,
      createdTs: 7,
    }
    assert.deepEqual(await store.accounts.byUser(name), row)
    assert.deepEqual(await store.accounts.byUserFolded(name.toUpperCase()), row)
    assert.equal(await store.accounts.byUser(name.toLowerCase()), undefined)
    const gone = { conflict: 'gone', value: '@none:x' }
    assert.deepEqual(await refused(store, 'l', { op: 'account.flags', user: '@none:x' }), gone)
    assert.deepEqual(
      await refused(store, 'l', { op: 'account.password', user: '@none:x', passwordHash: '' }),
      gone,
    )
    await accepted(store, name, account(name.toLowerCase()))
    assert.equal(await store.accounts.byUserFolded(name), undefined, 'two accounts differ in case alone')
  })

  it('keeps devices with their tokens, and removes them together', async () => {
    const { store } = bench()
    const name = user()
    const digest = (id: string): string => `${name}/${id}`
    await accepted(store, name, account(name))
    for (const id of ['A', 'B', 'C', 'D']) {
      await accepted(store, name, device(name, id, `name ${id}`), token(name, id, digest(id)))
    }
    await accepted(store, name, device(name, 'A'), device(name, 'B', 'new'))
    const row = (id: string, displayName: string) => ({
      user: name,
      device: id,
      displayName,
      createdTs: 5,
      seenTs: null,
      seenIp: null,
      seenAgent: null,
    })
    assert.deepEqual(await store.accounts.device(name, 'A'), row('A', 'name A'))
    assert.deepEqual(await store.accounts.device(name, 'B'), row('B', 'new'))
    assert.equal(await store.accounts.device(name, 'X'), undefined)
    await accepted(store, name, { op: 'device.delete', user: name, devices: ['A', 'B', 'X'], keep: 'B' })
    assert.deepEqual(
      (await store.accounts.devices(name)).map((each) => each.device),
      ['B', 'C', 'D'],
    )
    assert.equal(await store.accounts.token(digest('A')), undefined)
    assert.ok(await store.accounts.token(digest('B')))
    await accepted(store, name, { op: 'device.delete', user: name, devices: [] })
    assert.equal((await store.accounts.devices(name)).length, 3)
    await accepted(store, name, { op: 'device.delete', user: name, keep: 'D' })
    assert.deepEqual(
      (await store.accounts.devices(name)).map((each) => each.device),
      ['D'],
    )
    assert.equal(await store.accounts.token(digest('C')), undefined)
    await accepted(store, name, { op: 'device.delete', user: name })
    assert.deepEqual(await store.accounts.devices(name), [])
    assert.equal(await store.accounts.token(digest('D')), undefined)
  })

  it('reads a token with its account, and spends it once', async () => {
    const { store } = bench()
    const name = user()
    const [access, refresh] = [fresh('access'), fresh('refresh')]
    await accepted(
      store,
      name,
      account(name),
      token(name, 'D', access, { expiresTs: 99, pair: refresh }),
      token(name, 'D', refresh, { kind: 'refresh', pair: access }),
    )
    assert.deepEqual(await store.accounts.token(access), {
      user: name,
      device: 'D',
      kind: 'access',
      expiresTs: 99,
      pair: refresh,
      exchanged: false,
      deactivated: false,
      locked: false,
      suspended: false,
      admin: false,
      guest: false,
    })
    assert.deepEqual(await refused(store, name, { op: 'token.exchanged', digest: access }), {
      conflict: 'gone',
    })
    await accepted(store, name, { op: 'token.exchanged', digest: refresh })
    assert.equal((await store.accounts.token(refresh))?.exchanged, true)
    const tries = Array.from({ length: 8 }, () =>
      store.commit({ lane: fresh('lane'), ops: [{ op: 'token.delete', digest: access }] }),
    )
    const results = await Promise.all(tries)
    assert.equal(results.filter((result) => result.ok).length, 1)
    for (const result of results) if (!result.ok) assert.deepEqual(result, { ok: false, conflict: 'gone' })
    const rejected = store.commit({ lane: name, ops: [token(name, 'D', refresh)] })
    await assert.rejects(rejected, { kind: 'invalid' })
  })

  it('clears tokens of a device or of a user, but for some', async () => {
    const { store } = bench()
    const [name, other] = [user(), user()]
    await accepted(store, name, account(name), account(other))
    const digests = ['a', 'b', 'c', 'd'].map((each) => fresh(each))
    for (const [at, digest] of digests.entries()) {
      await accepted(store, name, token(name, at < 2 ? 'D' : 'E', digest))
    }
    const others = fresh('other')
    await accepted(store, other, token(other, 'D', others))
    const left = async (): Promise<number[]> => {
      const rows = await Promise.all(digests.map((digest) => store.accounts.token(digest)))
      return rows.flatMap((row, at) => (row ? [at] : []))
    }
    await accepted(store, name, { op: 'token.clear', user: name, device: 'D', keep: [digests[1]!] })
    assert.deepEqual(await left(), [1, 2, 3])
    await accepted(store, name, { op: 'token.clear', user: name, keep: [digests[1]!, digests[3]!] })
    assert.deepEqual(await left(), [1, 3])
    await accepted(store, name, { op: 'token.clear', user: name, keep: [] })
    assert.deepEqual(await left(), [])
    assert.ok(await store.accounts.token(others))
  })

  it('lets a registration token be used as often as allowed, under concurrency', async () => {
    const { store } = bench()
    const put = (more: object = {}): Op & { token: string } => ({
      op: 'registration_token.put',
      token: fresh('welcome'),
      usesAllowed: 1,
      expiresTs: null,
      admin: true,
      ...more,
    })
    const use = (name: string, now = 50): Op => ({ op: 'registration_token.use', token: name, now })
    const [single, triple, free, dated] = [
      put(),
      put({ usesAllowed: 3, admin: false }),
      put({ usesAllowed: null }),
      put({ expiresTs: 100 }),
    ]
    await accepted(store, 'admin', single, triple, free, dated)
    assert.deepEqual(await refused(store, 'admin', single), { conflict: 'taken' })
    for (const [op, uses] of [
      [single, 1],
      [triple, 3],
      [free, 12],
    ] as const) {
      const names = Array.from({ length: 12 }, () => user())
      const tries = names.map((name) => store.commit({ lane: name, ops: [account(name), use(op.token)] }))
      const results = await Promise.all(tries)
      const used = results.filter((result) => result.ok).length
      assert.equal(used, uses)
      assert.equal((await store.accounts.registrationToken(op.token))?.completed, uses)
      const made = await Promise.all(names.map((name) => store.accounts.byUser(name)))
      assert.equal(made.filter(Boolean).length, uses, 'an account only for those who got the token')
    }
    assert.deepEqual(await refused(store, 'l', use(dated.token, 100)), { conflict: 'gone' })
    await accepted(store, 'l', use(dated.token, 99))
    assert.deepEqual(await store.accounts.registrationToken(dated.token), {
      token: dated.token,
      usesAllowed: 1,
      pending: 0,
      completed: 1,
      expiresTs: 100,
      admin: true,
    })
    assert.deepEqual(await refused(store, 'l', use('unknown')), { conflict: 'gone' })
    assert.equal(await store.accounts.registrationToken('unknown'), undefined)
  })

  it('keeps profiles and authentication sessions', async () => {
    const { store } = bench()
    const [name, session] = [user(), fresh('session')]
    assert.equal(await store.accounts.profile(name), undefined)
    for (const fields of ['{"a":1}', '{}']) {
      await accepted(store, name, { op: 'profile.put', user: name, fields })
      assert.deepEqual(await store.accounts.profile(name), { user: name, fields })
    }
    for (const data of ['{"a":1}', '{"b":2}']) {
      await accepted(store, session, { op: 'uia.put', session, data, expiresTs: 10 })
      assert.equal(await store.accounts.uia(session), data)
    }
    await accepted(store, session, { op: 'uia.delete', session }, { op: 'uia.delete', session })
    assert.equal(await store.accounts.uia(session), undefined)
  })

  it('keeps account data by room and type, and tells what changed since', async () => {
    const { store } = bench()
    const name = user()
    const { room } = await newRoom(store)
    const put = (at: number, type: string, content: string) =>
      accepted(store, name, { op: 'account_data.put', user: name, room: at, type, content })
    const start = store.position()
    await put(0, 'a', '1')
    await put(room, 'a', '2')
    const middle = store.position()
    await put(0, 'b', '3')
    await put(0, 'a', '4')
    const rows = await store.accountData.since(name, start, store.position())
    assert.deepEqual(
      rows.map((row) => [row.room, row.type, row.content]),
      [
        [room, 'a', '2'],
        [0, 'b', '3'],
        [0, 'a', '4'],
      ],
    )
    assert.deepEqual(await store.accountData.get(name, 0, 'a'), rows[2])
    assert.deepEqual(await store.accountData.since(name, start, middle), rows.slice(0, 1))
    assert.deepEqual(await store.accountData.since(name, rows[2]!.position, store.position()), [])
    assert.equal(await store.accountData.get(name, room, 'b'), undefined)
    await accepted(store, name, { op: 'account_data.clear', user: name })
    assert.deepEqual(await store.accountData.since(name, 0, store.position()), [])
  })

  it('numbers filters per user, an equal one once', async () => {
    const { store } = bench()
    const [name, other] = [user(), user()]
    const put = async (who: string, json: string): Promise<unknown> =>
      (await accepted(store, who, { op: 'filter.put', user: who, json })).results[0]
    assert.deepEqual(
      [await put(name, '{"a":1}'), await put(name, '{"b":1}'), await put(name, '{"a":1}')],
      [0, 1, 0],
    )
    assert.equal(await put(other, '{"b":1}'), 0)
    const many = await Promise.all(Array.from({ length: 20 }, (_, i) => put(other, `{"c":${i % 5}}`)))
    assert.deepEqual([...new Set(many)].sort(), [1, 2, 3, 4, 5])
    assert.equal(await store.accountData.filter(name, 1), '{"b":1}')
    assert.equal(await store.accountData.filter(name, 2), undefined)
    assert.equal(await store.accountData.filter(name, 2 ** 40), undefined)
    await accepted(store, name, { op: 'account_data.clear', user: name })
    assert.equal(await store.accountData.filter(name, 1), undefined)
  })

  it('keeps jobs by time', async () => {
    const { store } = bench()
    const kind = fresh('kind')
    const put = (key: string, dueTs: number, data = '{}'): Op => ({ op: 'job.put', kind, key, dueTs, data })
    await accepted(store, kind, put('b', 20), put('a', 10), put('c', 30))
    assert.equal(await store.jobs.next(), 10)
    await accepted(store, kind, { op: 'job.retry', kind, key: 'a', dueTs: 25 }, put('c', 5, '{"c":1}'))
    const row = (key: string, dueTs: number, attempts: number, data = '{}') => ({
      kind,
      key,
      dueTs,
      attempts,
      data,
    })
    assert.deepEqual(await store.jobs.due(25, 10), [
      row('c', 5, 0, '{"c":1}'),
      row('b', 20, 0),
      row('a', 25, 1),
    ])
    assert.deepEqual(await store.jobs.due(24, 1), [row('c', 5, 0, '{"c":1}')])
    assert.deepEqual(await store.jobs.due(4, 10), [])
    assert.deepEqual(await refused(store, kind, { op: 'job.retry', kind, key: 'x', dueTs: 1 }), {
      conflict: 'gone',
    })
    await accepted(store, kind, put('a', 40))
    assert.deepEqual(
      (await store.jobs.due(99, 10)).at(-1),
      row('a', 40, 0),
      'a job that is put again starts anew',
    )
    await accepted(store, kind, ...['a', 'b', 'c'].map((key): Op => ({ op: 'job.done', kind, key })))
    assert.equal(await store.jobs.next(), undefined)
  })

  it('sweeps what is over, and no more per table than asked', async () => {
    const { store } = bench()
    const name = user()
    await accepted(store, name, account(name))
    for (let i = 0; i < 5; i++) {
      await accepted(
        store,
        name,
        { op: 'uia.put', session: `${name}${i}`, data: '{}', expiresTs: i < 4 ? 10 : 1000 },
        token(name, 'D', `${name}${i}`, { expiresTs: i < 4 ? 10 : i === 4 ? null : 1000 }),
      )
    }
    const sweep = async (now: number, limit: number): Promise<number> =>
      (await accepted(store, 'sweep', { op: 'job.sweep', now, limit })).results[0] as number
    /* What other tests of this store have left. */
    while ((await sweep(9, 100)) > 0);
    assert.equal(await sweep(11, 3), 3)
    assert.equal(await sweep(11, 3), 1)
    assert.equal(await sweep(11, 3), 0)
    assert.equal(await store.accounts.uia(`${name}4`), '{}')
    assert.ok(
      await store.accounts.token(`${name}3`),
      'an expired token is kept, so that its client logs out softly',
    )
    const weeks = 28 * 24 * 60 * 60 * 1000
    assert.equal(await sweep(11 + weeks, 3), 4, 'three tokens and the last session')
    assert.equal(await sweep(11 + weeks, 3), 1)
    assert.equal(await sweep(11 + weeks, 3), 0)
    assert.ok(await store.accounts.token(`${name}4`))
    assert.equal(await store.accounts.token(`${name}3`), undefined)
  })
})
