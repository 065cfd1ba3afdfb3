/** Backups of room keys. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { BackupKeyRow, BackupPage, BackupPlace } from '#/ports/store/backups.ts'
import type { Op } from '#/ports/store/plan.ts'
import { backupKey, newBackup, putKeys } from '../support/e2ee-ops.ts'
import { onEveryEngine } from './engines.ts'
import { accepted, refused, user } from './plans.ts'

const START = ['', ''] as const
const MEMBERS = ['first_message_index', 'forwarded_count', 'is_verified', 'session_data']

onEveryEngine('backups', (bench) => {
  it('counts versions, never gives a number again, and keeps the newest', async () => {
    const { store } = bench()
    const a = user()
    assert.equal(await store.backups.last(a), 0)
    assert.equal(await store.backups.version(a), undefined)
    for (let i = 1; i <= 5; i++) assert.deepEqual((await accepted(store, a, newBackup(a))).results, [i])
    assert.equal(await store.backups.version(a, 2), undefined, 'three are kept')
    const row = { version: 5, algorithm: 'a', authData: '{"k":1}', count: 0, etag: 0 }
    assert.deepEqual(await store.backups.version(a), row)
    await accepted(store, a, { op: 'backup.update', user: a, version: 4, authData: '{"k":"é"}' })
    assert.equal((await store.backups.version(a, 4))?.authData, '{"k":"é"}')
    const gone = { conflict: 'gone' }
    assert.deepEqual(
      await refused(store, a, { op: 'backup.update', user: a, version: 2, authData: '{}' }),
      gone,
    )
    await accepted(store, a, { op: 'backup.delete', user: a, version: 5 })
    await accepted(store, a, { op: 'backup.delete', user: a, version: 5 })
    assert.equal((await store.backups.version(a))?.version, 4)
    assert.deepEqual(await refused(store, a, { op: 'backup.delete', user: a, version: 6 }), gone)
    assert.deepEqual(await refused(store, a, { op: 'backup.delete', user: user(), version: 1 }), gone)
    assert.deepEqual((await accepted(store, a, newBackup(a))).results, [6])
    assert.equal(await store.backups.last(a), 6)
  })

  it('keeps the better key: verified, then a lower index, then forwarded less often', async () => {
    const { store } = bench()
    const a = user()
    await accepted(store, a, newBackup(a))
    const put = async (more: Partial<BackupKeyRow>, etag: number) => {
      const { results } = await accepted(store, a, putKeys(a, 1, [backupKey('!r', 's', more)]))
      assert.deepEqual(results, [{ count: 1, etag }], JSON.stringify(more))
    }
    await put({ firstIndex: 5, forwarded: 5 }, 1)
    await put({ firstIndex: 5, forwarded: 5 }, 1)
    await put({ firstIndex: 6, forwarded: 0 }, 1)
    await put({ firstIndex: 5, forwarded: 4 }, 2)
    await put({ firstIndex: 4, forwarded: 9 }, 3)
    await put({ firstIndex: 9, forwarded: 9, verified: true }, 4)
    await put({ firstIndex: 1, forwarded: 1 }, 4)
    await put({ firstIndex: 8, forwarded: 9, verified: true, data: '"last"' }, 5)
    assert.deepEqual(await store.backups.key(a, 1, '!r', 's'), {
      ...backupKey('!r', 's'),
      firstIndex: 8,
      forwarded: 9,
      verified: true,
      data: '"last"',
    })
  })

  it('stores many keys, counts them, pages through them, deletes some or all', async () => {
    const { store } = bench()
    const a = user()
    await accepted(store, a, newBackup(a))
    const keys = Array.from({ length: 90 }, (_, i) => backupKey(`!${i % 3}`, `s${i}`))
    assert.deepEqual((await accepted(store, a, putKeys(a, 1, keys.slice(0, 77)))).results, [
      { count: 77, etag: 1 },
    ])
    assert.deepEqual((await accepted(store, a, putKeys(a, 1, keys.slice(40)))).results, [
      { count: 90, etag: 2 },
    ])
    assert.deepEqual((await accepted(store, a, putKeys(a, 1, keys))).results, [{ count: 90, etag: 2 }])
    const full = putKeys(
      a,
      1,
      Array.from({ length: 11 }, (_, i) => backupKey('!full', `${i}`)),
    )
    assert.deepEqual(await refused(store, a, full), { conflict: 'taken' })
    assert.deepEqual(await refused(store, a, putKeys(a, 2, keys)), { conflict: 'gone' })
    const all: string[] = []
    for (let place: BackupPlace | undefined = START; place; ) {
      const page: BackupPage = (await store.backups.keys(a, 1, null, place, 40))!
      for (const [room, text] of page.rooms) {
        const sessions = JSON.parse(`{${text}}`) as Record<string, object>
        all.push(...Object.keys(sessions).map((session) => `${room} ${session}`))
        assert.deepEqual(Object.keys(Object.values(sessions)[0]!), MEMBERS)
      }
      place = page.count < 40 ? undefined : page.last
    }
    assert.deepEqual(all, keys.map((key) => `${key.roomId} ${key.sessionId}`).sort())
    assert.equal((await store.backups.keys(a, 1, '!1', START, 100))?.count, 30)
    assert.deepEqual(await store.backups.keys(a, 1, '!no', START, 100), { rooms: [], count: 0 })
    assert.equal(await store.backups.keys(a, 2, null, START, 100), undefined)
    assert.equal(await store.backups.keys(user(), 1, null, START, 100), undefined)
    const drop = (more: object): Op => ({ op: 'backup.drop', user: a, version: 1, limit: 20, ...more })
    const of = async (more: object) => (await accepted(store, a, drop(more))).results[0]
    assert.deepEqual(await of({ roomId: '!0', sessionId: 's0' }), { count: 89, etag: 3, deleted: 1 })
    assert.deepEqual(await of({ roomId: '!0', sessionId: 's0' }), { count: 89, etag: 3, deleted: 0 })
    assert.deepEqual(await of({ roomId: '!0' }), { count: 69, etag: 4, deleted: 20 })
    assert.deepEqual(await of({ roomId: '!0' }), { count: 60, etag: 5, deleted: 9 })
    assert.deepEqual(await of({}), { count: 40, etag: 6, deleted: 20 })
    assert.deepEqual(await refused(store, a, { ...drop({}), version: 2 } as Op), { conflict: 'gone' })
    assert.equal(await store.backups.key(a, 1, '!0', 's3'), undefined)
  })

  it('takes everything of a user away, by the sweep', async () => {
    const { store, counts } = bench()
    const a = user()
    const before = await counts()
    await accepted(store, a, newBackup(a), putKeys(a, 1, [backupKey('!r', 's')]), newBackup(a))
    await accepted(store, a, { op: 'backup.clear', user: a })
    assert.equal(await store.backups.version(a), undefined)
    assert.equal(await store.backups.keys(a, 1, null, START, 10), undefined)
    await accepted(store, '', { op: 'job.sweep', now: 0, limit: 1000 })
    const after = await counts()
    for (const table of ['backup_users', 'backup_keys']) assert.equal(after[table], before[table], table)
    assert.ok(after['backup_versions']! <= before['backup_versions']!)
  })
})
