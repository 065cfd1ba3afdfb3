/** Backed up room keys as JSON, a page at a time. */
import type { BackupKeyRow } from '#/services/e2ee/backup.ts'

export function keyJson(key: BackupKeyRow): string {
  const { firstIndex, forwarded, verified, data } = key
  return `{"first_message_index":${firstIndex},"forwarded_count":${forwarded},"is_verified":${verified},"session_data":${data}}`
}

/** An answer with the keys of a room, or of all rooms. Pages are ordered by room. */
export async function* keysJson(
  pages: AsyncIterable<readonly BackupKeyRow[]>,
  roomId: string | undefined,
): AsyncGenerator<Uint8Array> {
  const whole = roomId === undefined
  let text = whole ? '{"rooms":{' : '{"sessions":{'
  let room: string | undefined
  let first = true
  for await (const page of pages) {
    for (const key of page) {
      if (whole && key.roomId !== room) {
        text += `${room === undefined ? '' : '}},'}${JSON.stringify(key.roomId)}:{"sessions":{`
        room = key.roomId
        first = true
      }
      text += `${first ? '' : ','}${JSON.stringify(key.sessionId)}:${keyJson(key)}`
      first = false
    }
    yield Buffer.from(text)
    text = ''
  }
  yield Buffer.from(whole && room !== undefined ? '}}}}' : '}}')
}
