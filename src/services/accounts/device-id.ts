/** Device ids. */
import type { Rng } from '#/base/world.ts'
import { DEVICE_ID_CHARS } from './limits.ts'

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'

/** A device id for a client that brings none: capital letters, because people read them aloud. */
export function newDeviceId(rng: Rng): string {
  let id = ''
  for (let i = 0; i < DEVICE_ID_CHARS; i++) id += LETTERS[rng.below(LETTERS.length)]
  return id
}
