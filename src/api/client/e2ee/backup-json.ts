/** Backed up room keys as JSON, a page at a time. */
import type { BackupPage } from '#/services/e2ee/backup.ts'

/** An answer with the keys of a room, or of all rooms. Pages are ordered by room. */
export async function* keysJson(
  pages: AsyncIterable<BackupPage>,
  roomId: string | undefined,
): AsyncGenerator<Uint8Array> {
  const whole = roomId === undefined
  let text = whole ? '{"rooms":{' : '{"sessions":{'
  let room: string | undefined
  for await (const page of pages) {
    for (const [name, sessions] of page.rooms) {
      if (name === room) text += ','
      else if (whole) text += `${room === undefined ? '' : '}},'}${JSON.stringify(name)}:{"sessions":{`
      room = name
      text += sessions
    }
    yield Buffer.from(text)
    text = ''
  }
  yield Buffer.from(whole && room !== undefined ? '}}}}' : '}}')
}
