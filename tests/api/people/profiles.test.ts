import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ServerOptions } from '#/app/server-options.ts'
import type { ApiClient } from '../../support/api-client.ts'
import { covers } from '../../support/covers.ts'
import { createRoom, getState, invite, join, leave, roomOf, V3 } from '../../support/room-calls.ts'
import type { TestServerOptions } from '../../support/test-server.ts'
import { withServer } from './people.ts'

covers(
  'GET /_matrix/client/v3/profile/{userId}',
  'GET /_matrix/client/v3/profile/{userId}/{keyName}',
  'PUT /_matrix/client/v3/profile/{userId}/{keyName}',
)

function profile(change: Partial<ServerOptions['accounts']['profile']>): TestServerOptions {
  return {
    configure: (plain) => ({
      ...plain,
      accounts: { ...plain.accounts, profile: { ...plain.accounts.profile, ...change } },
    }),
  }
}

const paths = (who: ApiClient): string[] => [
  `${V3}/profile/${who.userId}`,
  `${V3}/profile/${who.userId}/displayname`,
]

test('require_auth_for_profile_requests: only with a token', () =>
  withServer(profile({ requireAuth: true }), async (server) => {
    const [user, other] = [await server.user('user'), await server.user('other')]
    for (const path of paths(user)) {
      await server.anonymous().refused('401 M_MISSING_TOKEN', 'GET', path)
      await other.get(path)
      const bad = server.anonymous()
      bad.token = 'nonsense'
      await bad.refused('401 M_UNKNOWN_TOKEN', 'GET', path)
    }
  }))

test('limit_profile_requests_to_users_who_share_rooms: only who shares a room', () =>
  withServer(profile({ requireAuth: true, sharedRoomsOnly: true }), async (server) => {
    const [user, other] = [await server.user('user'), await server.user('other')]
    const room = await createRoom(user)
    for (const path of paths(user)) {
      await server.anonymous().refused('401 M_MISSING_TOKEN', 'GET', path)
      await other.refused('403 M_FORBIDDEN', 'GET', path)
      await user.get(path)
    }
    await other.refused('403 M_FORBIDDEN', 'GET', `${V3}/profile/@nobody:test.example`)
    await invite(user, room, other)
    await other.refused('403 M_FORBIDDEN', 'GET', paths(user)[0]!)
    await join(other, room)
    for (const path of paths(user)) await other.get(path)
    await leave(other, room)
    await other.refused('403 M_FORBIDDEN', 'GET', paths(user)[0]!)
  }))

test('profile fields under their unstable path', () =>
  withServer({}, async (server) => {
    const [user, other] = [await server.user('user'), await server.user('other')]
    const unstable = `/_matrix/client/unstable/uk.tcpip.msc4133/profile/${user.userId}`
    await user.put(`${unstable}/m.tz`, { 'm.tz': 'Europe/Vienna' })
    assert.deepEqual(await user.get(`${V3}/profile/${user.userId}/m.tz`), { 'm.tz': 'Europe/Vienna' })
    assert.equal((await user.get(unstable))['m.tz'], 'Europe/Vienna')
    await other.refused('403 M_FORBIDDEN', 'PUT', `${V3}/profile/${user.userId}/m.tz`, { 'm.tz': 'UTC' })
    await user.refused('400 M_INVALID_PARAM', 'PUT', `${V3}/profile/${user.userId}/m.tz`, { 'm.tz': 5 })
    const { capabilities } = await user.get(`${V3}/capabilities`)
    assert.deepEqual(capabilities['uk.tcpip.msc4133.profile_fields'], { enabled: true })
  }))

test('a new name reaches the rooms, a new field does not', () =>
  withServer({}, async (server) => {
    const [user, other] = [await server.user('user'), await server.user('other')]
    const room = await roomOf([other, user])
    const member = () => getState(other, room, 'm.room.member', user.userId)
    await user.put(`${V3}/profile/${user.userId}/org.example.x`, { 'org.example.x': 1 })
    await user.put(`${V3}/profile/${user.userId}/displayname`, { displayname: 'New' })
    for (let n = 0; n < 200 && (await member()).displayname !== 'New'; n++) {
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    assert.deepEqual(await member(), { membership: 'join', displayname: 'New' })
  }))
