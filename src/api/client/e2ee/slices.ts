/** Bodies that are read in slices, so that a large one does not keep others waiting. */
import { type Clock, turn } from '#/base/world.ts'
import { MatrixError, type Result } from '#/protocol/errors.ts'
import { type Walk, walkMembers } from '#/protocol/json/members.ts'
import { readJson } from '#/protocol/json/reader.ts'
import type { JsonValue } from '#/protocol/json/value.ts'

/** Characters that are read without letting others go first. */
const SLICE_CHARS = 64 * 1024

/** A member of a body as `each` gets it: its path, value and text. */
export type Each = (path: readonly string[], value: JsonValue, text: string) => void

/**
 * Walks through a body and calls `each` with every value that `walk` gives.
 * @throws MatrixError M_NOT_JSON, M_BAD_JSON, M_TOO_LARGE for a value of more than `valueBytesMax`
 */
export async function readMembers(
  clock: Clock,
  bytes: Uint8Array,
  { walk, valueBytesMax }: { readonly walk: Walk; readonly valueBytesMax: number },
  each: Each,
): Promise<void> {
  const members = walkMembers(bytes, walk, valueBytesMax)
  let chars = 0
  let last: { readonly text: string; readonly read: Result<JsonValue> } | undefined
  for (;;) {
    const step = members.next()
    if (step.done) {
      if (step.value) throw refused(step.value.rule, step.value.why)
      return
    }
    const { path, text } = step.value
    /* One message to many devices is the same text again and again. */
    const read = text === last?.text ? last.read : readJson(text, 'strict')
    if (!read.ok) throw refused(read.rule, read.why)
    last = { text, read }
    each(path, read.value, text)
    chars += text.length
    if (chars < SLICE_CHARS) continue
    chars = 0
    await turn(clock)
  }
}

function refused(rule: string, why: string): MatrixError {
  if (rule === 'json.size') return new MatrixError('M_TOO_LARGE', 'A value in the body is too large.')
  if (rule === 'json.syntax') return new MatrixError('M_NOT_JSON', 'The request body is not JSON.')
  return new MatrixError('M_BAD_JSON', `The JSON of the request body is refused: ${why} (${rule}).`)
}
