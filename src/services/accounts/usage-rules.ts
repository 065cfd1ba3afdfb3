/** Who may use the server at all: `hs_disabled`, and the limit on monthly active users. */
import { MatrixError } from '#/protocol/errors.ts'
import type { Counted, MonthlyUsers } from './monthly-users.ts'

export interface UsageOptions {
  /** `hs_disabled`, `hs_disabled_message`. */
  readonly disabled: boolean
  readonly disabledMessage: string
  /** `admin_contact`. */
  readonly adminContact: string | undefined
  /** `limit_usage_by_mau`, with `max_mau_value`; undefined sets no limit. */
  readonly monthlyMost: number | undefined
  /** `mau_stats_only`: active users are counted without a limit. */
  readonly countsOnly: boolean
  /** `mau_trial_days`. */
  readonly trialDays: number
  /** `mau_limit_alerting`: whether users are told by a notice that the limit is reached. */
  readonly alerts: boolean
}

export const USAGE_DEFAULT: UsageOptions = {
  disabled: false,
  disabledMessage: '',
  adminContact: undefined,
  monthlyMost: undefined,
  countsOnly: false,
  trialDays: 0,
  alerts: true,
}

/** Why somebody is refused, as `limit_type` says it. */
export type LimitType = 'hs_disabled' | 'monthly_active_user'

export class UsageRules {
  readonly options: UsageOptions
  /** Absent where nobody is counted. */
  readonly #monthly: MonthlyUsers | undefined
  /** The user whom notices come from, who is never refused. */
  readonly #exempt: string | undefined

  constructor(deps: {
    options: UsageOptions
    monthly: MonthlyUsers | undefined
    exempt: string | undefined
  }) {
    this.options = deps.options
    this.#monthly = deps.monthly
    this.#exempt = deps.exempt
  }

  /** Whether there is anything to look at when somebody syncs or sends. */
  get concernsRequests(): boolean {
    return this.options.disabled || this.#monthly !== undefined
  }

  /** Notes that somebody is active, or throws M_RESOURCE_LIMIT_EXCEEDED. A promise only where the store is asked. */
  admit(userId: string, isGuest: boolean): void | Promise<void> {
    if (userId === this.#exempt) return
    if (this.options.disabled) throw this.refusal('hs_disabled')
    const counted = this.#monthly?.see(userId, isGuest)
    if (counted instanceof Promise) return counted.then((how) => this.#judge(how))
    if (counted !== undefined) this.#judge(counted)
  }

  /** Throws M_RESOURCE_LIMIT_EXCEEDED for who may not log in now. */
  async mayLogIn(userId: string): Promise<void> {
    if (userId === this.#exempt) return
    if (this.options.disabled) throw this.refusal('hs_disabled')
    if (this.#monthly && !(await this.#monthly.hasPlaceFor(userId))) throw this.refusal('monthly_active_user')
  }

  /** Throws M_RESOURCE_LIMIT_EXCEEDED where nobody may register now. */
  async mayRegister(): Promise<void> {
    if (this.options.disabled) throw this.refusal('hs_disabled')
    if (await this.#monthly?.full()) throw this.refusal('monthly_active_user')
  }

  refusal(why: LimitType): MatrixError<'M_RESOURCE_LIMIT_EXCEEDED'> {
    const { adminContact, disabledMessage } = this.options
    const sentence =
      why === 'hs_disabled'
        ? disabledMessage || 'This server has been closed by its administrator.'
        : 'This server has reached its limit of monthly active users.'
    const contact = adminContact === undefined ? {} : { admin_contact: adminContact }
    return new MatrixError('M_RESOURCE_LIMIT_EXCEEDED', sentence, { ...contact, limit_type: why })
  }

  #judge(counted: Counted): void {
    if (counted === 'full') throw this.refusal('monthly_active_user')
  }
}
