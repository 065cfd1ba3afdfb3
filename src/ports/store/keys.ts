/**
 * Keys for end-to-end encryption, and the stream of changed device lists. docs/decisions/0016-keys.md
 * A signed object is kept in two parts: `body`, the canonical JSON that signatures cover, and `signatures`, the JSON
 * object of those that everybody may see.
 */

export interface SignedParts {
  readonly body: string
  readonly signatures: string
}

export interface DeviceKeysRow extends SignedParts {
  readonly user: string
  readonly device: string
  readonly displayName: string | null
}

export type CrossSigningUsage = 'master' | 'self_signing' | 'user_signing'

export interface CrossSigningKey extends SignedParts {
  readonly usage: CrossSigningUsage
  /** Unpadded Base64. */
  readonly publicKey: string
}

export interface CrossSigningRow extends CrossSigningKey {
  readonly user: string
}

/** What a user signed of somebody else's master key; for the signer's eyes only. */
export interface UserSignature {
  readonly signer: string
  /** Whose key it is, and which. */
  readonly user: string
  readonly publicKey: string
  /** The signing key, `ed25519:…`. */
  readonly keyId: string
  readonly signature: string
}

/** A one-time or fallback key; `keyId` is without its algorithm. */
export interface StoredKey {
  readonly algorithm: string
  readonly keyId: string
  /** Canonical JSON. */
  readonly json: string
}

export interface ClaimWish {
  readonly user: string
  readonly device: string
  readonly algorithm: string
}

export interface ClaimedKey extends ClaimWish, StoredKey {}

/** Unclaimed one-time keys by algorithm. */
export type KeyCounts = Readonly<Record<string, number>>

export interface DeviceKeyState {
  readonly counts: KeyCounts
  /** Algorithms whose fallback key nobody has claimed. */
  readonly unusedFallbacks: readonly string[]
}

/** Keys of a user who has an account here, as JSON texts. */
export interface KeysOfUser {
  readonly user: string
  /** Object of the devices that have keys, by id. */
  readonly devices: string
  readonly master?: CrossSigningKey
  readonly selfSigning?: string
  /** For its owner's eyes only. */
  readonly userSigning?: string
}

export interface DeviceName {
  readonly user: string
  readonly device: string
}

export type KeyOp =
  | {
      /**
       * Guards: the device is there (conflict `gone`), a one-time key's id is new or its content the same (`taken`,
       * the value is the id), there are no more than `most` of them (`full`). Gives the KeyCounts.
       */
      readonly op: 'keys.upload'
      readonly user: string
      readonly device: string
      readonly keys?: SignedParts | undefined
      /** In the order in which they are to be claimed. */
      readonly oneTime: readonly StoredKey[]
      readonly fallback: readonly StoredKey[]
      readonly most: number
    }
  /** Takes one key for each wish, the oldest first, or the fallback key; gives ClaimedKey[]. No device comes twice. */
  | { readonly op: 'keys.claim'; readonly wishes: readonly ClaimWish[] }
  /** Guard: no key is named like a device of the user (conflict `taken`). */
  | { readonly op: 'keys.cross_signing'; readonly user: string; readonly keys: readonly CrossSigningKey[] }
  | {
      /** Guard: what was signed is still the same (conflict `gone`). */
      readonly op: 'keys.sign'
      readonly user: string
      /** A device, or the user's master key. */
      readonly device?: string | undefined
      readonly body: string
      readonly signatures: string
    }
  | ({ readonly op: 'keys.sign_user' } & UserSignature)

export interface KeyReader {
  state(user: string, device: string): Promise<DeviceKeyState>
  device(user: string, device: string): Promise<DeviceKeysRow | undefined>
  crossSigning(user: string): Promise<CrossSigningRow[]>
  /** Keys of those of some users who have an account here. */
  query(users: readonly string[]): Promise<KeysOfUser[]>
  /** What a user signed of the master keys of some others, of whom only some hundred should be named. */
  signedBy(signer: string, users: readonly string[]): Promise<UserSignature[]>
  /** Users in (after, upto] whose devices or keys changed for a local user: who share a room, or the user's own. */
  changed(viewer: string, after: number, upto: number): Promise<string[]>
  /** Those of some users who share a room with a local user, rooms in `except` not counted. */
  sharing(user: string, others: readonly string[], except: readonly number[]): Promise<string[]>
  /** Users joined to a room now, here and elsewhere; no more than `most`. */
  joined(room: number, most: number): Promise<string[]>
  /** Memberships that some member events say: whether each is a join. */
  joins(events: readonly number[]): Promise<{ readonly event: number; readonly join: boolean }[]>
  /** Some devices not used since a time (ms), at most `limit`. */
  staleDevices(before: number, limit: number): Promise<DeviceName[]>
}
