/** What a sync answer says of end-to-end encryption: device lists, and how many keys the device has left. */
import type { KeyCountCache } from '../keys/key-counts.ts'
import type { ActiveUser } from './active-user.ts'
import type { DeviceListNews, DeviceLists } from './device-lists.ts'

export interface E2eePart {
  /** Members of an object as JSON text. */
  readonly members: string
  /** Whether it has news, so that an answer need not wait. */
  readonly news: boolean
}

export class E2eeSync {
  readonly #lists: DeviceLists
  readonly #counts: KeyCountCache

  constructor(deps: { lists: DeviceLists; counts: KeyCountCache }) {
    this.#lists = deps.lists
    this.#counts = deps.counts
  }

  /** The news of a device in (since, now]; device lists are for those alone who go on from a position. */
  async part(user: ActiveUser, deviceId: string, since: number | undefined, now: number): Promise<E2eePart> {
    const lists = since === undefined ? undefined : await this.#lists.between(user, since, now)
    const counts = await this.#counts.members(user.userId, deviceId)
    const moved = lists !== undefined && (lists.changed.length > 0 || lists.left.length > 0)
    const members = moved ? `"device_lists":${listsJson(lists)},${counts}` : counts
    return { members, news: moved || (since !== undefined && user.keysClaimedSince(deviceId, since)) }
  }

  /** The members that every answer has, where they are known without a wait. */
  knownCounts(user: ActiveUser, deviceId: string): string | undefined {
    return this.#counts.known(user.userId, deviceId)
  }

  /** The members that every answer has. */
  counts(user: ActiveUser, deviceId: string): Promise<string> {
    return this.#counts.members(user.userId, deviceId)
  }
}

function listsJson({ changed, left }: DeviceListNews): string {
  return JSON.stringify({ changed, left })
}
