/** What all that one user does has in common. */
import type { Device, Surroundings } from './device.ts'
import type { SeededRng } from './seeded-rng.ts'

/** A room that somebody was told of. */
export interface KnownRoom {
  readonly roomId: string
  readonly server: string
}

/** What the users of a simulation share, besides the servers. */
export interface Neighbourhood {
  readonly rooms: KnownRoom[]
  readonly users: { readonly user: string; readonly server: string }[]
  readonly roomsMax: number
}

export class Doer {
  readonly around: Surroundings
  readonly town: Neighbourhood
  readonly name: string
  readonly rng: SeededRng
  user = ''
  #count = 0

  constructor(around: Surroundings, town: Neighbourhood, name: string, rng: SeededRng) {
    this.around = around
    this.town = town
    this.name = name
    this.rng = rng
  }

  /** A text that stands nowhere else. */
  marker(): string {
    return `${this.name}-${++this.#count}`
  }

  /** Rooms of the user's server. */
  get here(): string[] {
    return this.around.ledger.roomIds
  }

  /** A room that the device is in, mostly. */
  room(device: Device): string | undefined {
    const joined = [...device.rooms.values()].filter((view) => view.membership === 'join')
    if (joined.length > 0 && this.rng.chance(0.95)) return this.rng.pick(joined).roomId
    return this.here.length === 0 ? undefined : this.rng.pick(this.here)
  }

  /** A user of the same server. */
  someone(): string {
    const here = this.town.users.filter((one) => one.server === this.around.server.name)
    return this.rng.pick(here).user
  }

  meet(roomId: string): void {
    this.town.rooms.push({ roomId, server: this.around.server.name })
    this.around.ledger.roomIds.push(roomId)
  }
}

export function roomPath(roomId: string): string {
  return `/rooms/${encodeURIComponent(roomId)}`
}
