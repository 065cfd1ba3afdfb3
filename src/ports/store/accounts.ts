/** Accounts, devices, tokens, registration tokens and profiles. */

export interface AccountRow {
  readonly user: string
  /** Hash in its own notation (`$2b$…` or `$argon2id$…`); null where no password is set. */
  readonly passwordHash: string | null
  readonly admin: boolean
  readonly deactivated: boolean
  readonly locked: boolean
  readonly suspended: boolean
  readonly guest: boolean
  readonly createdTs: number
}

export interface DeviceRow {
  readonly user: string
  readonly device: string
  readonly displayName: string | null
  readonly createdTs: number
  /** Its last use as far as it was written, in milliseconds, with the address and the client's name for itself. */
  readonly seenTs: number | null
  readonly seenIp: string | null
  readonly seenAgent: string | null
}

/** The last use of a device. */
export interface DeviceSeen {
  readonly user: string
  readonly device: string
  readonly ts: number
  readonly ip: string
  readonly agent: string | null
}

/** A session: one access token, perhaps with the refresh token that renews it. Tokens are kept as SHA-256 digests. */
export interface TokenRow {
  readonly user: string
  readonly device: string
  readonly kind: 'access' | 'refresh'
  /** Milliseconds since the epoch, or null for no end. */
  readonly expiresTs: number | null
  /** Digest (hex) of the access token that a refresh token came with, or of the refresh token that gave this access token. */
  readonly pair: string | null
  /** A refresh token that was exchanged; it stays valid until its successor is used. */
  readonly exchanged: boolean
  readonly deactivated: boolean
  readonly locked: boolean
  readonly suspended: boolean
  readonly admin: boolean
  readonly guest: boolean
}

export interface RegistrationTokenRow {
  readonly token: string
  readonly usesAllowed: number | null
  readonly pending: number
  readonly completed: number
  readonly expiresTs: number | null
  /** Whether an account made with it is an administrator. */
  readonly admin: boolean
}

export interface ProfileRow {
  readonly user: string
  /** JSON object of all fields. */
  readonly fields: string
}

export type AccountOp =
  | {
      /** Guard: the user id is free (also of deactivated accounts); else conflict `taken`. */
      readonly op: 'account.create'
      readonly user: string
      readonly passwordHash: string | null
      readonly admin: boolean
      readonly guest: boolean
      readonly ts: number
    }
  | {
      /** Guard: the account is a guest's (conflict `gone`); makes it a full one. */
      readonly op: 'account.upgrade'
      readonly user: string
      readonly passwordHash: string
      readonly admin: boolean
    }
  | { readonly op: 'account.password'; readonly user: string; readonly passwordHash: string | null }
  /** Guard: the account is not deactivated, and will not be before this plan is on disk. */
  | { readonly op: 'account.active'; readonly user: string }
  | {
      readonly op: 'account.flags'
      readonly user: string
      readonly admin?: boolean
      readonly deactivated?: boolean
      readonly locked?: boolean
      readonly suspended?: boolean
    }
  | {
      /** Makes or renames a device. */
      readonly op: 'device.put'
      readonly user: string
      readonly device: string
      readonly displayName: string | null
      readonly ts: number
      /** Devices that the user may have; of more, the one used longest ago goes, with its tokens. */
      readonly most?: number
    }
  /** Notes last uses; of devices that are gone nothing. Nobody is told. */
  | { readonly op: 'device.seen'; readonly devices: readonly DeviceSeen[] }
  /** Removes devices with their tokens; `devices` absent means all of the user's, `keep` spares one. */
  | {
      readonly op: 'device.delete'
      readonly user: string
      readonly devices?: readonly string[]
      readonly keep?: string
    }
  | {
      readonly op: 'token.put'
      /** SHA-256 of the token, hex. */
      readonly digest: string
      readonly user: string
      readonly device: string
      readonly kind: 'access' | 'refresh'
      readonly expiresTs: number | null
      readonly pair: string | null
    }
  /** Guard: the token exists (conflict `gone`); removes it. */
  | { readonly op: 'token.delete'; readonly digest: string }
  /** Guard: the refresh token exists; marks it exchanged. */
  | { readonly op: 'token.exchanged'; readonly digest: string }
  /** Removes all tokens of a device or, without `device`, of the user, but for those in `keep`. */
  | {
      readonly op: 'token.clear'
      readonly user: string
      readonly device?: string
      readonly keep?: readonly string[]
    }
  | {
      readonly op: 'registration_token.put'
      readonly token: string
      readonly usesAllowed: number | null
      readonly expiresTs: number | null
      readonly admin: boolean
    }
  /** Guard: the token exists, is not expired at `now` and has uses left (conflict `gone`); counts one use. */
  | { readonly op: 'registration_token.use'; readonly token: string; readonly now: number }
  | { readonly op: 'profile.put'; readonly user: string; readonly fields: string }
  | {
      /**
       * Guard: the profile says exactly this where member events are made of it (conflict `profile`). A change of the
       * profile comes before it or waits for the end of the plan.
       */
      readonly op: 'profile.says'
      readonly user: string
      readonly displayName: string | null
      readonly avatarUrl: string | null
    }
  | {
      /** A user-interactive authentication session; replaced whole. */
      readonly op: 'uia.put'
      readonly session: string
      readonly data: string
      readonly expiresTs: number
    }
  | { readonly op: 'uia.delete'; readonly session: string }

export interface AccountReader {
  byUser(user: string): Promise<AccountRow | undefined>
  /** An account whose id equals `user` without regard to case, if it is the only one. */
  byUserFolded(user: string): Promise<AccountRow | undefined>
  any(): Promise<boolean>
  count(): Promise<number>
  devices(user: string): Promise<DeviceRow[]>
  device(user: string, device: string): Promise<DeviceRow | undefined>
  token(digest: string): Promise<TokenRow | undefined>
  registrationToken(token: string): Promise<RegistrationTokenRow | undefined>
  /** A registration token that makes an administrator and was not used yet. */
  unusedAdminToken(): Promise<string | undefined>
  profile(user: string): Promise<ProfileRow | undefined>
  uia(session: string): Promise<string | undefined>
}
