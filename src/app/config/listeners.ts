import type { ResourceName, WrittenListener } from './options/listeners.ts'

interface CommonListener {
  readonly type: 'http' | 'metrics'
  /** Name in the log. */
  readonly tag: string
  /** Whether the client's address comes from `X-Forwarded-For`. */
  readonly xForwarded: boolean
  readonly requestIdHeader: string | null
  /** Path of the listener in the configuration, for messages. */
  readonly key: string
  readonly resources: readonly ResourceName[]
  /** Those of them whose answers are compressed. */
  readonly compressed: readonly ResourceName[]
}

/** A TCP listener. Of the default pair `::` and `0.0.0.0` the second may be in use through the first. */
export interface TcpListener extends CommonListener {
  readonly kind: 'tcp'
  readonly port: number
  readonly bindAddresses: readonly string[]
  readonly tls: boolean
}

export interface UnixListener extends CommonListener {
  readonly kind: 'unix'
  readonly path: string
  /** Permission bits of the socket. */
  readonly mode: number
}

export type Listener = TcpListener | UnixListener

const DEFAULT_SOCKET_MODE = 0o666

/** What reading the listeners reports, by the path of the listener. */
export interface ListenerReport {
  problem(key: string, text: string): void
  ignored(key: string, text: string): void
}

/** Turns the listeners as written into what is to be opened, with Synapse's defaults. */
export function listenersOf(written: readonly WrittenListener[], report: ListenerReport): Listener[] {
  return written.flatMap((one, i) => listenerOf(one, `listeners[${i}]`, report) ?? [])
}

function listenerOf(one: WrittenListener, key: string, report: ListenerReport): Listener | undefined {
  if (one.type === 'manhole') {
    report.ignored(key, 'not opened: there is no debug shell')
    return undefined
  }
  if (one.port === null && one.path === null) report.problem(key, 'expected `port` or `path`')
  if (one.port !== null && one.path !== null) report.problem(key, 'expected `port` or `path`, both are given')
  if (one.path !== null && one.tls) report.problem(key, 'expected no `tls` on a Unix socket')
  if (one.path !== null && one.type === 'metrics') report.problem(key, 'expected `port`: metrics need TCP')
  if (one.type === 'http' && one.resources.length === 0)
    report.ignored(key, 'has no `resources` and serves nothing')
  const common = {
    type: one.type,
    requestIdHeader: one.requestIdHeader,
    key,
    xForwarded: one.xForwarded ?? one.path !== null,
    ...resourcesOf(one),
  }
  if (one.path !== null) {
    return {
      kind: 'unix',
      ...common,
      tag: one.tag ?? 'unix',
      path: one.path,
      mode: one.mode ?? DEFAULT_SOCKET_MODE,
    }
  }
  const port = one.port ?? 0
  return {
    kind: 'tcp',
    ...common,
    tag: one.tag ?? String(port),
    port,
    bindAddresses: addressesOf(one),
    tls: one.tls,
  }
}

function addressesOf(one: WrittenListener): string[] {
  const given = [...(one.bindAddresses ?? []), ...(one.bindAddress ? [one.bindAddress] : [])]
  if (given.length > 0) return [...new Set(given)]
  return one.type === 'metrics' ? ['0.0.0.0'] : ['::', '0.0.0.0']
}

function resourcesOf(one: WrittenListener): Pick<CommonListener, 'resources' | 'compressed'> {
  if (one.type === 'metrics') return { resources: ['metrics'], compressed: [] }
  const resources = new Set(one.resources.flatMap((r) => r.names ?? []))
  const compressed = new Set(one.resources.filter((r) => r.compress).flatMap((r) => r.names ?? []))
  return { resources: [...resources], compressed: [...compressed] }
}
