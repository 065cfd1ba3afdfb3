/** Room tags: the `tags` of a room's `m.tag` account data. https://spec.matrix.org/v1.16/client-server-api/#room-tagging */
import { MatrixError } from '#/protocol/errors.ts'
import type { RoomId } from '#/protocol/ids/room-id.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import { isObject, type JsonObject, type JsonValue, member, setMember } from '#/protocol/json/value.ts'
import type { AccountDataService } from './account-data.ts'
import { TAG_BYTES_MAX, TAGS_PER_ROOM_MAX } from './limits.ts'

export class RoomTags {
  readonly #data: AccountDataService

  constructor(data: AccountDataService) {
    this.#data = data
  }

  /** The tags of a room by name. Throws M_NOT_FOUND for a room the user has nothing to do with. */
  async all(userId: UserId, roomId: RoomId): Promise<JsonObject> {
    const text = await this.#data.find(userId, roomId, 'm.tag')
    return text === undefined ? {} : tagsOf(JSON.parse(text) as JsonObject)
  }

  /** Adds or changes a tag. Throws M_INVALID_PARAM, M_NOT_FOUND. */
  put(userId: UserId, roomId: RoomId, tag: string, content: JsonObject): Promise<void> {
    if (tag === '' || Buffer.byteLength(tag) > TAG_BYTES_MAX) {
      throw new MatrixError('M_INVALID_PARAM', `A tag has 1 to ${TAG_BYTES_MAX} bytes.`)
    }
    const order = member(content, 'order')
    if (order !== undefined && (typeof order !== 'number' || order < 0 || order > 1)) {
      throw new MatrixError('M_INVALID_PARAM', 'The order of a tag is a number from 0 to 1.')
    }
    return this.#change(userId, roomId, (tags) => {
      if (!Object.hasOwn(tags, tag) && Object.keys(tags).length >= TAGS_PER_ROOM_MAX) {
        throw new MatrixError('M_INVALID_PARAM', `A room has at most ${TAGS_PER_ROOM_MAX} tags.`)
      }
      return replaced(tags, tag, content)
    })
  }

  /** Removes a tag; one that is not there is no mistake. */
  delete(userId: UserId, roomId: RoomId, tag: string): Promise<void> {
    return this.#change(userId, roomId, (tags) => replaced(tags, tag, undefined))
  }

  #change(userId: UserId, roomId: RoomId, how: (tags: JsonObject) => JsonObject): Promise<void> {
    return this.#data.change(userId, roomId, 'm.tag', (before) => ({
      ...before,
      tags: how(tagsOf(before ?? {})),
    }))
  }
}

/** What clients wrote there themselves may be anything. */
function tagsOf(content: JsonObject): JsonObject {
  const tags = member(content, 'tags')
  if (!isObject(tags)) return {}
  const good: Record<string, JsonValue> = {}
  for (const [name, tag] of Object.entries(tags)) if (isObject(tag)) setMember(good, name, tag)
  return good
}

function replaced(tags: JsonObject, name: string, content: JsonObject | undefined): JsonObject {
  const after: Record<string, JsonValue> = {}
  for (const [other, tag] of Object.entries(tags)) if (other !== name) setMember(after, other, tag)
  if (content !== undefined) setMember(after, name, content)
  return after
}
