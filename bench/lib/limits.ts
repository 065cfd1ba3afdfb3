/** Every bound of the load generator, so that a run always ends by itself and stays on this machine. */

/** Longest measured window of one scenario, seconds. */
export const WINDOW_S_MAX = 300
/** Most operations counted in one scenario: the size its sample array may reach. */
export const OPERATIONS_MAX = 2_000_000
/** Most accounts a run registers, or puts into a database. */
export const USERS_MAX = 20_000
/** Most senders of one scenario. */
export const SENDERS_MAX = 1_000
/** Most members of one room. */
export const ROOM_MEMBERS_MAX = 1_000
/** Highest scheduled rate of the delivery scenario, sends per second. */
export const DELIVERY_RATE_MAX = 1_000
/** The whole run is stopped after this long, milliseconds. */
export const RUN_MS_MAX = 60 * 60_000
/** A request without an answer after this long is a failure, milliseconds. Above the long-polling timeout. */
export const REQUEST_MS_MAX = 60_000
/** The same for first syncs by many users at once, and for all of them together, milliseconds. */
export const INITIAL_SYNC_MS_MAX = 30 * 60_000
/** How long one /sync asks the server to wait, milliseconds. */
export const LONG_POLL_MS = 30_000
/** Largest response the parser accepts, bytes. */
export const RESPONSE_BYTES_MAX = 64 * 1024 * 1024
/** Largest response head the parser accepts, bytes. */
export const HEAD_BYTES_MAX = 64 * 1024
/** Failed operations after which a scenario gives up, since its figures would mean nothing. */
export const FAILURES_MAX = 1_000
/** Set-up requests in flight at once. */
export const SETUP_CONCURRENCY = 8
/** Readers of one room in the delivery scenario. */
export const READERS_MAX = 500
/** How long the delivery scenario waits for the last messages to arrive, milliseconds. */
export const DRAIN_MS_MAX = 30_000
