/** Builds what limits the use of the server, before accounts, and what speaks to users, after rooms. */
import { guardRoutes } from '#/api/client/accounts/usage-guard.ts'
import type { Log } from '#/base/log.ts'
import type { Metrics } from '#/base/metrics.ts'
import type { Clock } from '#/base/world.ts'
import type { Route } from '#/http/route.ts'
import type { Store } from '#/ports/store/store.ts'
import type { AccountServices } from '#/services/accounts/accounts.ts'
import type { Consent } from '#/services/accounts/consent.ts'
import { MONTH_TRIM_KIND, MonthlyUsers } from '#/services/accounts/monthly-users.ts'
import type { AccountHooks } from '#/services/accounts/options.ts'
import { RoomTags } from '#/services/accounts/tags.ts'
import { type UsageOptions, UsageRules } from '#/services/accounts/usage-rules.ts'
import { NoticeTriggers } from '#/services/admin/notice-triggers.ts'
import {
  ServerNotices,
  type ServerNoticesDeps,
  type ServerNoticesOptions,
} from '#/services/admin/server-notices.ts'
import type { JobScheduler } from '#/services/jobs/scheduler.ts'

export interface Usage {
  readonly rules: UsageRules
  /** Absent where nobody is counted. */
  readonly monthly: MonthlyUsers | undefined
  /** For the accounts services. */
  readonly hooks: Pick<AccountHooks, 'mayLogIn' | 'mayRegister' | 'exclusive'>
}

/** The rules of use; the hourly trim of active users is named and planned. */
export async function createUsage(deps: {
  readonly store: Store
  readonly clock: Clock
  readonly jobs: JobScheduler
  readonly metrics: Metrics
  readonly options: UsageOptions
  readonly notices: ServerNoticesOptions | undefined
}): Promise<Usage> {
  const { store, clock, jobs, metrics, options, notices } = deps
  const { monthlyMost: most, trialDays } = options
  const counts = most !== undefined || options.countsOnly
  const monthly = counts ? new MonthlyUsers({ store, clock, options: { most, trialDays } }) : undefined
  const rules = new UsageRules({ options, monthly, exempt: notices?.sender })
  const current = metrics.gauge({
    name: 'synapse_admin_mau_current',
    help: 'Users who were active in the last thirty days.',
  })
  const limit = metrics.gauge({ name: 'synapse_admin_mau_max', help: 'How many of them there may be.' })
  limit.cell().set(most ?? 0)
  jobs.handle(MONTH_TRIM_KIND, async (job) =>
    monthly ? monthly.trimmer((count) => current.cell().set(count))(job) : undefined,
  )
  if (monthly) {
    const op = { op: 'job.put', kind: MONTH_TRIM_KIND, key: 'all', dueTs: clock.now(), data: '{}' } as const
    const result = await store.commit({ lane: 'jobs', ops: [op] })
    if (!result.ok) throw new Error(`the trim of active users could not be planned: ${result.conflict}`)
  }
  return {
    rules,
    monthly,
    hooks: {
      mayLogIn: (account) => rules.mayLogIn(account.user),
      mayRegister: () => rules.mayRegister(),
      exclusive: (userId) => userId === notices?.sender,
    },
  }
}

/** The notices, where they are configured, and the routes with their guards. */
export async function createNotices(
  deps: Omit<ServerNoticesDeps, 'options' | 'tags'> & {
    readonly log: Log
    readonly usage: Usage
    readonly accounts: AccountServices
    readonly options: ServerNoticesOptions | undefined
  },
): Promise<{
  readonly notices: ServerNotices | undefined
  readonly guard: (routes: readonly Route[]) => Route[]
}> {
  const { options, usage, accounts, store, log, world } = deps
  const { rules, monthly } = usage
  const { consent } = accounts
  const tags = new RoomTags(accounts.accountData)
  const notices = options && new ServerNotices({ ...deps, tags, options })
  await notices?.prepare()
  const alerts = monthly && rules.options.monthlyMost !== undefined && rules.options.alerts
  const limit = alerts ? { monthly, rules } : undefined
  const speaks = notices !== undefined && (limit !== undefined || consent?.options.notice !== undefined)
  const triggers = speaks
    ? new NoticeTriggers({ store, clock: world.clock, log, notices, consent, limit })
    : undefined
  const guards = {
    admit: rules.concernsRequests
      ? (...who: Parameters<UsageRules['admit']>) => rules.admit(...who)
      : undefined,
    agreed: consentGuard(consent),
    isNoticesRoom: async (roomId: string, userId: Parameters<ServerNotices['isRoomOf']>[1]) =>
      (await notices?.isRoomOf(roomId, userId)) ?? false,
    onSync: triggers && ((...who: Parameters<NoticeTriggers['onSync']>) => triggers.onSync(...who)),
  }
  return { notices, guard: (routes) => guardRoutes(routes, guards) }
}

function consentGuard(consent: Consent | undefined) {
  if (consent?.options.blockEventsError === undefined) return undefined
  return (...who: Parameters<Consent['require']>) => consent.require(...who)
}
