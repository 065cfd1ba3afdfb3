import { ROOM_GOING } from '../sql/room-state.ts'

/** A condition on rooms `r`, perhaps absent ones: those that are being deleted have only some of their rows left. */
export const STAYING = `(r.stale IS NULL OR r.stale <> ${ROOM_GOING})`
