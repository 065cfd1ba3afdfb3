/** What an upgrade leaves to be done once the new room is there. Doing it twice does nothing more. */
import type { World } from '#/base/world.ts'
import type { Op } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { membershipOf } from '#/protocol/event/content.ts'
import type { RoomId } from '#/protocol/ids/room-id.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import { canonicalJson } from '#/protocol/json/canonical.ts'
import type { JobHandler } from '../../jobs/scheduler.ts'
import type { FirstEvent } from '../create/room-builder.ts'
import type { AliasService } from '../directory/aliases.ts'
import type { RoomWriter } from '../room-writer.ts'
import { closedLevels } from './carried.ts'
import { AFTERMATH_DELAY_MS, CARRIED_MAX } from './limits.ts'
import { type CopyRules, carrySettings } from './settings.ts'
import { carriedLists } from './upgrade.ts'

export const AFTERMATH_KIND = 'rooms.upgrade_aftermath'

/** Kept in the job, whose key is the new room's id. */
export interface AftermathData {
  readonly oldRoomId: string
  readonly sender: UserId
  /** Aliases that moved. */
  readonly aliases: readonly string[]
}

export class Aftermath {
  readonly #store: Store
  readonly #writer: RoomWriter
  readonly #aliases: AliasService
  readonly #world: World
  readonly #poke: () => void
  readonly #copyRules: CopyRules
  readonly #carriedAtOnce: number

  constructor(deps: {
    store: Store
    writer: RoomWriter
    aliases: AliasService
    world: World
    copyRules: CopyRules
    /** Bans and children that come with the new room. */
    carriedAtOnce: number
    /** Tells the scheduler that a job was added. */
    poke: () => void
  }) {
    this.#store = deps.store
    this.#writer = deps.writer
    this.#aliases = deps.aliases
    this.#world = deps.world
    this.#poke = deps.poke
    this.#copyRules = deps.copyRules
    this.#carriedAtOnce = deps.carriedAtOnce
  }

  /** The operation that plans the work, should `now` not come to its end. */
  op(newRoomId: RoomId, data: AftermathData, delayMs = AFTERMATH_DELAY_MS): Op {
    const dueTs = this.#world.clock.now() + delayMs
    return { op: 'job.put', kind: AFTERMATH_KIND, key: newRoomId, dueTs, data: JSON.stringify(data) }
  }

  /** Does at once what the client that upgraded expects to see; long lists are left to the job. */
  async now(newRoomId: RoomId, data: AftermathData): Promise<void> {
    await this.#close(data)
    await carrySettings(this.#store, this.#copyRules, data.sender, newRoomId)
    const rest = await this.#carryLists(newRoomId, data, 0)
    const op = rest
      ? this.op(newRoomId, data, 0)
      : ({ op: 'job.done', kind: AFTERMATH_KIND, key: newRoomId } as const)
    await this.#store.commit({ lane: 'jobs', ops: [op] })
    if (rest) this.#poke()
  }

  readonly handler: JobHandler = async (job) => {
    const data = JSON.parse(job.data) as AftermathData
    await this.#close(data)
    await carrySettings(this.#store, this.#copyRules, data.sender, job.key)
    await this.#carryLists(job.key, data, CARRIED_MAX)
    return undefined
  }

  /** Takes the moved aliases out of the old room, and the right to speak and invite from ordinary members. */
  async #close({ oldRoomId, sender, aliases }: AftermathData): Promise<void> {
    await this.#aliases.dropFromCanonical(sender, oldRoomId, new Set(aliases))
    await unlessForbidden(() =>
      this.#writer.write({
        roomId: oldRoomId,
        needs: [['m.room.power_levels', '']],
        draft(room) {
          const levels = room.state('m.room.power_levels', '')
          const content = levels && closedLevels(levels)
          if (!content) return { already: levels?.eventId ?? '' }
          return { type: 'm.room.power_levels', stateKey: '', sender, content }
        },
      }),
    )
  }

  /** Writes up to `limit` bans and children that the new room lacks; tells whether some are left. */
  async #carryLists(newRoomId: string, data: AftermathData, limit: number): Promise<boolean> {
    const old = await this.#store.rooms.byId(data.oldRoomId)
    if (!old) return false
    let seen = 0
    let written = 0
    for await (const event of carriedLists(this.#store, old.nid)) {
      /* The first ones came with the room. */
      if (seen++ < this.#carriedAtOnce) continue
      if (written++ >= limit) return true
      await unlessForbidden(() => this.#carry(newRoomId, data.sender, event))
    }
    return false
  }

  #carry(roomId: string, sender: UserId, { type, stateKey, content }: FirstEvent): Promise<string> {
    return this.#writer.write({
      roomId,
      needs: [[type, stateKey]],
      draft(room) {
        const present = room.state(type, stateKey)
        /* Somebody decided otherwise since: that stands. */
        const decided = present && (type !== 'm.room.member' || membershipOf(present) === 'ban')
        if (decided || (present && canonicalJson(present.content) === canonicalJson(content))) {
          return { already: present.eventId }
        }
        return { type, stateKey, sender, content }
      },
    })
  }
}

/** Runs a write that the room's rules may refuse, now and later. */
async function unlessForbidden(write: () => Promise<string>): Promise<void> {
  try {
    await write()
  } catch (error) {
    if (!(error instanceof MatrixError) || error.errcode === 'M_LIMIT_EXCEEDED') throw error
  }
}
