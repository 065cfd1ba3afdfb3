/**
 * The one gate through which an event becomes a `VerifiedPdu` (adv-6). Events of this server's own users pass the
 * same authorisation rules as those of others. src/protocol/README.md lists the checks and what a failure means.
 */
import { checkAuthEvents } from '#/protocol/auth/check-auth-events.ts'
import { checkAuthRules } from '#/protocol/auth/check-auth-rules.ts'
import type { Verdict } from '#/protocol/errors.ts'
import type { Pdu, StateLookup } from '#/protocol/event/pdu.ts'
import type { EventId } from '#/protocol/ids/event-id.ts'
import type { VerifiedPdu } from './verified.ts'

export type GateResult =
  | { readonly ok: true; readonly pdu: VerifiedPdu }
  | { readonly ok: false; readonly rule: string; readonly why: string }

/**
 * An event that this server built and signed just now, so its form, hash and signature are known good; its authority
 * is not. `state` is the state before it, `authEvents` the events it names.
 */
export function passLocal(pdu: Pdu, authEvents: ReadonlyMap<EventId, Pdu>, state: StateLookup): GateResult {
  const own = checkAuthEvents(pdu, authEvents, () => false)
  if ('need' in own) return { ok: false, rule: 'gate.auth_events', why: 'an auth event is not at hand' }
  return verdict(pdu, own.done.ok ? checkAuthRules(pdu, state) : own.done)
}

function verdict(pdu: Pdu, result: Verdict): GateResult {
  return result.ok ? { ok: true, pdu: pdu as VerifiedPdu } : result
}
