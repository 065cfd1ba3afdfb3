/** Opens the listeners of a configuration: ports, addresses, TLS, unix sockets; and closes them in order. */
import { chmodSync, lstatSync, unlinkSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import type { Server as TlsServer } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import type { Log } from '#/base/log.ts'
import type { Dispatch } from '#/http/dispatch.ts'
import { gzipReply } from './compress.ts'
import { Front, type FrontTimes } from './front.ts'
import { REQUEST_ID_CHARS_MAX } from './limits.ts'
import { clientAddress, DEFAULT_TRUSTED_PROXIES, plainAddress, trustedProxies } from './remote-address.ts'
import type { TlsMaterial } from './tls.ts'

/** One entry of `listeners`. */
export interface ListenerOptions {
  /** A TCP port (0 for any free one) on some addresses, or a unix socket with its mode. */
  readonly at:
    | { readonly port: number; readonly addresses: readonly string[] }
    | { readonly path: string; readonly mode: number }
  /** What it serves; a metrics listener gets a dispatch that has nothing else. */
  readonly dispatch: Dispatch
  /** Reads the certificate; called at the start and by `reloadTls`. */
  readonly tls?: () => TlsMaterial
  /** `x_forwarded`: believe X-Forwarded-For of trusted proxies. */
  readonly xForwarded?: boolean
  /** `myelin.trusted_proxies`: addresses and networks; default loopback and private ranges. */
  readonly trustedProxies?: readonly string[]
  /** `request_id_header`, believed from trusted proxies only. */
  readonly requestIdHeader?: string
  /** `compress`: gzip for clients that accept it. */
  readonly compress?: boolean
  readonly times?: FrontTimes
}

/** Where a listener listens. */
export type BoundAddress = { readonly host: string; readonly port: number } | { readonly path: string }

export interface HttpListeners extends AsyncDisposable {
  /** In the order of the options, each with one entry per address. */
  readonly bound: readonly BoundAddress[]
  /** Requests that are being answered, over all listeners. */
  inFlight(): number
  /** Reads all certificates anew. On an error the old ones stay and the error is thrown. */
  reloadTls(): void
  /** Stops accepting, finishes what runs within `graceMs`, closes. Idempotent. */
  close(graceMs: number): Promise<void>
}

interface Opened {
  readonly front: Front
  readonly options: ListenerOptions
  readonly address: BoundAddress
}

/** Opens all listeners, or none: on an error what was open is closed. */
export async function openListeners(list: readonly ListenerOptions[], log: Log): Promise<HttpListeners> {
  const opened: Opened[] = []
  try {
    for (const options of list) {
      if ('path' in options.at) opened.push(await openSocket(options, options.at.path, options.at.mode, log))
      else opened.push(...(await openPort(options, options.at, log)))
    }
  } catch (error) {
    await Promise.all(opened.map(({ front }) => front.close(0)))
    throw error
  }
  let closing: Promise<unknown> | undefined
  const close = async (graceMs: number): Promise<void> => {
    closing ??= Promise.all(opened.map(({ front }) => front.close(graceMs)))
    await closing
  }
  return {
    bound: opened.map(({ address }) => address),
    inFlight: () => opened.reduce((sum, { front }) => sum + front.inFlight, 0),
    reloadTls() {
      const fresh = opened.map(({ options }) => options.tls?.())
      for (const [index, { front }] of opened.entries()) {
        const material = fresh[index]
        if (material !== undefined) (front.server as TlsServer).setSecureContext(material)
      }
    },
    close,
    [Symbol.asyncDispose]: () => close(0),
  }
}

function newFront(options: ListenerOptions, log: Log): Front {
  const trusted = trustedProxies(options.trustedProxies ?? DEFAULT_TRUSTED_PROXIES)
  const idHeader = options.requestIdHeader?.toLowerCase()
  const peerOf = (message: IncomingMessage): string => plainAddress(message.socket.remoteAddress)
  const context = {
    dispatch: options.dispatch,
    log,
    remote(message: IncomingMessage): string {
      const peer = peerOf(message)
      if (options.xForwarded !== true) return peer
      const forwarded = message.headers['x-forwarded-for']
      return clientAddress(peer, Array.isArray(forwarded) ? forwarded.join(',') : forwarded, trusted)
    },
    requestId(message: IncomingMessage): string | undefined {
      if (idHeader === undefined || !trusted(peerOf(message))) return undefined
      const id = message.headers[idHeader]
      return typeof id === 'string' && id !== '' ? id.slice(0, REQUEST_ID_CHARS_MAX) : undefined
    },
  }
  const encode = options.compress === true ? { encode: gzipReply } : {}
  return new Front({ ...context, ...encode }, options.tls?.(), options.times)
}

async function openPort(
  options: ListenerOptions,
  at: { readonly port: number; readonly addresses: readonly string[] },
  log: Log,
): Promise<Opened[]> {
  const opened: Opened[] = []
  for (const host of at.addresses) {
    const front = newFront(options, log)
    try {
      // `::` alone takes IPv4 too; beside 0.0.0.0 it must not.
      await listen(front, {
        host,
        port: at.port,
        ipv6Only: host === '::' && at.addresses.includes('0.0.0.0'),
      })
    } catch (error) {
      await Promise.all(opened.map((other) => other.front.close(0)))
      throw error
    }
    const { port } = front.server.address() as AddressInfo
    opened.push({ front, options, address: { host, port } })
  }
  return opened
}

async function openSocket(options: ListenerOptions, path: string, mode: number, log: Log): Promise<Opened> {
  await removeStaleSocket(path)
  const front = newFront(options, log)
  await listen(front, { path })
  chmodSync(path, mode)
  return { front, options, address: { path } }
}

function listen(front: Front, where: object): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    front.server.once('error', reject)
    front.server.listen(where, () => {
      front.server.off('error', reject)
      resolve()
    })
  }).catch((error: unknown) => {
    // A server that never listened closes at once; this stops its sweep.
    void front.close(0)
    throw error
  })
}

/**
 * A socket file that nobody answers on is left over from a crash. Anything else at `path` is not ours to
 * remove.
 */
async function removeStaleSocket(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return
  if (!found.isSocket()) throw new Error(`${path} exists and is not a socket`)
  const alive = await new Promise<boolean>((resolve) => {
    const probe = connect(path)
    probe.on('connect', () => {
      probe.destroy()
      resolve(true)
    })
    probe.on('error', () => resolve(false))
  })
  if (alive) throw new Error(`${path} is in use by another process`)
  unlinkSync(path)
}
