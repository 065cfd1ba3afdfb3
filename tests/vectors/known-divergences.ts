/**
 * The closed list of differences from Synapse's library. Each entry says why we differ and recognises exactly its own
 * cases; any other difference fails the test. `[impl]` lines are those of the implementation notes: the specification
 * says otherwise.
 */
import type { Verdict } from '#/protocol/errors.ts'
import { parseEventId } from '#/protocol/ids/event-id.ts'
import { parseRoomId } from '#/protocol/ids/room-id.ts'
import { parseUserId } from '#/protocol/ids/user-id.ts'
import { ROOM_VERSIONS, type RoomVersion } from '#/protocol/room-version/rules.ts'

/** One event as Synapse's library judged it. */
export interface EventRow {
  readonly v: RoomVersion
  /** Name of the mutation. */
  readonly m: string
  readonly t: string
  readonly format: string
  readonly size: string
  readonly id?: string
  readonly redacted?: string
  readonly hash?: string
  readonly hashOk?: boolean | string
}

/** One event against a room, as Synapse's library judged it. */
export interface AuthCase {
  readonly e: string
  readonly id: string
  readonly own: string
  readonly state: string
  readonly auth: readonly string[]
  readonly rejected: readonly string[]
  readonly m: string
}

type Json = Record<string, unknown>

interface EventDivergence {
  readonly name: string
  readonly is: (row: EventRow, difference: string, event: Json) => boolean
}

const WE_ACCEPT = 'we accept, Synapse refuses'
const weRefuse = (rule: string) => `we refuse (${rule}), Synapse accepts`

const EVENT_DIVERGENCES: readonly EventDivergence[] = [
  {
    // `unsigned` is covered by nothing; we throw it away, so its form cannot matter.
    name: 'unsigned of a wrong type is ignored',
    is: (row, difference, event) =>
      difference === WE_ACCEPT && row.format.startsWith('AttributeError') && !isRecord(event['unsigned']),
  },
  {
    // The specification allows 2^63-1 up to v5. [impl] Synapse has one limit for all versions.
    name: 'depth above 2^53-1 up to v5',
    is: (row, difference) =>
      difference === WE_ACCEPT &&
      row.format.startsWith('SynapseError: 400: Depth too large') &&
      ROOM_VERSIONS[row.v].depthMax > 2n ** 53n,
  },
  {
    // [impl] Synapse leaves its own former top-level members out of the content hash; the specification does not.
    name: 'age_ts, outlier and destinations are hashed',
    is: (_row, difference, event) =>
      difference === 'content hash' && ['age_ts', 'outlier', 'destinations'].some((key) => key in event),
  },
  {
    // Absent and empty are the same to the specification, and no identity covers signatures.
    name: 'a redaction adds no empty signatures',
    is: (_row, difference, event) => difference === 'redaction' && !('signatures' in event),
  },
  {
    name: 'event_id of v1 and v2 must be an event id',
    is: (row, difference, event) =>
      difference === weRefuse('format.event_id') &&
      ROOM_VERSIONS[row.v].eventIds === 'embedded' &&
      parseEventId(String(event['event_id'])) === undefined,
  },
  {
    name: 'room_id must be a room id',
    is: (_row, difference, event) =>
      difference === weRefuse('format.room_id') && parseRoomId(String(event['room_id'])) === undefined,
  },
  {
    name: 'sender must be a user id',
    is: (_row, difference, event) =>
      difference === weRefuse('format.sender') && parseUserId(String(event['sender'])) === undefined,
  },
  {
    // The library takes a float for an object, which is an accident of how it holds floats.
    name: 'content must not be a float',
    is: (_row, difference, event) =>
      difference === weRefuse('format.content') && typeof event['content'] === 'number',
  },
  {
    // "negative zero -0 MUST NOT appear". [impl] Python's reader turns it into 0 before anybody looks.
    name: '-0 is refused from v6',
    is: (row, difference) =>
      difference === weRefuse('json.negative_zero') &&
      ROOM_VERSIONS[row.v].strictJson &&
      /[:[,]-0[,\]}]/.test(row.t),
  },
]

/** The name of the known divergence that explains a difference, or undefined. */
export function eventDivergence(row: EventRow, difference: string): string | undefined {
  const event = JSON.parse(row.t) as Json
  return EVENT_DIVERGENCES.find((one) => one.is(row, difference, event))?.name
}

interface AuthQuestion {
  readonly version: RoomVersion
  readonly event: Json
  readonly state: readonly Json[]
  readonly verdict: Verdict
  readonly theirs: string
}

interface AuthDivergence {
  readonly name: string
  readonly is: (question: AuthQuestion) => boolean
}

const AUTH_DIVERGENCES: readonly AuthDivergence[] = [
  {
    // [impl] Synapse also asks for the domain of a member event's target, and takes anything but true as false.
    name: 'm.federate is about the sender, and only the boolean false forbids',
    is: ({ event, state, verdict, theirs }) => {
      const create = state.find((one) => one['type'] === 'm.room.create')!
      const federate = (create['content'] as Json)['m.federate']
      const home = domain(create['sender'])
      const foreignTarget = event['type'] === 'm.room.member' && domain(event['state_key']) !== home
      const byTarget = federate === false && domain(event['sender']) === home && foreignTarget
      const byType = federate !== false && federate !== true && federate !== undefined
      return verdict.ok && theirs.includes('unfederatable') && (byTarget || byType)
    },
  },
  {
    // "Any public key": one that is no key matches nothing. The library throws instead of going on to the next.
    name: 'a malformed key of a third-party invite is passed over',
    is: ({ event, state, verdict, theirs }) =>
      verdict.ok &&
      theirs.startsWith('ValueError: The key must be exactly 32 bytes') &&
      'third_party_invite' in (event['content'] as Json) &&
      state.some(
        (one) => one['type'] === 'm.room.third_party_invite' && JSON.stringify(one).includes('"AAAA"'),
      ),
  },
  {
    // A message of this type is allowed or not like others of the type. The library asks for a key that is not there.
    name: 'm.room.power_levels without a state key',
    is: ({ event, verdict, theirs }) =>
      verdict.ok &&
      theirs === 'AttributeError: state_key' &&
      event['type'] === 'm.room.power_levels' &&
      !('state_key' in event),
  },
  {
    // The rule compares with "the previous m.room.power_levels event in the room". [impl] Synapse compares with the
    // event of the same state key, and never finds one.
    name: 'm.room.power_levels with another state key is compared with the levels in force',
    is: ({ event, verdict, theirs }) =>
      !verdict.ok &&
      theirs === 'allow' &&
      event['type'] === 'm.room.power_levels' &&
      event['state_key'] !== '',
  },
  {
    // Strings are "a single base 10 integer" with spaces and a sign. [impl] Python's int() also reads 1_0 and digits of
    // other scripts, and throws on a level of another kind at another moment than we refuse it.
    name: 'levels as strings outside the specified form',
    is: ({ version, event, state, verdict, theirs }) =>
      !ROOM_VERSIONS[version].auth.integerPowerLevels &&
      (verdict.ok ? theirs.startsWith('ValueError: invalid literal for int()') : theirs === 'allow') &&
      [event, ...state].some((one) => one['type'] === 'm.room.power_levels' && hasOddString(one['content'])),
  },
  {
    // "keys that are valid user IDs": the server part by the grammar. [impl] Synapse wants an @ and a colon.
    name: 'users of power levels must be user ids',
    is: ({ event, verdict, theirs }) =>
      !verdict.ok &&
      theirs === 'allow' &&
      event['type'] === 'm.room.power_levels' &&
      Object.keys((event['content'] as Json)['users'] ?? {}).some((key) => parseUserId(key) === undefined),
  },
  {
    // true is no integer. [impl] Python's int(True) is 1, so Synapse takes booleans for levels up to v9.
    name: 'levels as booleans',
    is: ({ version, event, state, verdict, theirs }) =>
      !ROOM_VERSIONS[version].auth.integerPowerLevels &&
      !verdict.ok &&
      theirs === 'allow' &&
      [event, ...state].some(
        (one) =>
          one['type'] === 'm.room.power_levels' &&
          levelsIn(one['content']).some((value) => typeof value === 'boolean'),
      ),
  },
  {
    // Random rooms hold levels that the rules of their version would have rejected: strings in v10, a list for a map.
    // We read a level only when it is asked for; the library also reads some that it does not need, or reads a string
    // that it would not have accepted.
    name: 'power levels in the state that its own version refuses',
    is: ({ version, state, verdict, theirs }) =>
      (verdict.ok ? /^(AttributeError|TypeError|ValueError)/.test(theirs) : theirs === 'allow') &&
      state.some(
        (one) => one['type'] === 'm.room.power_levels' && isRefused(version, one['content'] as Json),
      ),
  },
]

/** The name of the known divergence that explains a difference, or undefined. */
export function authDivergence(
  version: RoomVersion,
  one: AuthCase,
  kind: 'own' | 'state',
  verdict: Verdict,
  state: readonly string[],
): string | undefined {
  const question: AuthQuestion = {
    version,
    event: JSON.parse(one.e) as Json,
    state: state.map((text) => JSON.parse(text) as Json),
    verdict,
    theirs: one[kind],
  }
  return AUTH_DIVERGENCES.find((divergence) => divergence.is(question))?.name
}

/** Names of all divergences, so that the test can tell which of them no case needs any more. */
export const DIVERGENCE_NAMES = [...EVENT_DIVERGENCES, ...AUTH_DIVERGENCES].map((one) => one.name)

function isRecord(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function domain(id: unknown): string {
  return String(id).slice(String(id).indexOf(':') + 1)
}

/** Whether a level is a string that is not white space, a sign and ASCII digits. */
function hasOddString(content: unknown): boolean {
  return levelsIn(content).some((value) => typeof value === 'string' && !/^\s*[+-]?[0-9]+\s*$/.test(value))
}

/** All levels of a content, those in maps too. */
function levelsIn(content: unknown): unknown[] {
  return Object.values(content as Json).flatMap((value) =>
    isRecord(value) ? Object.values(value as Json) : [value],
  )
}

/** Whether the form of a content of levels breaks a rule of its version. */
function isRefused(version: RoomVersion, content: Json): boolean {
  const badMap = ['users', 'events', 'notifications'].some((key) => key in content && !isRecord(content[key]))
  const strict = ROOM_VERSIONS[version].auth.integerPowerLevels
  return badMap || (strict && levelsIn(content).some((value) => typeof value !== 'number'))
}
