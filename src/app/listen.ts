/** From the configuration's listeners to those of the HTTP adapter. */
import type { ListenerOptions } from '#/adapters/http-server/listeners.ts'
import type { TlsMaterial } from '#/adapters/http-server/tls.ts'
import type { Dispatch } from '#/http/dispatch.ts'
import type { Config } from './config/config.ts'
import type { Listener } from './config/listeners.ts'
import { restricted } from './listener-resources.ts'
import { readOwnFile } from './own-file.ts'

/** What each kind of listener serves. */
export interface Dispatches {
  readonly client: Dispatch
  readonly metrics: Dispatch
}

export function listenerOptions(config: Config, dispatches: Dispatches): ListenerOptions[] {
  return config.listeners
    .filter((listener) => serves(listener, config.metrics.enableMetrics))
    .map((listener) => optionsOf(config, listener, dispatches))
}

function optionsOf(config: Config, listener: Listener, dispatches: Dispatches): ListenerOptions {
  const { trustedProxies } = config.myelin
  return {
    at:
      listener.kind === 'tcp'
        ? { port: listener.port, addresses: listener.bindAddresses }
        : { path: listener.path, mode: listener.mode },
    dispatch: dispatchOf(listener, config.metrics.enableMetrics, dispatches),
    xForwarded: listener.xForwarded,
    compress: listener.compressed.length > 0,
    ...(listener.kind === 'tcp' && listener.tls ? { tls: () => certificates(config) } : {}),
    ...(trustedProxies === null ? {} : { trustedProxies: trustedProxies.map(String) }),
    ...(listener.requestIdHeader === null ? {} : { requestIdHeader: listener.requestIdHeader }),
  }
}

/** Metrics are served only where they are collected. */
function serves({ type, resources }: Listener, metrics: boolean): boolean {
  return type === 'metrics' ? metrics : resources.length > 0
}

function dispatchOf(
  { type, resources }: Listener,
  isMeasured: boolean,
  { client, metrics }: Dispatches,
): Dispatch {
  if (type === 'metrics') return metrics
  return restricted(client, metrics, isMeasured ? resources : resources.filter((name) => name !== 'metrics'))
}

function certificates(config: Config): TlsMaterial {
  const { tlsCertificatePath, tlsPrivateKeyPath } = config.tls
  if (tlsCertificatePath === null || tlsPrivateKeyPath === null) {
    throw new Error('a listener with `tls` needs tls_certificate_path and tls_private_key_path')
  }
  return {
    cert: readOwnFile(tlsCertificatePath, 'the certificate'),
    key: readOwnFile(tlsPrivateKeyPath, 'the private key of the certificate'),
    minVersion: 'TLSv1.2',
  }
}
