/** Routes of receipts, typing and presence. */
import type { Route } from '#/http/route.ts'
import { type PresenceDeps, presenceRoutes } from './presence.ts'
import { type ReceiptDeps, receiptRoutes } from './receipts.ts'
import { type TypingDeps, typingRoutes } from './typing.ts'

export type EphemeralRouteDeps = ReceiptDeps & TypingDeps & PresenceDeps

export function ephemeralRoutes(deps: EphemeralRouteDeps): Route[] {
  return [...receiptRoutes(deps), ...typingRoutes(deps), ...presenceRoutes(deps)]
}
