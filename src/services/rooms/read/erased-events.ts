/**
 * What erased users have sent, for readers who were not in the room then: "any users which join the room after the
 * erasure request are served redacted copies".
 * https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3accountdeactivate
 */
import type { EventRow } from '#/ports/store/events.ts'
import type { Store } from '#/ports/store/store.ts'
import { redact } from '#/protocol/event/redact.ts'
import { canonicalJson } from '#/protocol/json/canonical.ts'
import type { RoomVersionRules } from '#/protocol/room-version/rules.ts'
import { pduOfRow } from '../stored-event.ts'
import { membershipsAt } from './visibility.ts'

const FORMS = new WeakSet<EventRow>()

/** Whether a row is a redacted form made here, of which what came before is not told either. */
export function isErasedForm(row: EventRow): boolean {
  return FORMS.has(row)
}

/**
 * The rows, with redacted forms in the place of those that were sent by `erased` users while the reader was not in the
 * room. Where nobody says what the reader's membership was, it is looked up. Messages and member events alone become so:
 * other state is the room's and not only its sender's, and a client that syncs holds what the timeline says for true.
 */
export async function withoutErased(
  store: Store,
  erased: ReadonlySet<string>,
  rows: readonly EventRow[],
  userId: string,
  options: { rules: RoomVersionRules; membershipAt?: (row: EventRow) => string | undefined },
): Promise<readonly EventRow[]> {
  const { rules } = options
  const membershipAt = options.membershipAt ?? (await lookedUp(store, erased, rows, userId, rules))
  return rows.map((row) =>
    !erased.has(row.sender) || !isPersonal(row) || row.sender === userId || membershipAt(row) === 'join'
      ? row
      : redactedForm(row, rules),
  )
}

async function lookedUp(
  store: Store,
  erased: ReadonlySet<string>,
  rows: readonly EventRow[],
  userId: string,
  rules: RoomVersionRules,
): Promise<(row: EventRow) => string | undefined> {
  const personal = rows.filter((row) => isPersonal(row) && erased.has(row.sender))
  const memberships = new Map<number, string | undefined>()
  for (const [room, some] of Map.groupBy(personal, (row) => row.room)) {
    const nids = some.map((row) => row.nid)
    const at = await membershipsAt(store, room, nids, userId, rules)
    for (const nid of nids) memberships.set(nid, at(nid))
  }
  return (row) => memberships.get(row.nid)
}

function isPersonal(row: EventRow): boolean {
  return row.stateKey === null || row.type === 'm.room.member'
}

function redactedForm(row: EventRow, rules: RoomVersionRules): EventRow {
  const json = canonicalJson(redact(rules, pduOfRow(row, rules).json))
  const form: EventRow = { ...row, json }
  FORMS.add(form)
  return form
}
