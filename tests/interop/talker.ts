/** One person with a real client, as the conversation sees them. */

/** An event that came in a room's timeline through the client's own sync loop. */
export interface Heard {
  readonly eventId: string
  readonly type: string
  readonly sender: string
  /** Of `m.room.message`, `m.room.topic` and `m.room.name`: what it says; `m.room.member`: the membership. */
  readonly text: string
  /** The event that a redaction names. */
  readonly redacts?: string
}

export interface Talker {
  readonly userId: string
  readonly accessToken: string
  /** Everything heard, in order; a repetition stands twice. */
  readonly heard: readonly Heard[]
  /** Warnings and errors that the client logged. */
  readonly complaints: readonly string[]
  /** Starts the client's own sync loop; resolves after the first answer. */
  startSync(): Promise<void>
  /** Stops the loop and forgets nothing. */
  pause(): Promise<void>
  /** Goes on with the token it had: the access token and the position in sync. */
  resume(): Promise<void>
  createRoom(invite: string): Promise<string>
  /** Rooms that the client shows as invitations. */
  invitations(): Promise<readonly string[]>
  join(roomId: string): Promise<void>
  /** Sends text. After a failure it may be called again with the same transaction id. */
  send(roomId: string, text: string, txnId: string): Promise<string>
  setTopic(roomId: string, topic: string): Promise<void>
  setName(roomId: string, name: string): Promise<void>
  redact(roomId: string, eventId: string): Promise<void>
  /** Texts of all messages of the room, the oldest first, by the client's way of paging backwards. */
  pageBack(roomId: string): Promise<readonly string[]>
  logout(): Promise<void>
  /** Ends loops and processes. */
  close(): Promise<void>
}

interface EventOfSync {
  readonly event_id?: string
  readonly type?: string
  readonly sender?: string
  readonly redacts?: string
  readonly content?: Readonly<Record<string, unknown>>
}

/** What an event of a sync answer says. */
export function heardOf(event: EventOfSync): Heard {
  const { content = {} } = event
  const text = content['body'] ?? content['topic'] ?? content['name'] ?? content['membership'] ?? ''
  const redacts = content['redacts'] ?? event.redacts
  return {
    eventId: event.event_id ?? '',
    type: event.type ?? '',
    sender: event.sender ?? '',
    text: String(text),
    ...(typeof redacts === 'string' ? { redacts } : {}),
  }
}
