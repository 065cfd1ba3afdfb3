/** The user directory, shared rooms, OpenID tokens, last uses of devices, deleted account data. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { DirectoryCheck, DirectorySearch } from '#/ports/store/people.ts'
import type { Op } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import { onEveryEngine } from './engines.ts'
import { accepted, account, fresh, insert, newRoom, user } from './plans.ts'

const profile = (name: string, displayname: string, avatar?: string): Op => ({
  op: 'profile.put',
  user: name,
  fields: JSON.stringify({ displayname, ...(avatar === undefined ? {} : { avatar_url: avatar }) }),
})

/** A member of a room: event, state and, for users of this server, the membership. */
async function member(store: Store, room: number, name: string, membership = 'join'): Promise<void> {
  const type = 'm.room.member'
  const json = JSON.stringify({ type, content: { membership } })
  await accepted(
    store,
    `${room}`,
    insert({ room, type, stateKey: name, json }),
    { op: 'state.change', room, branch: 0, changes: [{ type, stateKey: name, event: { slot: 0 } }] },
    ...(name.endsWith(':contract.example')
      ? [
          {
            op: 'room.membership' as const,
            room,
            user: name,
            membership: membership as 'join',
            event: { slot: 0 },
            sender: name,
            stripped: null,
          },
        ]
      : []),
  )
}

async function search(store: Store, searcher: string, term: string, more: Partial<DirectorySearch> = {}) {
  const asked = {
    term,
    searcher,
    limit: 10,
    all: false,
    localOnly: false,
    localFirst: false,
    showLocked: false,
  }
  return store.people.search({ ...asked, ...more })
}

const ids = (page: { people: readonly { userId: string }[] }): string[] =>
  page.people.map((one) => one.userId)

onEveryEngine('people', (bench) => {
  it('finds who shares a room or is in a public one, and nobody else', async () => {
    const { store } = bench()
    const [me, friend, stranger, famous] = [user('me'), user('friend'), user('stranger'), user('famous')]
    for (const name of [me, friend, stranger, famous]) {
      await accepted(store, name, account(name), profile(name, 'Quentin Blake'))
    }
    const [shared, other, open] = [await newRoom(store), await newRoom(store), await newRoom(store)]
    await member(store, shared.room, me)
    await member(store, shared.room, friend)
    await member(store, other.room, stranger)
    await member(store, open.room, famous)
    const rule = (to: boolean): Op => ({
      op: 'directory.room',
      room: open.room,
      rule: 'join_rules',
      open: to,
    })
    assert.deepEqual(ids(await search(store, me, 'quentin')), [friend])
    await accepted(store, 'l', rule(true))
    assert.deepEqual(ids(await search(store, me, 'blake')).sort(), [famous, friend].sort())
    assert.deepEqual(ids(await search(store, me, 'quentin', { all: true })).length, 3)
    assert.ok(await store.people.visible(me, famous))
    await accepted(store, 'l', rule(false))
    assert.equal(await store.people.visible(me, famous), false)
    assert.ok(await store.people.visible(me, friend))
    await member(store, shared.room, friend, 'leave')
    assert.deepEqual(ids(await search(store, me, 'quentin')), [])
    await accepted(store, 'l', rule(true), { op: 'room.delete', room: open.room })
    assert.equal(await store.people.visible(me, famous), false)
  })

  it('follows profiles and flags of accounts', async () => {
    const { store } = bench()
    const [me, one] = [user('me'), user('zoltan')]
    await accepted(store, one, account(one), profile(one, 'Ödön', 'mxc://a/b'))
    const all = { all: true }
    const row = { userId: one, displayName: 'Ödön', avatarUrl: 'mxc://a/b' }
    const find = async (term: string, more: Partial<DirectorySearch> = {}) =>
      (await search(store, me, term, { ...all, ...more })).people
    assert.deepEqual(await find('odo'), [row])
    assert.deepEqual(await find(one), [row])
    await accepted(store, one, profile(one, 'Béla'))
    assert.deepEqual(await find('odo'), [])
    assert.deepEqual(await find('BELA'), [{ userId: one, displayName: 'Béla', avatarUrl: null }])
    await accepted(store, one, { op: 'account.flags', user: one, locked: true })
    assert.deepEqual(await find('bela'), [])
    assert.equal((await find('bela', { showLocked: true })).length, 1)
    await accepted(store, one, { op: 'account.flags', user: one, locked: false, suspended: true })
    assert.equal((await find('bela')).length, 1)
    assert.equal((await store.accounts.byUser(one))?.suspended, true)
    await accepted(store, one, { op: 'account.flags', user: one, deactivated: true })
    await accepted(store, one, { op: 'profile.put', user: one, fields: '{}' })
    assert.deepEqual(await find('bela', { showLocked: true }), [])
  })

  it('knows users of other servers by their member events', async () => {
    const { store } = bench()
    const me = user('me')
    const far = `@${fresh('far')}:away.example`
    await accepted(store, me, account(me), profile(me, 'Me'))
    await accepted(store, far, { op: 'directory.remote', user: far, displayName: 'Faraway', avatarUrl: null })
    const { room, lane } = await newRoom(store)
    await member(store, room, far)
    assert.deepEqual(ids(await search(store, me, 'faraway')), [])
    await member(store, room, me)
    assert.deepEqual(ids(await search(store, me, 'faraway')), [far])
    assert.deepEqual(ids(await search(store, me, 'faraway', { localOnly: true })), [])
    assert.deepEqual((await store.people.mutualRooms(me, far, '', 10)).rooms, [lane])
    await member(store, room, far, 'leave')
    assert.deepEqual(ids(await search(store, me, 'faraway')), [])
    assert.deepEqual((await store.people.mutualRooms(me, far, '', 10)).rooms, [])
  })

  it('says when there are more, puts local people first when asked', async () => {
    const { store } = bench()
    const names = Array.from({ length: 5 }, () => user('ottokar'))
    for (const name of names) await accepted(store, name, account(name), profile(name, 'Ottokar'))
    const far = `@${fresh('ottokar')}:away.example`
    await accepted(store, far, {
      op: 'directory.remote',
      user: far,
      displayName: 'Ottokar',
      avatarUrl: 'mxc://a/b',
    })
    const page = await search(store, '@x:contract.example', 'ottokar', { all: true, limit: 3 })
    assert.equal(page.people.length, 3)
    assert.ok(page.limited)
    assert.equal(page.people[0]?.userId, far, 'who has a face comes first')
    const local = await search(store, '@x:contract.example', 'ottokar', { all: true, localFirst: true })
    assert.equal(local.people.at(-1)?.userId, far)
    assert.equal(local.limited, false)
    assert.ok(!ids(await search(store, names[0]!, 'ottokar', { all: true })).includes(names[0]!))
  })

  it('is built anew from what the store knows', async () => {
    const { store } = bench()
    const [me, one] = [user('me'), user('rebuilt')]
    await accepted(store, one, account(one), profile(one, 'Xerxes'))
    const { room } = await newRoom(store)
    await member(store, room, one)
    const type = 'm.room.join_rules'
    const json = JSON.stringify({ type, content: { join_rule: 'public' } })
    await accepted(store, 'l', insert({ room, type, stateKey: '', json }), {
      op: 'state.change',
      room,
      branch: 0,
      changes: [{ type, stateKey: '', event: { slot: 0 } }],
    })
    await accepted(store, one, { op: 'directory.remote', user: one, displayName: 'Wrong', avatarUrl: null })
    assert.equal(await store.people.visible(me, one), false)
    const walk = async (op: (after: string | number) => Op, from: string | number): Promise<void> => {
      let after: string | number | null = from
      while (after !== null)
        after = (await accepted(store, 'l', op(after))).results[0] as string | number | null
    }
    await walk((after) => ({ op: 'directory.reindex', after: after as string, limit: 2 }), '')
    await walk((after) => ({ op: 'directory.reindex_rooms', after: after as number, limit: 2 }), 0)
    assert.deepEqual(ids(await search(store, me, 'xerxes')), [one])
    assert.deepEqual(ids(await search(store, me, 'wrong')), [])
    await accepted(store, 'l', { op: 'directory.built', version: 5 })
    assert.equal(await store.people.directoryVersion(), 5)
  })

  it('pages through shared rooms', async () => {
    const { store } = bench()
    const [me, other] = [user('me'), user('other')]
    const lanes: string[] = []
    for (let n = 0; n < 5; n++) {
      const { room, lane } = await newRoom(store)
      lanes.push(lane)
      await member(store, room, me)
      await member(store, room, other)
    }
    lanes.sort()
    const first = await store.people.mutualRooms(me, other, '', 2)
    assert.deepEqual(first, { rooms: lanes.slice(0, 2), more: true, count: 5 })
    const last = await store.people.mutualRooms(me, other, lanes[3]!, 2)
    assert.deepEqual(last, { rooms: lanes.slice(4), more: false, count: 5 })
    assert.deepEqual(await store.people.mutualRooms(me, '@nobody:x', '', 2), {
      rooms: [],
      more: false,
      count: 0,
    })
  })

  it('keeps OpenID tokens for their time, and no more than asked', async () => {
    const { store } = bench()
    const name = user()
    const digests = Array.from({ length: 4 }, () => fresh('openid'))
    await accepted(store, name, account(name))
    for (const [n, digest] of digests.entries()) {
      await accepted(store, name, { op: 'openid.put', digest, user: name, expiresTs: 100 + n, most: 3 })
    }
    const found = async (now: number) =>
      Promise.all(digests.map((digest) => store.people.openid(digest, now)))
    assert.deepEqual(await found(50), [undefined, name, name, name])
    assert.deepEqual(await found(102), [undefined, undefined, undefined, name])
    await accepted(store, 'sweep', { op: 'job.sweep', now: 103, limit: 10 })
    assert.deepEqual(await found(50), [undefined, undefined, undefined, name])
    await accepted(store, name, { op: 'account.flags', user: name, deactivated: true })
    assert.deepEqual(await found(50), [undefined, undefined, undefined, undefined])
  })

  it('notes last uses, and lets the device used longest ago go when there are too many', async () => {
    const { store } = bench()
    const name = user()
    await accepted(store, name, account(name))
    const put = (device: string, ts: number): Op => ({
      op: 'device.put',
      user: name,
      device,
      displayName: null,
      ts,
      most: 3,
    })
    for (const [n, device] of ['A', 'B', 'C'].entries()) await accepted(store, name, put(device, n + 1))
    const seen = { user: name, device: 'A', ts: 90, ip: '192.0.2.1', agent: 'client/1' }
    await accepted(store, name, { op: 'device.seen', devices: [seen, { ...seen, device: 'gone' }] })
    await accepted(store, name, { op: 'device.seen', devices: [{ ...seen, ts: 80, ip: 'older' }] })
    const row = await store.accounts.device(name, 'A')
    assert.deepEqual([row?.seenTs, row?.seenIp, row?.seenAgent], [90, '192.0.2.1', 'client/1'])
    await accepted(store, name, put('D', 4))
    const left = async () => (await store.accounts.devices(name)).map(({ device }) => device)
    assert.deepEqual(await left(), ['A', 'C', 'D'])
    await accepted(store, name, put('D', 5))
    assert.deepEqual(await left(), ['A', 'C', 'D'])
  })

  it('tells of deleted account data once, and counts what there is', async () => {
    const { store } = bench()
    const name = user()
    const put: Op = { op: 'account_data.put', user: name, room: 0, type: 'a', content: '{"x":"é"}' }
    const gone: Op = { op: 'account_data.delete', user: name, room: 0, type: 'a' }
    const { position } = await accepted(store, name, put)
    assert.deepEqual(await store.accountData.size(name), { items: 1, bytes: 10 })
    assert.equal((await accepted(store, name, gone)).results[0], true)
    assert.equal((await accepted(store, name, gone)).results[0], false)
    assert.equal(await store.accountData.get(name, 0, 'a'), undefined)
    const upto = store.position()
    assert.deepEqual(await store.accountData.since(name, 0, upto), [])
    const told = await store.accountData.since(name, position, upto)
    assert.deepEqual(
      told.map(({ type, content }) => [type, content]),
      [['a', '{}']],
    )
    await accepted(store, name, put)
    assert.equal((await store.accountData.get(name, 0, 'a'))?.content, '{"x":"é"}')
    await accepted(store, name, gone, { op: 'account_data.purge', user: name })
    assert.deepEqual(await store.accountData.size(name), { items: 0, bytes: 0 })
  })
})

onEveryEngine('a look at the directories', (bench) => {
  it('mends every person of a page in one plan', async () => {
    const { store } = bench()
    const names = Array.from({ length: 5 }, (_, i) => user(`mended-${i}`))
    for (const name of names) {
      const wrong: Op = { op: 'directory.remote', user: name, displayName: 'Wrong', avatarUrl: null }
      await accepted(store, name, account(name), { op: 'profile.put', user: name, fields: '{}' }, wrong)
    }
    const op: Op = { op: 'directory.check', part: 'users', after: '', limit: 1000, repair: true }
    const { results } = await accepted(store, 'directory', op)
    assert.ok((results[0] as DirectoryCheck).wrong.length >= names.length)
  })

  it('names and mends what is not as the account has it', async () => {
    const { store } = bench()
    const name = user('looked-at')
    await accepted(store, name, account(name), {
      op: 'profile.put',
      user: name,
      fields: '{"displayname":"Right"}',
    })
    await accepted(store, name, { op: 'directory.remote', user: name, displayName: 'Wrong', avatarUrl: null })
    const look = async (part: 'users' | 'terms' | 'rooms', repair: boolean): Promise<string[]> => {
      const wrong: string[] = []
      for (let after: string | null = ''; after !== null; ) {
        const op: Op = { op: 'directory.check', part, after, limit: 3, repair }
        const { results } = await accepted(store, 'directory', op)
        const page = results[0] as DirectoryCheck
        assert.ok(page.rows <= 3)
        wrong.push(...page.wrong)
        after = page.next
      }
      return wrong.filter((text) => text.startsWith(`${name}:`))
    }
    assert.deepEqual(await look('users', false), [`${name}: is listed by another name`])
    assert.equal((await look('users', true)).length, 1)
    assert.deepEqual(await look('users', false), [])
    assert.deepEqual(await look('terms', true), [])
    await look('rooms', true)
  })
})
