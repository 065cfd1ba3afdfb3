/** TLS material of a listener. */
import type { SecureContextOptions } from 'node:tls'

/** Certificate chain and key in PEM, as Synapse's tls_certificate_path and tls_private_key_path hold them. */
export interface TlsMaterial extends Pick<SecureContextOptions, 'cert' | 'key' | 'minVersion'> {
  readonly cert: string | Buffer
  readonly key: string | Buffer
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
}
