import { join, resolve } from 'node:path'
import { stringify } from 'yaml'
import type { Rng } from '#/base/world.ts'

/** What a new server's configuration depends on. */
export interface NewServer {
  readonly serverName: string
  /** Folder of the configuration, the signing key and the database. */
  readonly dataDir: string
  readonly rng: Rng
}

/** Where the files of a new server are. */
export interface NewServerPaths {
  readonly config: string
  readonly signingKey: string
  readonly database: string
}

const SECRET_CHARS = 50
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

/** A random secret for the configuration: 50 letters and digits, about 297 bits. */
export function randomSecret(rng: Rng): string {
  return Array.from({ length: SECRET_CHARS }, () => ALPHABET[rng.below(ALPHABET.length)]).join('')
}

/** Absolute paths of the files of a new server. */
export function newServerPaths({
  serverName,
  dataDir,
}: Pick<NewServer, 'serverName' | 'dataDir'>): NewServerPaths {
  const folder = resolve(dataDir)
  return {
    config: join(folder, 'homeserver.yaml'),
    signingKey: join(folder, `${serverName}.signing.key`),
    database: join(folder, 'homeserver.db'),
  }
}

/**
 * The text of homeserver.yaml for a new server: one HTTP listener on this machine only, SQLite, registration closed,
 * fresh secrets.
 */
export function generateConfig({ serverName, dataDir, rng }: NewServer): string {
  const paths = newServerPaths({ serverName, dataDir })
  const value = (text: string) => stringify(text, { defaultStringType: 'QUOTE_DOUBLE', lineWidth: 0 }).trim()
  return `# Configuration of this Matrix server. The keys are those of Synapse's homeserver.yaml;
# docs/configuration.md lists all of them. This file holds secrets: keep it private.

# The name after the colon in every user ID. It can never change.
server_name: ${value(serverName)}

# The address clients use, once a reverse proxy with TLS stands in front:
# public_baseurl: https://${/^[\w.:-]+$/.test(serverName) ? serverName : 'example.org'}/

# Reached from this machine only. The proxy passes the client's address on.
listeners:
  - port: 8008
    bind_addresses: ["127.0.0.1"]
    type: http
    x_forwarded: true
    resources:
      - names: [client, federation]

database:
  name: sqlite3
  args:
    database: ${value(paths.database)}

# Nobody can register, except with a token or through the secret below.
enable_registration: false
# Who knows this can make accounts, administrators too.
registration_shared_secret: ${value(randomSecret(rng))}

# These sign tokens and forms. Changing them logs nobody out, but ends what is under way.
macaroon_secret_key: ${value(randomSecret(rng))}
form_secret: ${value(randomSecret(rng))}

# Signs everything this server says to others. Keep a copy in a safe place.
signing_key_path: ${value(paths.signingKey)}

# A server that knows the keys of many others.
trusted_key_servers:
  - server_name: matrix.org

report_stats: false
`
}
