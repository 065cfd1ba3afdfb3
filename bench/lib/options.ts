import { parseArgs } from 'node:util'
import { loopbackTarget, type Target } from './connection.ts'
import type { StorageProbe } from './disk.ts'
import {
  DELIVERY_RATE_MAX,
  OPERATIONS_MAX,
  READERS_MAX,
  ROOM_MEMBERS_MAX,
  SENDERS_MAX,
  WINDOW_S_MAX,
} from './limits.ts'
import type { Registration } from './matrix.ts'
import type { Processes } from './meter.ts'
import { findListeners } from './proc.ts'

export const HELP = `Loads a Matrix homeserver on this machine's loopback address and reports what it costs.

  node bench/load.ts --url http://127.0.0.1:8008 --shared-secret SECRET [options]

Accounts (one of)
  --shared-secret S        /_synapse/admin/v1/register with this secret
  --registration-token T   /register with the stage m.login.registration_token
  --dummy                  /register with the stage m.login.dummy

What to run
  --scenarios LIST         of one, many-N, single-N, delivery-N, disk
                           (default one,many-10,single-10,many-200,single-200,delivery-20,disk)
                           many-N: N senders, one room each; single-N: N senders in one room;
                           delivery-N: N sends per second to readers that long-poll /sync
  --seconds S              measured part of each scenario (default 20)
  --warm-up S              before it, not measured (default 3)
  --operations N           a scenario also ends after N operations
  --room-members N         members of each room of one and many-N (default 1: the sender alone)
  --room-version V         instead of the server's default
  --text-bytes N           length of the messages' text (default 100)
  --readers N              readers of the delivery scenarios (default 50)
  --presence P             set_presence of these readers: offline, unavailable or online (default offline)
  --timeline-limit N       timeline limit of its readers' filter (default 50)
  --disk-messages N        messages of the disk scenario (default 10000)
  --disk-seconds S         it also ends after this time (default 60)
  --settle S               wait before the last look at memory (default 30)

What to look at
  --pid P[,P]              root processes of the server (default: whoever listens on the port)
  --db-pid P[,P]           root processes of its database server
  --metrics URL            Myelin's metrics: adds a table of the event loop's stalls
  --data-dir DIR           where the server keeps its files; SQLite databases in it get a checkpoint first
  --size-command CMD       prints the database's size in bytes after a checkpoint, for PostgreSQL
  --fsync-dir DIR          where to time fdatasync (default: the data folder, else the working folder)

What to say
  --label NAME             name of the server in the report (default: what it says of itself)
  --durability TEXT        what an acknowledged send survives, as configured
  --note TEXT              anything else that the reader should know; may be repeated
  --json FILE              the report as JSON
`

/** One thing to run. */
export type Scenario =
  | { readonly kind: 'send'; readonly name: string; readonly senders: number; readonly oneRoom: boolean }
  | { readonly kind: 'delivery'; readonly name: string; readonly perSecond: number }
  | { readonly kind: 'disk'; readonly name: 'disk' }

/** All that the command line settles. */
export interface Options {
  readonly url: string
  readonly target: Target
  readonly registration: Registration
  readonly scenarios: readonly Scenario[]
  readonly seconds: number
  readonly warmUp: number
  readonly operationsMax: number
  readonly roomMembers: number
  readonly roomVersion: string | undefined
  readonly textBytes: number
  readonly readers: number
  readonly presence: 'offline' | 'unavailable' | 'online'
  readonly timelineLimit: number
  readonly diskMessages: number
  readonly diskSeconds: number
  readonly settle: number
  readonly processes: Processes
  readonly metrics: string | undefined
  readonly storage: StorageProbe
  readonly fsyncDir: string
  readonly label: string | undefined
  readonly durability: string
  readonly notes: readonly string[]
  readonly json: string | undefined
}

const STRINGS = [
  'url',
  'shared-secret',
  'registration-token',
  'scenarios',
  'seconds',
  'warm-up',
  'operations',
  'room-members',
  'room-version',
  'text-bytes',
  'readers',
  'presence',
  'timeline-limit',
  'disk-messages',
  'disk-seconds',
  'settle',
  'pid',
  'db-pid',
  'metrics',
  'data-dir',
  'size-command',
  'fsync-dir',
  'label',
  'durability',
  'json',
] as const

type Values = Partial<Record<(typeof STRINGS)[number], string>> & {
  dummy?: boolean
  help?: boolean
  note?: string[]
}

const DEFAULT_SCENARIOS = 'one,many-10,single-10,many-200,single-200,delivery-20,disk'

/** Reads the command line; null asks for the help text. Throws with the option's name where a value is wrong. */
export function parseOptions(args: readonly string[]): Options | null {
  const strings = Object.fromEntries(STRINGS.map((name) => [name, { type: 'string' as const }]))
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...strings,
      dummy: { type: 'boolean' },
      help: { type: 'boolean' },
      note: { type: 'string', multiple: true },
    },
  }) as { values: Values }
  if (values.help || args.length === 0) return null
  if (!values.url) throw new Error('--url is missing')
  const target = loopbackTarget(values.url)
  const number = (name: (typeof STRINGS)[number], byDefault: number, min: number, max: number): number => {
    const value = values[name] === undefined ? byDefault : Number(values[name])
    if (!(value >= min && value <= max)) throw new Error(`--${name} must be a number from ${min} to ${max}`)
    return value
  }
  const presence = values.presence ?? 'offline'
  if (presence !== 'offline' && presence !== 'unavailable' && presence !== 'online') {
    throw new Error('--presence must be offline, unavailable or online')
  }
  return {
    url: values.url,
    target,
    registration: registrationOf(values),
    scenarios: (values.scenarios ?? DEFAULT_SCENARIOS).split(',').map(parseScenario),
    seconds: number('seconds', 20, 0.1, WINDOW_S_MAX),
    warmUp: number('warm-up', 3, 0, WINDOW_S_MAX),
    operationsMax: number('operations', OPERATIONS_MAX, 1, OPERATIONS_MAX),
    roomMembers: number('room-members', 1, 1, ROOM_MEMBERS_MAX),
    roomVersion: values['room-version'],
    textBytes: number('text-bytes', 100, 1, 30_000),
    readers: number('readers', 50, 1, READERS_MAX),
    presence,
    timelineLimit: number('timeline-limit', 50, 1, 1_000),
    diskMessages: number('disk-messages', 10_000, 1, OPERATIONS_MAX),
    diskSeconds: number('disk-seconds', 60, 0.1, WINDOW_S_MAX),
    settle: number('settle', 30, 0, WINDOW_S_MAX),
    processes: { server: serverPids(values, target), database: pidList('db-pid', values['db-pid']) },
    metrics: values.metrics,
    storage: { dataDir: values['data-dir'] ?? null, sizeCommand: values['size-command'] ?? null },
    fsyncDir: values['fsync-dir'] ?? values['data-dir'] ?? '.',
    label: values.label,
    durability: values.durability ?? 'not stated',
    notes: values.note ?? [],
    json: values.json,
  }
}

/** The scenario of a name such as many-200; throws for an unknown one. */
export function parseScenario(name: string): Scenario {
  if (name === 'disk') return { kind: 'disk', name }
  if (name === 'one') return { kind: 'send', name, senders: 1, oneRoom: false }
  const [shape, text = ''] = name.split('-')
  const count = Number(text)
  if (!['many', 'single', 'delivery'].includes(shape!) || !(Number.isInteger(count) && count > 0)) {
    throw new Error(`--scenarios: ${name} is none of one, many-N, single-N, delivery-N, disk`)
  }
  const countMax = shape === 'delivery' ? DELIVERY_RATE_MAX : SENDERS_MAX
  if (count > countMax) throw new Error(`--scenarios: the number in ${name} is more than ${countMax}`)
  if (shape === 'delivery') return { kind: 'delivery', name, perSecond: count }
  return { kind: 'send', name, senders: count, oneRoom: shape === 'single' }
}

function registrationOf(values: Values): Registration {
  const { 'shared-secret': secret, 'registration-token': token, dummy } = values
  if ([secret, token, dummy].filter((value) => value !== undefined).length !== 1) {
    throw new Error('exactly one of --shared-secret, --registration-token and --dummy is needed')
  }
  if (secret !== undefined) return { by: 'shared-secret', secret }
  return token !== undefined ? { by: 'token', token } : { by: 'dummy' }
}

function serverPids(values: Values, target: Target): number[] {
  if (values.pid !== undefined) return pidList('pid', values.pid)
  const found = findListeners(target.port)
  if (found.length === 0)
    throw new Error(`nobody listens on port ${target.port}; is the server up? (or give --pid)`)
  return found
}

function pidList(name: string, list = ''): number[] {
  const pids = list.split(',').filter((pid) => pid !== '')
  if (!pids.every((pid) => /^\d+$/.test(pid)))
    throw new Error(`--${name} must be process ids with commas between`)
  return pids.map(Number)
}
