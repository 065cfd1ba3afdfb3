/** What of the server a listener shows: the `names` of its `resources`, by the paths that Synapse gives them. */

import { type Dispatch, originForm } from '#/http/dispatch.ts'
import { UNKNOWN_PATH } from '#/http/errors.ts'
import type { ResourceName } from './config/options/listeners.ts'

const MEDIA = ['/_matrix/media', '/_matrix/client/v1/media', '/_matrix/federation/v1/media']

/** Prefixes of whole path segments. */
const PATHS: Readonly<Record<ResourceName, readonly string[]>> = {
  client: [
    ...['/_matrix/client', '/_synapse/admin', '/_synapse/client', '/.well-known', '/_matrix/static'],
    // In Synapse with `consent` alone; whoever may register here must be able to read what is agreed to.
    ...['/_matrix/consent', '/_matrix/media'],
  ],
  consent: ['/_matrix/consent'],
  federation: ['/_matrix/federation', '/_matrix/key', '/_matrix/media'],
  health: [],
  keys: ['/_matrix/key'],
  media: MEDIA,
  metrics: ['/_synapse/metrics'],
  openid: ['/_matrix/federation/v1/openid'],
  replication: [],
  static: ['/_matrix/static'],
}

/** Every listener answers load balancers. */
const ALWAYS = ['/health']

/** The part of `all` that a listener with these resources serves; `metrics` answers for the figures. */
export function restricted(all: Dispatch, metrics: Dispatch, resources: readonly ResourceName[]): Dispatch {
  const prefixes = [...ALWAYS, ...resources.flatMap((name) => PATHS[name])].map(
    (whole) => [whole, `${whole}/`] as const,
  )
  return (request) => {
    const target = originForm(request.url)
    const mark = target.indexOf('?')
    const path = mark < 0 ? target : target.slice(0, mark)
    const prefix = prefixes.find(([whole, folder]) => path === whole || path.startsWith(folder))?.[0]
    if (prefix === undefined && request.method !== 'OPTIONS') return Promise.resolve(UNKNOWN_PATH)
    return prefix === '/_synapse/metrics' ? metrics(request) : all(request)
  }
}
