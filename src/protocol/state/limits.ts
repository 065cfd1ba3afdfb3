/** Limits of state resolution. The walks themselves are linear, so these bound single answers, not results. */

/**
 * Ids of one answer `need`. More missing events are asked for in the next call; a caller that loads whole auth
 * chains with each answer needs few calls.
 */
export const RESOLUTION_NEED_MAX = 1000
