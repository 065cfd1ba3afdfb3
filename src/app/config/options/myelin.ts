import { anyMap, list, oneOf, orNull, section } from '../compound-types.ts'
import { later, option, supported } from '../option.ts'
import { int, ipRange, path, size } from '../types.ts'

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const

/** Our own additions, all under `myelin:`. */
export const myelin = {
  myelin: section(supported, 'What Synapse has no option for.', {
    data_dir: option(
      orNull(path),
      later,
      null,
      'Folder of what this server keeps beside its database.',
      'the folder of the last configuration file',
    ),
    trusted_proxies: option(
      orNull(list(ipRange)),
      supported,
      null,
      'Addresses whose `X-Forwarded-For` is believed on listeners with `x_forwarded`.',
      'loopback, Unix sockets and private ranges',
    ),
    log_level: option(
      orNull(oneOf(...LOG_LEVELS)),
      supported,
      null,
      'Least severity that is logged; goes before `log_config`.',
      'from `log_config`, else info',
    ),
    cache_bytes: option(size, supported, '64M', 'Memory of all caches together.'),
    well_known_support: option(
      orNull(anyMap),
      supported,
      null,
      'Content of `/.well-known/matrix/support`: `contacts`, `support_page`.',
      'there is no such file',
    ),
    well_known_policy_server: option(
      orNull(anyMap),
      supported,
      null,
      'Content of `/.well-known/matrix/policy_server`: `public_keys` with the key `ed25519` of a policy server under this name.',
      'there is no such file',
    ),
    reader_threads: option(int(1, 64), supported, 2, 'Threads that run long reads of the database.'),
  }),
}
