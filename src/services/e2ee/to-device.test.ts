import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Op, Plan } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import { type Addressed, ToDeviceService } from './to-device.ts'

type Put = Extract<Op, { op: 'to_device.put' }>

/** A service whose plans are looked at. */
function service(outside?: (messages: readonly Addressed[]) => Op[]) {
  const plans: Plan[] = []
  const commit = async (plan: Plan) => {
    plans.push(plan)
    return { ok: true, results: [], position: 1 }
  }
  const toDevice = new ToDeviceService({
    store: { commit } as unknown as Store,
    clock: { now: () => 7 } as never,
    serverName: 'here.test' as ServerName,
    given: { of: () => ({ floor: 3, devices: new Map([['D', 5]]) }), hold: () => {} },
    ...(outside
      ? { outside: (_sender: string, _type: string, messages: readonly Addressed[]) => outside(messages) }
      : {}),
  })
  const last = (): Put => plans.at(-1)!.ops[0] as Put
  return { toDevice, plans, last }
}

const to = (user: string, device: string, content = '{}'): Addressed => ({ user, device, content })
const SENDER = { userId: '@s:here.test', deviceId: 'S' }

test('equal contents are one message, and `*` stands for all devices of its user', async () => {
  const { toDevice, last } = service()
  const [a, b] = ['@a:here.test', '@b:here.test']
  await toDevice.send(SENDER, 't', 'x', [
    to(a, 'A'),
    to(a, '*', '1'),
    to(b, 'B'),
    to(b, 'C'),
    to(b, 'D', '1'),
  ])
  assert.deepEqual(
    last().messages.map(({ content, devices, users }) => ({ content, devices, users })),
    [
      { content: '1', devices: [{ user: b, device: 'D' }], users: [a] },
      {
        content: '{}',
        devices: [
          { user: b, device: 'B' },
          { user: b, device: 'C' },
        ],
        users: [],
      },
    ],
  )
})

test('a transaction is told apart by user, device, type and id', async () => {
  const { toDevice, last } = service()
  const txns = new Set<string | undefined>()
  const senders = [SENDER, { ...SENDER, deviceId: 'T' }, { ...SENDER, userId: '@t:here.test' }]
  for (const sender of senders) {
    for (const type of ['t', 'u']) {
      for (const id of ['1', '2']) {
        await toDevice.send(sender, type, id, [])
        txns.add(last().txn)
      }
    }
  }
  assert.equal(txns.size, 12)
  await toDevice.send(SENDER, 't', '1', [])
  assert.ok(txns.has(last().txn))
})

test('messages to users of other servers go along in the same plan', async () => {
  const seen: string[] = []
  const { toDevice, plans, last } = service((messages) => {
    seen.push(...messages.map(({ user }) => user))
    return [{ op: 'job.done', kind: 'k', key: 'k' }]
  })
  await toDevice.send(SENDER, 't', '1', [to('@a:here.test', 'A'), to('@f:far.test', '*')])
  assert.deepEqual(seen, ['@f:far.test'])
  assert.equal(plans.at(-1)!.ops.length, 2)
  assert.equal(last().messages.length, 1)
})

test('§5.12 an id of another server is taken once per server, and only for users here', async () => {
  const { toDevice, last } = service()
  const messages = [to('@a:here.test', 'A'), to('@f:far.test', 'F')]
  await toDevice.receive('far.test' as ServerName, 'id', '@f:far.test', 't', messages)
  const first = last()
  assert.deepEqual([first.sender, first.type, first.messages.length], ['@f:far.test', 't', 1])
  await toDevice.receive('far.test' as ServerName, 'id', '@g:far.test', 'u', messages)
  assert.equal(last().txn, first.txn)
  await toDevice.receive('other.test' as ServerName, 'id', '@g:other.test', 'u', messages)
  assert.notEqual(last().txn, first.txn)
})

test('a cancellation says what its devices may have been given', async () => {
  const { toDevice, last } = service()
  const request = { device: 'S', id: 'r', cancels: false }
  await toDevice.send(SENDER, 'm.room_key_request', '1', [{ ...to('@a:here.test', '*'), request }])
  const asked = last().messages[0]!
  await toDevice.send(SENDER, 'm.room_key_request', '2', [
    { ...to('@a:here.test', '*'), request: { ...request, cancels: true } },
  ])
  const taken = last().messages[0]!
  assert.equal(taken.request, asked.request)
  assert.equal(asked.cancels, undefined)
  assert.deepEqual(taken.cancels, { floor: 3, given: [{ user: '@a:here.test', device: 'D', upto: 5 }] })
})
