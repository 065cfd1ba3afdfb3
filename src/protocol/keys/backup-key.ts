/** A backed up room key. https://spec.matrix.org/v1.19/client-server-api/#definition-keybackupdata */

export interface BackedUpKey {
  readonly firstIndex: number
  readonly forwarded: number
  readonly verified: boolean
  /** JSON of `session_data`. */
  readonly data: string
}

/** The key as JSON. */
export function backedUpKeyText({ firstIndex, forwarded, verified, data }: BackedUpKey): string {
  return `{"first_message_index":${firstIndex},"forwarded_count":${forwarded},"is_verified":${verified},"session_data":${data}}`
}
