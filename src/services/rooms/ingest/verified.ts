/** The mark of an event that passed the gate. Only `gate.ts` makes one; writing an event asks for it. */
import type { Pdu } from '#/protocol/event/pdu.ts'

declare const verified: unique symbol

/** An event whose form, hash, signatures and authority have been checked by the gate. */
export type VerifiedPdu = Pdu & { readonly [verified]: true }
