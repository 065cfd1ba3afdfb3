import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SpecDocuments } from './documents.ts'

const FOLDER = 'event-schemas/schema'

/** Stands in for envelope fields that a short form leaves out; the response's own schema decides about those. */
const ENVELOPE = {
  event_id: '$absent',
  sender: '@absent:example.org',
  origin_server_ts: 0,
  room_id: '!absent',
}

type EventLike = { type: string; content: Record<string, unknown>; state_key?: unknown; unsigned?: unknown }

/** Finds events in any JSON value and checks those whose type the specification knows. */
export class EventChecker {
  readonly #documents: SpecDocuments
  /** File of each type, `type$msgtype` and `type$method`; and whether it is the schema of a state event. */
  readonly #schemas = new Map<string, { file: string; state: boolean }>()

  constructor(folder: string, documents: SpecDocuments) {
    this.#documents = documents
    for (const name of readdirSync(join(folder, FOLDER))) {
      if (!name.startsWith('m.') || !name.endsWith('.yaml')) continue
      const text = readFileSync(join(folder, FOLDER, name), 'utf8')
      this.#schemas.set(name.slice(0, -'.yaml'.length), {
        file: `${FOLDER}/${name}`,
        state: text.includes('core-event-schema/state_event.yaml'),
      })
    }
  }

  /** One line for each error in each event inside `value`. */
  check(value: unknown, path = ''): string[] {
    if (typeof value !== 'object' || value === null) return []
    const own = isEvent(value) ? this.#checkEvent(value).map((error) => `${path}: ${value.type}${error}`) : []
    const inner = Object.entries(value).flatMap(([key, child]) => this.check(child, `${path}/${key}`))
    return [...own, ...inner]
  }

  #checkEvent(event: EventLike): string[] {
    // What a redaction leaves is less than the schema asks for.
    if (isRedacted(event)) return []
    const special = event.content['msgtype'] ?? event.content['method']
    const schema = this.#schemas.get(`${event.type}$${special}`) ?? this.#schemas.get(event.type)
    if (!schema) return []
    // Anyone may send a type that is meant for state without a state key; nothing is said about its content.
    if (schema.state && event.state_key === undefined) return []
    return this.#documents.check(`${schema.file}#`, { ...ENVELOPE, ...event })
  }
}

function isEvent(value: object): value is EventLike {
  const { type, content } = value as Partial<EventLike>
  return (
    typeof type === 'string' && typeof content === 'object' && content !== null && !Array.isArray(content)
  )
}

function isRedacted(event: EventLike): boolean {
  return typeof event.unsigned === 'object' && event.unsigned !== null && 'redacted_because' in event.unsigned
}
