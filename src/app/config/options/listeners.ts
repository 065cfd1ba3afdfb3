import { anyMap, list, map, object, oneOf, orNull } from '../compound-types.ts'
import { accepted, option, required, supported, type Values } from '../option.ts'
import { bool, path, port, scalar, string } from '../types.ts'

/** What an HTTP listener can serve. */
export const RESOURCE_NAMES = [
  ...(['client', 'consent', 'federation', 'health', 'keys', 'media', 'metrics', 'openid'] as const),
  ...(['replication', 'static'] as const),
] as const

export type ResourceName = (typeof RESOURCE_NAMES)[number]

/** Permission bits. YAML reads `0660` as octal; in quotes or with `0o` it means the same here. */
const fileMode = scalar('permissions', 'permissions in octal with a leading 0, such as 0660', (v) => {
  const mode = typeof v === 'string' && /^0?o?[0-7]{3}$/.test(v) ? Number.parseInt(v.slice(-3), 8) : v
  return typeof mode === 'number' && Number.isInteger(mode) && mode >= 0 && mode <= 0o777 ? mode : undefined
})

const listenerFields = {
  port: option(orNull(port), supported, null, 'TCP port. Either this or `path`.'),
  path: option(
    orNull(path),
    supported,
    null,
    'Unix socket. Its folder must exist. It has no TLS and no `metrics` type.',
  ),
  mode: option(orNull(fileMode), supported, '0666', 'Permissions of the Unix socket, such as `0660`.'),
  type: required(
    oneOf('http', 'metrics', 'manhole'),
    supported,
    'What is spoken: `http`, or `metrics` alone.',
  ),
  tag: option(
    orNull(string),
    accepted('lines of the log name the route, not the listener'),
    null,
    'Name of the listener in the log.',
    'the port',
  ),
  bind_addresses: option(
    orNull(list(string)),
    supported,
    null,
    'Local addresses to listen on.',
    'all: `::` and `0.0.0.0`; `0.0.0.0` for metrics',
  ),
  bind_address: option(orNull(string), supported, null, 'One more local address (old spelling).'),
  tls: option(
    bool,
    supported,
    false,
    'Whether to speak TLS, with `tls_certificate_path` and `tls_private_key_path`.',
  ),
  x_forwarded: option(
    orNull(bool),
    supported,
    null,
    'Whether the client’s address comes from `X-Forwarded-For`; for a server behind a proxy.',
    'true for a Unix socket, else false',
  ),
  request_id_header: option(
    orNull(string),
    supported,
    null,
    'Request header that gives the request’s ID in the log.',
  ),
  resources: option(
    list(
      object({
        names: required(
          list(oneOf(...RESOURCE_NAMES)),
          supported,
          'What is served: `client`, `federation`, ...',
        ),
        compress: option(bool, supported, false, 'Whether answers are compressed with gzip.'),
      }),
    ),
    supported,
    [],
    'What an `http` listener serves.',
  ),
  additional_resources: option(
    map(anyMap),
    accepted('Python modules cannot be loaded'),
    {},
    'Paths served by Python modules.',
  ),
}

/** The listeners as written; `listeners.ts` one folder up turns them into what is opened. */
export const listenerList = list(object(listenerFields))

export type WrittenListener = Values<typeof listenerFields>
