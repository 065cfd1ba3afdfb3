/** What the configuration says about limits of use, agreement to a policy, and notices. */
import { mintUserId } from '#/protocol/ids/user-id.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import type { ConsentOptions } from '#/services/accounts/options.ts'
import type { UsageOptions } from '#/services/accounts/usage-rules.ts'
import type { ServerNoticesOptions } from '#/services/admin/server-notices.ts'
import type { Config } from './config/config.ts'
import { readConsentDocuments } from './config/consent-documents.ts'
import type { FileReader } from './config/files.ts'
import { checkedServerName } from './server-name.ts'

export function usageOptions({ blocking }: Config): UsageOptions {
  return {
    disabled: blocking.hsDisabled,
    disabledMessage: blocking.hsDisabledMessage,
    adminContact: blocking.adminContact ?? undefined,
    monthlyMost: blocking.limitUsageByMau ? blocking.maxMauValue : undefined,
    countsOnly: blocking.mauStatsOnly,
    trialDays: blocking.mauTrialDays,
    alerts: blocking.mauLimitAlerting,
  }
}

export function noticesOptions({ rooms, server }: Config): ServerNoticesOptions | undefined {
  const { serverNotices: notices } = rooms
  if (notices === null) return undefined
  return {
    sender: mintUserId(notices.systemMxidLocalpart, checkedServerName(server.serverName)),
    displayName: notices.systemMxidDisplayName ?? undefined,
    avatarUrl: notices.systemMxidAvatarUrl ?? undefined,
    roomName: notices.roomName ?? undefined,
    roomAvatarUrl: notices.roomAvatarUrl ?? undefined,
    roomTopic: notices.roomTopic ?? undefined,
    autoJoin: notices.autoJoin,
  }
}

/** Throws an Error with a sentence where the documents cannot be read. */
export function consentOptions(config: Config, files: FileReader): { consent?: ConsentOptions } {
  const { userConsent: consent } = config.rooms
  if (consent === null) return {}
  const secret = config.api.formSecret?.reveal()
  if (secret === undefined) throw new Error('user_consent needs form_secret')
  if (consent.templateDir === null) throw new Error('user_consent needs template_dir')
  return {
    consent: {
      ...readConsentDocuments(consent.templateDir, consent.version, files),
      version: consent.version,
      policyName: consent.policyName,
      atRegistration: consent.requireAtRegistration,
      blockEventsError: consent.blockEventsError ?? undefined,
      notice: (consent.serverNoticeContent ?? undefined) as JsonObject | undefined,
      noticeToGuests: consent.sendServerNoticeToGuests,
      secret,
      publicBaseurl: config.server.publicBaseurl,
    },
  }
}
