import { PDU_BYTES_MAX } from '../limits.ts'

/** Limits of server access control lists. */

/** The most patterns one event can hold: each takes three bytes (`"",`). A longer list denies everybody. */
export const ACL_PATTERNS_MAX = Math.ceil(PDU_BYTES_MAX / 3)
/** Server names whose answer is remembered; the memory is emptied when full. */
export const ACL_REMEMBERED_MAX = 1024
