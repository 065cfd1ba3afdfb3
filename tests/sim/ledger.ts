/** What clients were told, to be held against the database at the end. */

/** An event whose write was acknowledged. */
export interface AckedEvent {
  readonly roomId: string
  readonly eventId: string
  readonly sender: string
  readonly type: string
  /** Unique text in the content; absent for membership changes. */
  readonly marker?: string | undefined
  readonly stateKey?: string | undefined
  readonly redacts?: string | undefined
  /** When a redaction was acknowledged. */
  readonly done?: number
  /** Root of the thread that a message was sent into. */
  readonly thread?: string | undefined
}

/** A receipt that was acknowledged. */
export interface AckedReceipt {
  readonly user: string
  readonly roomId: string
  readonly kind: string
  readonly thread: string
  readonly eventId: string
}

/** A membership change that was acknowledged, which names no event. */
export interface AckedMembership {
  readonly roomId: string
  readonly sender: string
  readonly target: string
  readonly membership: string
  /** The answer to an upgrade, which may be a room that somebody else made before. */
  readonly byUpgrade?: true
}

/** A write to something that holds one value. */
export interface ValueWrite {
  readonly value: string
  readonly begun: number
  /** When it was acknowledged; undefined while nobody knows. */
  done: number | undefined
  /** The request went out more than once, so that it may come again, later than its acknowledgement. */
  repeated?: boolean
}

/** A user's new list of ignored users. */
export interface Ignoring extends ValueWrite {
  readonly users: readonly string[]
}

/** An event that reached a client. */
export interface Delivery {
  readonly user: string
  readonly roomId: string
  readonly eventId: string
  readonly type: unknown
  readonly sender: unknown
  readonly content: unknown
  /** The server's position when it answered. */
  readonly position: number
  /** When the client asked, and when it was answered. */
  readonly begun: number
  readonly ended: number
  readonly how: string
}

export class Ledger {
  readonly events: AckedEvent[] = []
  readonly memberships: AckedMembership[] = []
  readonly receipts: AckedReceipt[] = []
  /** Who knocked on a room last. */
  readonly knocks = new Map<string, string>()
  /** By server and name of the value, for example account data of a user. */
  readonly values = new Map<string, ValueWrite[]>()
  readonly deliveries: Delivery[] = []
  /** Texts that were sent in message events, acknowledged or not, and by whom. */
  readonly markers = new Map<string, string>()
  /** Rooms whose history was purged. */
  readonly purged = new Set<string>()
  /** Requests to join that went out, by room and user. */
  readonly joins = new Map<string, number>()
  /** Rooms of the server that somebody was told of. */
  readonly roomIds: string[] = []
  operations = 0

  /** By user, in the order in which they were written. */
  readonly ignoring = new Map<string, Ignoring[]>()

  /** Whether a user ignored another at some time, perhaps. */
  everIgnored(user: string, other: string): boolean {
    return this.ignoring.get(user)?.some(({ users }) => users.includes(other)) ?? false
  }

  /** Whether a user ignored another all the while, whatever writes were under way. */
  surelyIgnored(user: string, other: string, { begun, ended }: { begun: number; ended: number }): boolean {
    const writes = this.ignoring.get(user) ?? []
    const end = (write: Ignoring): number =>
      write.repeated || write.done === undefined ? Number.POSITIVE_INFINITY : write.done
    return writes.some(
      (write) =>
        write.done !== undefined &&
        write.done < begun &&
        writes.every((one) => one.users.includes(other) || end(one) < write.begun || one.begun > ended) &&
        write.users.includes(other),
    )
  }

  write(name: string, value: string, begun: number): ValueWrite {
    const entry: ValueWrite = { value, begun, done: undefined }
    const writes = this.values.get(name)
    if (writes) writes.push(entry)
    else this.values.set(name, [entry])
    return entry
  }
}

/** Whether a value may stand at the end: no write was begun after the one that put it there had been acknowledged. */
export function mayStand(writes: readonly ValueWrite[], value: string | undefined): boolean {
  const acked = writes.filter((write) => write.done !== undefined)
  if (value === undefined) return acked.length === 0
  return writes.some((write) => {
    if (write.value !== value) return false
    const end = write.repeated ? Number.POSITIVE_INFINITY : (write.done ?? Number.POSITIVE_INFINITY)
    return !acked.some((later) => later.begun > end)
  })
}
