/** Named limits of space trees. */

/** Rooms on one page, and the number when none is asked for. */
export const HIERARCHY_PAGE_MAX = 50
/** Levels below the first space. */
export const HIERARCHY_DEPTH_MAX = 50
/** Children of one space that are shown: the first in its order. */
export const SPACE_CHILDREN_MAX = 1000
/** Child events that are read before others get a turn. */
export const CHILDREN_PER_TURN = 200
/** Rooms looked at for one page; those that may not be shown count too. */
export const HIERARCHY_LOOKS_MAX = 300
/** Rooms that wait to be shown in one walk; a wider tree is refused. */
export const HIERARCHY_WAITING_MAX = 10_000
/** Memory of walks that may be gone on with, in bytes. */
export const HIERARCHY_WALKS_BYTES = 8 * 1024 * 1024
/** How long a walk may be gone on with, in milliseconds. */
export const HIERARCHY_WALK_MS = 15 * 60 * 1000
/** Characters of the `order` of a child. https://spec.matrix.org/v1.19/client-server-api/#ordering-of-children-within-a-space */
export const ORDER_CHARS_MAX = 50
