/** Redacting an event together with what relates to it, as a durable job. MSC3912. */
import { type Clock, turn } from '#/base/world.ts'
import type { Op } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { relationOf } from '#/protocol/event/relation.ts'
import type { EventId } from '#/protocol/ids/event-id.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import type { JobHandler } from '../jobs/scheduler.ts'
import { REDACT_RELATED_MAX, REDACT_RELATED_PAGE } from './limits.ts'
import { behind } from './read/places.ts'
import type { SendService } from './send.ts'

export const REDACT_RELATED_KIND = 'rooms.redact_related'

/** What is to be redacted besides, and by whom. */
export interface RelatedRedaction {
  readonly roomId: string
  readonly target: string
  readonly sender: UserId
  /** Kinds of relations; `*` stands for all. */
  readonly relTypes: readonly string[]
  /** Content of the redactions. */
  readonly content: JsonObject
}

/** The operation that plans it; it belongs into the plan of the redaction, whose event id is the key. */
export function redactRelatedOp(redaction: string, work: RelatedRedaction, now: number): Op {
  const data = JSON.stringify(work)
  return { op: 'job.put', kind: REDACT_RELATED_KIND, key: redaction, dueTs: now, data }
}

/** Redacts what relates to the target, as far as the sender may; running twice redacts nothing twice. */
export function redactRelatedHandler(deps: { store: Store; send: SendService; clock: Clock }): JobHandler {
  const { store, send, clock } = deps
  return async (job) => {
    const { roomId, target, sender, relTypes, content } = JSON.parse(job.data) as RelatedRedaction
    const room = (await store.rooms.byId(roomId))?.nid
    if (room === undefined) return undefined
    const page = { room, target, dir: 'f', limit: REDACT_RELATED_PAGE } as const
    /* Who is suspended takes back their own events alone, also those that hang on it. */
    const ownOnly = (await store.accounts.byUser(sender))?.suspended ?? false
    const from = { userId: sender, deviceId: '', ownOnly }
    let at: { depth: number; arrival: number } | undefined
    for (let looked = 0; looked < REDACT_RELATED_MAX; looked += REDACT_RELATED_PAGE) {
      const rows = await store.relations.page({ ...page, from: at })
      for (const row of rows) {
        if (!relTypes.includes('*') && !relTypes.includes(relTypeOf(row.json) ?? '')) continue
        const transaction = { scope: `redact_related/${job.key}`, txnId: row.eventId }
        try {
          await send.redact(from, roomId, row.eventId as EventId, content, transaction)
        } catch (error) {
          /* What the sender may not redact stays. */
          if (!(error instanceof MatrixError) || error.errcode === 'M_LIMIT_EXCEEDED') throw error
        }
        await turn(clock)
      }
      const last = rows.at(-1)
      if (!last || rows.length < REDACT_RELATED_PAGE) break
      at = behind(last)
    }
    return undefined
  }
}

function relTypeOf(json: string): string | undefined {
  const { content } = JSON.parse(json) as { content: JsonObject }
  return relationOf(content)?.relType
}
