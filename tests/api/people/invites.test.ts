import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ApiClient, Json } from '../../support/api-client.ts'
import { createRoom, getState, inRoom, invite, join, sync, V3 } from '../../support/room-calls.ts'
import { SlidingLoop, sliding } from '../../support/sliding-calls.ts'
import { administrator, people, withServer } from './people.ts'

const setData = (who: ApiClient, type: string, content: Json): Promise<Json> =>
  who.put(`${V3}/user/${who.userId}/account_data/${type}`, content)

const invites = async (who: ApiClient): Promise<string[]> =>
  Object.keys((await sync(who, {}, { events: false })).rooms?.invite ?? {})

test('whoever blocks invites gets none, by whatever request', () =>
  withServer({}, async (server) => {
    const [me, other] = [await server.user('me'), await server.user('other')]
    const before = await createRoom(other)
    await invite(other, before, me)
    assert.deepEqual(await invites(me), [before])
    await setData(me, 'm.invite_permission_config', { default_action: 'block' })
    assert.deepEqual(await invites(me), [], 'one from before is not shown')
    const room = await createRoom(other)
    const blocked = '403 M_INVITE_BLOCKED'
    const member = { type: 'm.room.member', state_key: me.userId, content: { membership: 'invite' } }
    await other.refused(blocked, 'POST', inRoom(room, 'invite'), { user_id: me.userId })
    await other.refused(blocked, 'PUT', inRoom(room, 'state', 'm.room.member', me.userId), {
      membership: 'invite',
    })
    await other.refused(blocked, 'POST', `${V3}/createRoom`, { invite: [me.userId] })
    await other.refused(blocked, 'POST', `${V3}/createRoom`, { initial_state: [member] })
    assert.equal((await getState(other, before, 'm.room.member', me.userId)).membership, 'invite')
    for (const content of [{}, { default_action: 'allow' }, { default_action: 1 }]) {
      await setData(me, 'm.invite_permission_config', content)
      const next = await createRoom(other, { invite: [me.userId] })
      assert.deepEqual((await invites(me)).includes(next), true)
    }
  }))

test('MSC4155 rules by user and server: refused, hidden, and shown as an exception', () =>
  withServer(people({ inviteRules: true }), async (server) => {
    const me = await server.user('me')
    const [friend, bore, pest] = [
      await server.user('friend'),
      await server.user('bore'),
      await server.user('pest'),
    ]
    const rules = {
      allowed_users: [friend.userId.toUpperCase()],
      ignored_users: ['@bo?e*', 7, ''],
      blocked_servers: ['test.exam*'],
    }
    await setData(me, 'org.matrix.msc4155.invite_permission_config', rules)
    await pest.refused('403 M_INVITE_BLOCKED', 'POST', `${V3}/createRoom`, { invite: [me.userId] })
    const hidden = await createRoom(bore, { invite: [me.userId] })
    const shown = await createRoom(friend, { invite: [me.userId] })
    assert.deepEqual(await invites(me), [shown])
    const loop = new SlidingLoop(me)
    assert.deepEqual(Object.keys((await loop.next()).rooms), [shown])
    await setData(me, 'org.matrix.msc4155.invite_permission_config', {})
    assert.deepEqual(Object.keys((await loop.next()).rooms), [hidden])
    const many = Array.from({ length: 1001 }, (_, n) => `*${n}`)
    await me.refused(
      '400 M_BAD_JSON',
      'PUT',
      `${V3}/user/${me.userId}/account_data/org.matrix.msc4155.invite_permission_config`,
      { blocked_users: many },
    )
    await setData(me, 'm.invite_permission_config', { default_action: 'block' })
    await friend.refused('403 M_INVITE_BLOCKED', 'POST', `${V3}/createRoom`, { invite: [me.userId] })
  }))

test('MSC4155 is off where the operator has not switched it on', () =>
  withServer({}, async (server) => {
    const [me, other] = [await server.user('me'), await server.user('other')]
    await setData(me, 'org.matrix.msc4155.invite_permission_config', { blocked_servers: ['*'] })
    const room = await createRoom(other, { invite: [me.userId] })
    assert.deepEqual(await invites(me), [room])
  }))

test('whoever blocks invites is shown none in sliding sync, and all again afterwards', () =>
  withServer({}, async (server) => {
    const [me, other] = [await server.user('me'), await server.user('other')]
    const room = await createRoom(other, { invite: [me.userId] })
    const loop = new SlidingLoop(me)
    const listed = async (): Promise<[string[], number]> => {
      const { rooms, lists } = await loop.next()
      return [Object.keys(rooms), lists.all.count]
    }
    assert.deepEqual(await listed(), [[room], 1])
    await setData(me, 'm.invite_permission_config', { default_action: 'block' })
    assert.deepEqual(await listed(), [[], 0])
    const subscribed = await sliding(me, {
      conn_id: 'other',
      room_subscriptions: { [room]: { timeline_limit: 1, required_state: [] } },
    })
    assert.deepEqual(subscribed.rooms, {})
    await setData(me, 'm.invite_permission_config', {})
    assert.equal((await listed())[1], 1)
  }))

test('invites of somebody ignored are never seen', () =>
  withServer({}, async (server) => {
    const [me, other, third] = [
      await server.user('me'),
      await server.user('other'),
      await server.user('third'),
    ]
    await setData(me, 'm.ignored_user_list', { ignored_users: { [other.userId]: {} } })
    const { next_batch: since } = await sync(me)
    const hidden = await createRoom(other, { invite: [me.userId] })
    const seen = await createRoom(third, { invite: [me.userId] })
    const news = await sync(me, { since })
    assert.deepEqual(Object.keys(news.rooms.invite), [seen])
    assert.deepEqual(await invites(me), [seen])
    await setData(me, 'm.ignored_user_list', { ignored_users: {} })
    assert.deepEqual((await invites(me)).sort(), [seen, hidden].sort())
    await setData(me, 'm.ignored_user_list', { ignored_users: 'nonsense' })
    assert.equal((await invites(me)).length, 2)
    await join(me, hidden)
  }))

test('block_non_admin_invites: administrators alone invite', () =>
  withServer(people({ onlyAdminsInvite: true }), async (server) => {
    const [admin, user, other] = [await administrator(server), await server.user('u'), await server.user('o')]
    const room = await createRoom(user, { preset: 'public_chat' })
    await user.refused('403 M_FORBIDDEN', 'POST', inRoom(room, 'invite'), { user_id: other.userId })
    await user.refused('403 M_FORBIDDEN', 'POST', `${V3}/createRoom`, { invite: [other.userId] })
    await createRoom(admin, { invite: [other.userId] })
    await join(other, room)
  }))

test('invites without profiles, and rooms without profiles of their own', () =>
  withServer(people({ profileRules: { onInvite: false, perRoom: false } }), async (server) => {
    const [user, other] = [await server.user('user'), await server.user('other')]
    const room = await createRoom(user, { invite: [other.userId] })
    assert.deepEqual(await getState(user, room, 'm.room.member', other.userId), { membership: 'invite' })
    await join(other, room)
    const { displayname } = await getState(user, room, 'm.room.member', other.userId)
    assert.ok(displayname.startsWith('other'))
    const own = { membership: 'join', displayname: 'Somebody else', 'org.example.more': 1 }
    await other.put(inRoom(room, 'state', 'm.room.member', other.userId), own)
    assert.deepEqual(await getState(user, room, 'm.room.member', other.userId), { ...own, displayname })
  }))
