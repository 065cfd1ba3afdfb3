/** What the operator says of syncing. */
import { TIMELINE_DEFAULT_MAX } from './limits.ts'

export interface SyncOptions {
  /** `exclude_rooms_from_sync`: ids of rooms that no client is shown. */
  readonly excludedRooms: ReadonlySet<string>
  /** `filter_timeline_limit`: events of a room's timeline at most. */
  readonly timelineMax: number
}

export const SYNC_OPTIONS_DEFAULT: SyncOptions = {
  excludedRooms: new Set(),
  timelineMax: TIMELINE_DEFAULT_MAX,
}
