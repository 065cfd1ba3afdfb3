import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { LEAVE_ALL_KIND, leaveAllHandler } from './leave-all.ts'
import type { MembershipChange, MembershipService } from './membership.ts'

const JOB = { kind: LEAVE_ALL_KIND, key: '@gone:x', dueTs: 0, data: '{}' } as const

/** Rooms that are left, and what stands in the way of leaving one. */
function leaving(obstacle: MatrixError | undefined): { left: string[]; run: () => Promise<unknown> } {
  const left: string[] = []
  const rows = ['!a', '!b', '!c'].map((roomId) => ({ roomId, membership: 'join' }))
  const store = { rooms: { membershipsOf: async () => rows } } as unknown as Store
  const change = async ({ roomId }: MembershipChange): Promise<string> => {
    if (roomId === '!b' && obstacle) throw obstacle
    left.push(roomId)
    return '$left'
  }
  const membership = { change } as unknown as MembershipService
  const handler = leaveAllHandler({ store, membership })
  return { left, run: async () => handler(JOB as never) }
}

test('a room that cannot be left keeps nobody from leaving the others', async () => {
  const { left, run } = leaving(new MatrixError('M_FORBIDDEN', 'no'))
  await run()
  assert.deepEqual(left, ['!a', '!c'])
})

test('a room that was too busy is tried again with the job', async () => {
  const { run } = leaving(new MatrixError('M_LIMIT_EXCEEDED', 'busy', { retry_after_ms: 1 }))
  await assert.rejects(run(), { errcode: 'M_LIMIT_EXCEEDED' })
})
