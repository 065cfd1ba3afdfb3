/** The user directory, and rooms shared with somebody. */
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { parseUserId } from '#/protocol/ids/user-id.ts'
import type { UserDirectory } from '#/services/accounts/directory.ts'
import {
  DIRECTORY_RESULTS_DEFAULT,
  MUTUAL_ROOMS_PAGE,
  SEARCH_TERM_CHARS_MAX,
} from '#/services/accounts/limits.ts'
import type { MutualRoomsService } from '#/services/accounts/mutual-rooms.ts'

export interface DirectoryDeps {
  readonly directory: UserDirectory
  readonly mutualRooms: MutualRoomsService
}

export const peopleDirectoryRoutes = (d: DirectoryDeps): Route[] => [
  route({
    method: 'POST',
    path: '/_matrix/client/v3/user_directory/search',
    also: ['/_matrix/client/r0/user_directory/search'],
    spec: 'client-server-api/#post_matrixclientv3user_directorysearch',
    operations: ['searchUserDirectory'],
    auth: 'user',
    limit: 'rc_user_directory',
    servlet: 'UserDirectorySearchRestServlet',
    body: t.object({ search_term: t.text(SEARCH_TERM_CHARS_MAX), limit: t.opt(t.int(1)) }),
    async handle({ who, body }) {
      const limit = body.limit ?? DIRECTORY_RESULTS_DEFAULT
      const { people, limited } = await d.directory.search(who.userId, body.search_term, limit)
      const results = people.map(({ userId, displayName, avatarUrl }) => ({
        user_id: userId,
        ...(displayName === null ? {} : { display_name: displayName }),
        /* What is no address of media would only break the list. */
        ...(avatarUrl?.startsWith('mxc://') ? { avatar_url: avatarUrl } : {}),
      }))
      return { results, limited }
    },
  }),
  route({
    method: 'GET',
    path: '/_matrix/client/v1/mutual_rooms',
    also: [
      '/_matrix/client/unstable/uk.half-shot.msc2666/mutual_rooms',
      '/_matrix/client/unstable/uk.half-shot.msc2666/user/mutual_rooms',
    ],
    spec: 'client-server-api/#get_matrixclientv1mutual_rooms',
    operations: ['getMutualRooms'],
    auth: 'user',
    limit: 'none',
    servlet: 'UserMutualRoomsServlet',
    query: t.object({ user_id: t.text(255), from: t.opt(t.text(500)), batch_token: t.opt(t.text(500)) }),
    statuses: { M_MISSING_PARAM: 400 },
    async handle({ who, query }) {
      const other = parseUserId(query.user_id)
      if (other === undefined) throw new MatrixError('M_INVALID_PARAM', 'user_id is not a user id.')
      const from = query.from ?? query.batch_token
      const { rooms, count, next } = await d.mutualRooms.page(who.userId, other, from, MUTUAL_ROOMS_PAGE)
      return {
        joined: rooms,
        count,
        ...(next === undefined ? {} : { next_batch: next, next_batch_token: next }),
      }
    },
  }),
]
