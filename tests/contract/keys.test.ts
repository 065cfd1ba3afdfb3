/** Keys: claimed once ever and in order, gone with their device, and device lists told to whom they concern. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { ClaimedKey, KeyOp, StoredKey } from '#/ports/store/keys.ts'
import type { Change, Op } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import { CLAIMED_KEYS_KEPT } from '#/storage/limits.ts'
import { onEveryEngine } from './engines.ts'
import { accepted, fresh, insert, newRoom, refused, user } from './plans.ts'

const CURVE = 'signed_curve25519'

const account = (name: string): Op => ({
  op: 'account.create',
  user: name,
  passwordHash: null,
  admin: false,
  guest: false,
  ts: 1,
})

const device = (name: string, id: string): Op => ({
  op: 'device.put',
  user: name,
  device: id,
  displayName: null,
  ts: 1,
})

const keysOf = (count: number, prefix = 'K'): StoredKey[] =>
  Array.from({ length: count }, (_, i) => ({
    algorithm: CURVE,
    keyId: `${prefix}${i}`,
    json: `{"key":"${prefix}${i}"}`,
  }))

const upload = (name: string, id: string, more: Partial<Extract<KeyOp, { op: 'keys.upload' }>> = {}): Op => ({
  op: 'keys.upload',
  user: name,
  device: id,
  oneTime: [],
  fallback: [],
  most: 1000,
  ...more,
})

const fallback: StoredKey = { algorithm: CURVE, keyId: 'F', json: '{"fallback":true,"key":"f"}' }

async function withDevice(store: Store, ...ids: string[]): Promise<string> {
  const name = user()
  await accepted(store, name, account(name), ...ids.map((id) => device(name, id)))
  return name
}

async function claim(store: Store, ...wishes: (readonly [string, string])[]): Promise<ClaimedKey[]> {
  const op: Op = {
    op: 'keys.claim',
    wishes: wishes.map(([name, id]) => ({ user: name, device: id, algorithm: CURVE })),
  }
  const { results } = await accepted(store, 'claims', op)
  return results[0] as ClaimedKey[]
}

/** Ids of the devices of a user that have keys. */
async function devicesOf(store: Store, name: string): Promise<string[]> {
  const [keys] = await store.keys.query([name])
  return Object.keys(JSON.parse(keys!.devices) as object).sort()
}

const join = (room: number, name: string, membership: 'join' | 'leave' = 'join'): Op[] => [
  insert({ room }),
  {
    op: 'room.membership',
    room,
    user: name,
    membership,
    event: { slot: 0 },
    sender: name,
    stripped: null,
  },
]

onEveryEngine('keys', (bench) => {
  it('counts what a device uploads, and takes the same key twice but not another under its id', async () => {
    const { store } = bench()
    const name = await withDevice(store, 'A')
    const [counts] = (await accepted(store, name, upload(name, 'A', { oneTime: keysOf(3) }))).results
    assert.deepEqual(counts, { [CURVE]: 3 })
    const again = await accepted(store, name, upload(name, 'A', { oneTime: keysOf(4) }))
    assert.deepEqual(again.results[0], { [CURVE]: 4 })
    const other = [{ ...keysOf(1)[0]!, json: '{"key":"other"}' }]
    const taken = await refused(store, name, upload(name, 'A', { oneTime: other }))
    assert.deepEqual(taken, { conflict: 'taken', value: `${CURVE}:K0` })
    const full = await refused(store, name, upload(name, 'A', { oneTime: keysOf(9), most: 8 }))
    assert.equal(full.conflict, 'full')
    assert.equal((await refused(store, name, upload(name, 'B', { oneTime: keysOf(1) }))).conflict, 'gone')
    assert.deepEqual((await store.keys.state(name, 'A')).counts, { [CURVE]: 4 })
  })

  it('§5.12 claims in the order of uploading, then the fallback key, which stays and is marked', async () => {
    const { store } = bench()
    const name = await withDevice(store, 'A')
    await accepted(store, name, upload(name, 'A', { oneTime: keysOf(2, 'Z'), fallback: [fallback] }))
    await accepted(store, name, upload(name, 'A', { oneTime: keysOf(2, 'A') }))
    assert.deepEqual((await store.keys.state(name, 'A')).unusedFallbacks, [CURVE])
    const ids: string[] = []
    for (let i = 0; i < 6; i++) ids.push((await claim(store, [name, 'A']))[0]!.keyId)
    assert.deepEqual(ids, ['Z0', 'Z1', 'A0', 'A1', 'F', 'F'])
    assert.deepEqual(await store.keys.state(name, 'A'), { counts: {}, unusedFallbacks: [] })
    await accepted(store, name, upload(name, 'A', { fallback: [fallback] }))
    assert.deepEqual((await store.keys.state(name, 'A')).unusedFallbacks, [], 'the same key stays used')
    await accepted(store, name, upload(name, 'A', { fallback: [{ ...fallback, keyId: 'G' }] }))
    assert.deepEqual((await store.keys.state(name, 'A')).unusedFallbacks, [CURVE])
  })

  it('claims for 500 devices in one plan, each once; unknown ones are left out', async () => {
    const { store } = bench()
    const wishes: [string, string][] = []
    for (let i = 0; i < 50; i++) {
      const ids = Array.from({ length: 10 }, (_, n) => `D${n}`)
      const name = await withDevice(store, ...ids)
      await accepted(store, name, ...ids.map((id) => upload(name, id, { oneTime: keysOf(2) })))
      wishes.push(...ids.map((id): [string, string] => [name, id]))
    }
    wishes.push(['@nobody:x', 'D0'], [wishes[0]![0], 'NONE'])
    for (const expected of ['K0', 'K1']) {
      const claimed = await claim(store, ...wishes)
      assert.equal(claimed.length, 500)
      assert.equal(new Set(claimed.map(({ user: name, device: id }) => `${name} ${id}`)).size, 500)
      assert.deepEqual([...new Set(claimed.map(({ keyId }) => keyId))], [expected])
    }
    assert.deepEqual(await claim(store, ...wishes), [])
  })

  it('gives each of 100 keys once, ever, to 1000 claims at a time in many lanes', async () => {
    const { store } = bench()
    const ids = Array.from({ length: 10 }, (_, n) => `D${n}`)
    const name = await withDevice(store, ...ids)
    await accepted(store, name, ...ids.map((id) => upload(name, id, { oneTime: keysOf(10, `${id}-`) })))
    const wish = (n: number) => ({ user: name, device: ids[n % 10]!, algorithm: CURVE })
    const results = await Promise.all(
      Array.from({ length: 1000 }, (_, n) =>
        store.commit({ lane: fresh('claim'), ops: [{ op: 'keys.claim', wishes: [wish(n)] }] }),
      ),
    )
    const claimed = results.flatMap((result) => {
      assert.ok(result.ok, JSON.stringify(result))
      return result.results[0] as ClaimedKey[]
    })
    assert.equal(claimed.length, 100, 'none is lost')
    assert.equal(new Set(claimed.map(({ keyId }) => keyId)).size, 100, 'none is given twice')
    assert.deepEqual(await claim(store, [name, 'D0']), [])
  })

  it('gives a claimed key to nobody else, though its upload is repeated', async () => {
    const { store, counts } = bench()
    const name = await withDevice(store, 'A')
    const keys = keysOf(5)
    const before = (await counts())['claimed_keys']!
    await accepted(store, name, upload(name, 'A', { oneTime: keys }))
    for (const id of ['K0', 'K1']) assert.equal((await claim(store, [name, 'A']))[0]!.keyId, id)
    const [left] = (await accepted(store, name, upload(name, 'A', { oneTime: keysOf(6) }))).results
    assert.deepEqual(left, { [CURVE]: 4 }, 'three that wait, and a new one')
    for (const id of ['K2', 'K3', 'K4', 'K5']) assert.equal((await claim(store, [name, 'A']))[0]!.keyId, id)
    await accepted(store, name, upload(name, 'A', { oneTime: keysOf(6) }))
    assert.deepEqual(await claim(store, [name, 'A']), [])
    const other = [{ ...keys[0]!, json: '{"key":"of a device that began anew"}' }]
    await accepted(store, name, upload(name, 'A', { oneTime: other }))
    assert.deepEqual(
      (await claim(store, [name, 'A'])).map(({ json }) => json),
      other.map(({ json }) => json),
    )
    assert.equal((await counts())['claimed_keys'], before + 7)
  })

  it('remembers as many claimed keys of a device as one upload may bring', async () => {
    const { store, counts } = bench()
    const name = await withDevice(store, 'A')
    const before = (await counts())['claimed_keys']!
    const old = keysOf(CLAIMED_KEYS_KEPT + 20)
    await accepted(store, name, upload(name, 'A', { oneTime: old }))
    const op: Op = { op: 'keys.claim', wishes: [{ user: name, device: 'A', algorithm: CURVE }] }
    await accepted(store, 'claims', ...old.map(() => op))
    assert.equal((await counts())['claimed_keys'], before + old.length)
    await accepted(store, name, upload(name, 'A', { oneTime: keysOf(1, 'N') }))
    assert.equal((await counts())['claimed_keys'], before + CLAIMED_KEYS_KEPT)
    const [newest] = (await accepted(store, name, upload(name, 'A', { oneTime: old.slice(-100) }))).results
    assert.deepEqual(newest, { [CURVE]: 1 })
  })

  it('deletes keys with their device, and the rest with the account', async () => {
    const { store, counts } = bench()
    const tables = async () => {
      const all = await counts()
      return [
        'device_keys',
        'one_time_keys',
        'claimed_keys',
        'fallback_keys',
        'cross_signing_keys',
        'user_signatures',
      ].map((table) => all[table])
    }
    const before = await tables()
    const name = await withDevice(store, 'A', 'B', 'C')
    const keys = { body: '{"device_id":"A"}', signatures: '{}' }
    const all = { keys, oneTime: keysOf(3), fallback: [fallback] }
    await accepted(store, name, upload(name, 'A', all), upload(name, 'B', all), upload(name, 'C', all))
    const cross = { usage: 'master', publicKey: 'MASTER', body: '{}', signatures: '{}' } as const
    await accepted(store, name, { op: 'keys.cross_signing', user: name, keys: [cross] })
    await claim(store, [name, 'A'], [name, 'B'])
    const signature = { publicKey: 'x', keyId: 'ed25519:u', signature: 's' }
    await accepted(store, name, { op: 'keys.sign_user', signer: name, user: user(), ...signature })
    await accepted(store, name, { op: 'device.delete', user: name, devices: ['A'] })
    assert.deepEqual(await devicesOf(store, name), ['B', 'C'])
    assert.deepEqual(await claim(store, [name, 'A']), [])
    /* One more device than there may be: the one used longest ago goes. */
    await accepted(store, name, {
      op: 'device.put',
      user: name,
      device: 'Z',
      displayName: null,
      ts: 9,
      most: 2,
    })
    assert.equal((await devicesOf(store, name)).length, 1)
    await accepted(
      store,
      name,
      { op: 'account.flags', user: name, deactivated: true },
      { op: 'device.delete', user: name },
    )
    assert.deepEqual(await tables(), before)
  })

  it('refuses a cross-signing key named like a device, and forgets signatures of keys that go', async () => {
    const { store } = bench()
    const [name, other] = [await withDevice(store, 'A'), await withDevice(store, 'A')]
    const key = (usage: 'master' | 'user_signing', publicKey: string): Op => ({
      op: 'keys.cross_signing',
      user: name,
      keys: [{ usage, publicKey, body: `{"k":"${publicKey}"}`, signatures: '{}' }],
    })
    assert.equal((await refused(store, name, key('master', 'A'))).conflict, 'taken')
    await accepted(store, name, key('master', 'M1'), key('user_signing', 'U1'))
    const sign = (signer: string, of: string, publicKey: string, keyId: string): Op => ({
      op: 'keys.sign_user',
      signer,
      user: of,
      publicKey,
      keyId,
      signature: 's',
    })
    await accepted(store, name, sign(name, other, 'X', 'ed25519:U1'), sign(other, name, 'M1', 'ed25519:V'))
    const signed = async (signer: string, of: string) =>
      (await store.keys.signedBy(signer, [of])).map(({ publicKey }) => publicKey)
    assert.deepEqual(await signed(name, other), ['X'])
    assert.deepEqual(await signed(other, name), ['M1'])
    assert.deepEqual([await signed(name, name), await signed(other, other)], [[], []])
    await accepted(store, name, key('user_signing', 'U2'))
    assert.deepEqual(await signed(name, other), [])
    await accepted(store, name, key('master', 'M2'))
    assert.deepEqual(await signed(other, name), [])
    const stale: Op = { op: 'keys.sign', user: name, body: '{"k":"M1"}', signatures: '{}' }
    assert.equal((await refused(store, name, stale)).conflict, 'gone')
  })

  it('tells of a changed device list whoever shares a room, and of what a user signed that user alone', async () => {
    const { store } = bench()
    const { room, lane } = await newRoom(store)
    const [alice, bob, carol] = [await withDevice(store, 'A'), await withDevice(store, 'B'), user()]
    await accepted(store, carol, account(carol))
    await accepted(store, lane, ...join(room, alice))
    await accepted(store, lane, ...join(room, bob))
    const since = store.position()
    const changes: Change[] = []
    const stop = store.onChange((list) => changes.push(...list))
    await accepted(store, bob, { op: 'device.put', user: bob, device: 'B', displayName: 'New name', ts: 2 })
    stop()
    const told = changes.filter((change) => change.stream === 'device_lists')
    assert.deepEqual(
      told.map(({ user: name, rooms }) => [name, rooms]),
      [[bob, [room]]],
    )
    const changed = (viewer: string) => store.keys.changed(viewer, since, store.position())
    assert.deepEqual([await changed(alice), await changed(bob), await changed(carol)], [[bob], [bob], []])
    await accepted(store, carol, {
      op: 'keys.sign_user',
      signer: carol,
      user: alice,
      publicKey: 'p',
      keyId: 'ed25519:u',
      signature: 's',
    })
    assert.deepEqual([await changed(bob), await changed(carol)], [[bob], [alice]])
    assert.deepEqual(await store.keys.sharing(alice, [bob, carol], []), [bob])
    assert.deepEqual(await store.keys.sharing(alice, [bob, carol], [room]), [])
    await accepted(store, lane, ...join(room, bob, 'leave'))
    assert.deepEqual(await changed(alice), [])
    assert.deepEqual(await store.keys.sharing(alice, [bob], []), [])
  })

  it('gives the keys of 300 users as JSON texts, of those who are here', async () => {
    const { store } = bench()
    const ids = ['A', 'B "quoted"']
    const names: string[] = []
    for (let i = 0; i < 300; i++) names.push(await withDevice(store, ...ids, 'KEYLESS'))
    const keys = { body: '{"device_id":"x"}', signatures: '{"s":{}}' }
    await accepted(store, names[0]!, ...names.flatMap((name) => ids.map((id) => upload(name, id, { keys }))))
    const cross = (['master', 'self_signing', 'user_signing'] as const).map((usage) => {
      return { usage, publicKey: usage, body: `{"k":"${usage}"}`, signatures: '{}' }
    })
    await accepted(store, names[0]!, { op: 'keys.cross_signing', user: names[0]!, keys: cross })
    await accepted(store, names[1]!, {
      op: 'device.put',
      user: names[1]!,
      device: 'A',
      displayName: 'N',
      ts: 2,
    })
    const bare = await withDevice(store, 'A')
    const found = await store.keys.query([...names, bare, '@nobody:x', ...names])
    assert.deepEqual(found.map(({ user }) => user).sort(), [...names, bare].sort(), 'each once')
    const byName = new Map(found.map((row) => [row.user, row]))
    const expected = { device_id: 'x', signatures: { s: {} }, unsigned: {} }
    for (const name of names.slice(2)) {
      assert.deepEqual(JSON.parse(byName.get(name)!.devices), { [ids[0]!]: expected, [ids[1]!]: expected })
    }
    const named = { device_id: 'x', signatures: { s: {} }, unsigned: { device_display_name: 'N' } }
    assert.deepEqual(JSON.parse(byName.get(names[1]!)!.devices)['A'], named)
    assert.deepEqual(byName.get(bare), { user: bare, devices: '{}' })
    const { master, selfSigning, userSigning } = byName.get(names[0]!)!
    assert.deepEqual(
      [master?.publicKey, selfSigning, userSigning],
      ['master', '{"k":"self_signing"}', '{"k":"user_signing"}'],
    )
  })

  it('tells of devices that make place for one that logs in again', async () => {
    const { store } = bench()
    const name = await withDevice(store, 'A', 'B', 'C')
    const changes: Change[] = []
    const stop = store.onChange((list) => changes.push(...list))
    const op = { op: 'device.put', user: name, device: 'A', displayName: null, ts: 2 } as const
    await accepted(store, name, op)
    assert.ok(!changes.some(({ stream }) => stream === 'device_lists'))
    await accepted(store, name, { ...op, most: 2 })
    stop()
    assert.ok(changes.some(({ stream, user: who }) => stream === 'device_lists' && who === name))
  })

  it('finds devices that were not used since a time', async () => {
    const { store } = bench()
    const name = user('stale')
    await accepted(
      store,
      name,
      account(name),
      { op: 'device.put', user: name, device: 'OLD', displayName: null, ts: -9 },
      { op: 'device.put', user: name, device: 'USED', displayName: null, ts: -9 },
      { op: 'device.seen', devices: [{ user: name, device: 'USED', ts: 5, ip: '', agent: null }] },
    )
    assert.deepEqual(await store.keys.staleDevices(0, 10), [{ user: name, device: 'OLD' }])
  })
})
