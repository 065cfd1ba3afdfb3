/** `register-user`: the shared-secret registration of a running server. */
import { createHmac } from 'node:crypto'
import { StoreError } from '#/base/store-error.ts'
import { reasonOf } from '#/base/system-error.ts'
import type { Config } from '../config/config.ts'
import { loadConfig } from '../config/load.ts'
import { configPathsOrDefault } from '../first-run.ts'
import { readOwnFile } from '../own-file.ts'
import { readNewPassword } from './ask.ts'

export interface RegisterUserOptions {
  readonly configPath: readonly string[]
  readonly user?: string
  readonly passwordFile?: string
  readonly admin: boolean
  /** Absent: the first listener of the configuration that clients can use. */
  readonly url?: string
}

const PATH = '/_synapse/admin/v1/register'

export async function registerUser(options: RegisterUserOptions): Promise<void> {
  const { config } = loadConfig(configPathsOrDefault(options.configPath))
  const secret = config.registration.registrationSharedSecret
  if (secret === null) throw refused('The configuration has no registration_shared_secret.')
  const { user } = options
  if (user === undefined) throw refused('Give the name of the account with --user.')
  const password =
    options.passwordFile === undefined
      ? await readNewPassword(`Password of ${user}: `)
      : readOwnFile(options.passwordFile, 'the password').replace(/\r?\n$/, '')
  if (password === '') throw refused('The password is empty.')
  const url = addressOf(options.url ?? ownAddress(config))
  const { nonce } = (await call(url, undefined)) as { nonce: string }
  const mac = createHmac('sha1', secret.reveal())
    .update([nonce, user, password, options.admin ? 'admin' : 'notadmin'].join('\0'))
    .digest('hex')
  const made = await call(url, { nonce, username: user, password, admin: options.admin, mac })
  process.stdout.write(`Made ${(made as { user_id: string }).user_id}.\n`)
}

function addressOf(given: string): URL {
  const url = URL.parse(PATH, given)
  if (url && /^https?:$/.test(url.protocol)) return url
  throw refused(`--url must be an address such as http://localhost:8008, not ${given}`)
}

/** Addresses that stand for all of this machine's, and where it hears itself. */
const EVERYWHERE: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '[::1]' }

/** Where this machine reaches the server of a configuration; with TLS under the name that its certificate has. */
export function ownAddress({ listeners, server }: Pick<Config, 'listeners' | 'server'>): string {
  for (const listener of listeners) {
    if (listener.kind !== 'tcp' || listener.tls || !listener.resources.includes('client')) continue
    const hosts = listener.bindAddresses.map((address) => EVERYWHERE[address] ?? address)
    const host = hosts.find((each) => !each.includes(':')) ?? hosts[0]
    if (host === undefined) continue
    return `http://${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${listener.port}`
  }
  return server.publicBaseurl
}

async function call(url: URL, body: object | undefined): Promise<object> {
  const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }
  let response: Response
  try {
    response = await fetch(url, init)
  } catch (error) {
    throw refused(`The server at ${url.origin} does not answer: ${reasonOf((error as Error).cause ?? error)}`)
  }
  const answer = (await response.json().catch(() => undefined)) as { error?: string } | undefined
  if (typeof answer !== 'object' || answer === null)
    throw refused(`What answers at ${url.origin} (status ${response.status}) is no Matrix server; see --url.`)
  if (!response.ok) throw refused(`The server refused: ${answer.error ?? response.status}`)
  return answer
}

function refused(text: string): StoreError {
  return new StoreError('refused', text)
}
