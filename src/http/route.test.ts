import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RoomId } from '#/protocol/ids/room-id.ts'
import { parseRoomId } from '#/protocol/ids/room-id.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import type { Requester } from './requester.ts'
import { route } from './route.ts'
import { t } from './schema.ts'

/** Compiles only when both types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <T extends true>(): T | undefined => undefined

test('adv-27 types of a call follow from the declaration', () => {
  const declared = route({
    method: 'PUT',
    path: '/_matrix/client/v3/rooms/:roomId/state/:eventType/:stateKey',
    spec: 'client-server-api/#x',
    auth: 'optional',
    limit: 'service',
    params: { roomId: parseRoomId },
    query: t.object({ limit: t.opt(t.int(0, 100)), dir: t.oneOf('f', 'b') }),
    body: t.object({ reason: t.opt(t.text()), users: t.array(t.userId) }),
    handle({ who, params, query, body }) {
      same<Same<typeof who, Requester | undefined>>()
      same<
        Same<
          typeof params,
          { readonly roomId: RoomId; readonly eventType: string; readonly stateKey: string }
        >
      >()
      same<Same<typeof query, { limit?: number; dir: 'f' | 'b' }>>()
      same<Same<typeof body.reason, string | undefined>>()
      return {}
    },
  })
  assert.equal(declared.method, 'PUT')
  route({
    method: 'GET',
    path: '/x/:a/*',
    spec: 'own',
    auth: 'none',
    limit: 'none',
    body: 'event',
    async handle({ who, params, query, body }) {
      same<Same<typeof who, undefined>>()
      same<Same<typeof params, { readonly a: string; readonly '*': string }>>()
      same<Same<typeof query, undefined>>()
      same<Same<typeof body, JsonObject>>()
      return {}
    },
  })
})
