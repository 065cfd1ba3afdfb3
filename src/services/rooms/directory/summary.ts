/** The summary of one room. https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1room_summaryroomidoralias */
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { AliasService } from './aliases.ts'
import { readCard, summaryOf } from './cards.ts'
import { maySeeCard, membershipIn } from './outside.ts'

export class SummaryService {
  readonly #store: Store
  readonly #aliases: AliasService

  constructor(deps: { store: Store; aliases: AliasService }) {
    this.#store = deps.store
    this.#aliases = deps.aliases
  }

  /**
   * What a user, or anybody when there is none, may know of a room. Throws M_NOT_FOUND in the same words for a room
   * that is not there and for one that may not be seen.
   */
  async of(roomIdOrAlias: string, userId: string | undefined): Promise<Record<string, unknown>> {
    const room = await this.#store.rooms.byId(await this.#aliases.roomIdOf(roomIdOrAlias))
    const found = room && (await readCard(this.#store, room))
    if (!room || !found || !(await maySeeCard(this.#store, found, userId))) {
      throw new MatrixError('M_NOT_FOUND', 'There is no such room, or you may not see it.')
    }
    const own = await membershipIn(this.#store, room.nid, userId)
    return {
      ...summaryOf(found),
      ...(userId === undefined ? {} : { membership: own?.membership ?? 'leave' }),
    }
  }
}
