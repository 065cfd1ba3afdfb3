import { list, oneOf, orNull, section } from '../compound-types.ts'
import { later, laterGuard, option, supported } from '../option.ts'
import { bool, duration, glob, int, number, path, string } from '../types.ts'

/** Group "TLS". */
export const tls = {
  tls_certificate_path: option(
    orNull(path),
    supported,
    null,
    'Certificate with its chain, PEM, for listeners with `tls`. Read again on SIGHUP.',
  ),
  tls_private_key_path: option(orNull(path), supported, null, 'Private key of that certificate, PEM.'),
  federation_verify_certificates: option(
    bool,
    later,
    true,
    'Whether certificates of other servers are checked.',
  ),
  federation_client_minimum_tls_version: option(
    oneOf('1', '1.1', '1.2', '1.3'),
    laterGuard,
    '1',
    'Lowest TLS version spoken to other servers.',
  ),
  federation_certificate_verification_whitelist: option(
    orNull(list(glob)),
    later,
    [],
    'Servers whose certificates are not checked.',
  ),
  federation_custom_ca_list: option(
    orNull(list(path, 1)),
    later,
    null,
    'Certificate authorities for other servers, PEM, in the place of the system’s.',
    'the system’s',
  ),
}

/** Group "Federation". */
export const federation = {
  federation_domain_whitelist: option(
    orNull(list(string)),
    laterGuard,
    null,
    'The only servers to federate with; an empty list for none.',
    'all',
  ),
  federation_whitelist_endpoint_enabled: option(bool, later, false, 'Whether clients may read that list.'),
  federation_metrics_domains: option(list(string), later, [], 'Servers whose delays are measured.'),
  allow_profile_lookup_over_federation: option(
    bool,
    laterGuard,
    true,
    'Whether other servers may read profiles.',
  ),
  allow_device_name_lookup_over_federation: option(
    bool,
    later,
    false,
    'Whether other servers see the names users gave their devices.',
  ),
  federation: section(later, 'Timeouts and retries of requests to other servers.', {
    client_timeout: option(duration, later, '60s', 'Longest time of one request.'),
    max_short_retry_delay: option(duration, later, '2s', 'Longest wait between tries while someone waits.'),
    max_long_retry_delay: option(duration, later, '60s', 'Longest wait between other tries.'),
    max_short_retries: option(int(0), later, 3, 'Tries while someone waits.'),
    max_long_retries: option(int(0), later, 10, 'Other tries.'),
    destination_min_retry_interval: option(duration, later, '10m', 'First pause after a server failed.'),
    destination_retry_multiplier: option(number, later, 2, 'Growth of that pause.'),
    destination_max_retry_interval: option(duration, later, '1w', 'Longest such pause.'),
  }),
}
