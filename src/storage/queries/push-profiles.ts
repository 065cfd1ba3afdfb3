/** What a user's rules made of events over time. */
import {
  DEFAULT_PROFILE,
  NO_ROOM_PROFILE,
  type Profile,
  type RoomProfile,
} from '#/protocol/push-rules/profile.ts'
import { PROFILE_STEPS_MAX } from '../limits.ts'
import type { Row } from '../sql/sql.ts'

interface Step {
  readonly since: number
  readonly profile: string
}

/** A part of a stretch during which the profiles stayed the same. */
export interface ProfilePart {
  /** Exclusive. */
  readonly after: number
  /** Inclusive. */
  readonly upto: number
  readonly profile: Profile
  readonly room: RoomProfile
}

export class ProfileHistory {
  readonly #all: readonly Step[]
  readonly #room: readonly Step[]

  /** Steps oldest first. */
  constructor(all: readonly Step[], room: readonly Step[]) {
    this.#all = all
    this.#room = room
  }

  /** The stretch (after, upto] cut where a profile changed. */
  within(after: number, upto: number): ProfilePart[] {
    const cuts = new Set<number>()
    for (const { since } of [...this.#all, ...this.#room]) if (since > after && since < upto) cuts.add(since)
    const borders = [after, ...[...cuts].sort((a, b) => a - b), upto]
    const parts: ProfilePart[] = []
    for (let i = 0; i + 1 < borders.length; i++) {
      parts.push({ after: borders[i]!, upto: borders[i + 1]!, ...this.at(borders[i]!) })
    }
    return parts
  }

  /** The profiles that hold for events just behind a position. */
  at(position: number): { readonly profile: Profile; readonly room: RoomProfile } {
    return {
      profile: stepAt(this.#all, position, DEFAULT_PROFILE),
      room: stepAt(this.#room, position, NO_ROOM_PROFILE),
    }
  }
}

function stepAt(steps: readonly Step[], position: number, before: string): string {
  const step = steps.findLast(({ since }) => since <= position)
  if (step) return step.profile
  /* Only of a full history the beginning is lost. */
  return steps.length >= PROFILE_STEPS_MAX ? steps[0]!.profile : before
}

/** A user's profiles for all rooms (`name` is '') and for one, from rows in whatever order; `event` is where each begins. */
export function historyFrom(rows: readonly Row[]): ProfileHistory {
  const steps = (which: readonly Row[]): Step[] =>
    which
      .map((row) => ({ since: row.event as number, profile: row.profile as string }))
      .sort((a, b) => a.since - b.since)
  const general = rows.filter((row) => row.name === '')
  return new ProfileHistory(steps(general), steps(rows.filter((row) => row.name !== '')))
}
