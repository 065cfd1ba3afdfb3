/** `register-user`: the shared-secret registration of a running server. */
import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { StoreError } from '#/base/store-error.ts'
import { loadConfig } from '../config/load.ts'
import { configPathsOrDefault } from '../first-run.ts'
import { readSecretLine } from './ask.ts'

export interface RegisterUserOptions {
  readonly configPath: readonly string[]
  readonly user?: string
  readonly passwordFile?: string
  readonly admin: boolean
  readonly url: string
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
      ? await readSecretLine(`Password of ${user}: `)
      : readFileSync(options.passwordFile, 'utf8').replace(/\r?\n$/, '')
  if (password === '') throw refused('The password is empty.')
  const url = new URL(PATH, options.url)
  const { nonce } = (await call(url, undefined)) as { nonce: string }
  const mac = createHmac('sha1', secret.reveal())
    .update([nonce, user, password, options.admin ? 'admin' : 'notadmin'].join('\0'))
    .digest('hex')
  const made = await call(url, { nonce, username: user, password, admin: options.admin, mac })
  process.stdout.write(`Made ${(made as { user_id: string }).user_id}.\n`)
}

async function call(url: URL, body: object | undefined): Promise<object> {
  const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }
  let response: Response
  try {
    response = await fetch(url, init)
  } catch (error) {
    throw refused(`The server at ${url.origin} does not answer: ${(error as Error).message}`)
  }
  const answer = (await response.json()) as { error?: string }
  if (!response.ok) throw refused(`The server refused: ${answer.error ?? response.status}`)
  return answer
}

function refused(text: string): StoreError {
  return new StoreError('refused', text)
}
