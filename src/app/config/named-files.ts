/** What must be in the files that a configuration names, before a server starts with them. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { reasonOf } from '#/base/system-error.ts'
import { parseSigningKeys } from '#/protocol/crypto/signing-key-file.ts'
import { diskReader, type FileReader } from './files.ts'
import type { Loaded } from './load.ts'
import { ConfigError, type Problem } from './problems.ts'

/**
 * Checks the signing key, and certificate and key of TLS. Not part of loading, because a database can be restored or
 * verified without them.
 * @throws ConfigError
 */
export function checkNamedFiles(loaded: Loaded, files: FileReader = diskReader()): void {
  const problems: Problem[] = []
  const expect: Expect = (key, text) => problems.push({ ...loaded.placeOf(key), text: `expected ${text}` })
  signing(loaded, files, expect)
  if (loaded.config.listeners.some((one) => one.kind === 'tcp' && one.tls)) certificate(loaded, files, expect)
  if (problems.length > 0) throw new ConfigError(problems, loaded.warnings)
}

type Expect = (key: string, text: string) => void

/** The key that signs everything; one that is not there yet is made at the first start. */
function signing({ config }: Loaded, files: FileReader, expect: Expect): void {
  const { signingKey, signingKeyPath: path } = config.keys
  if (signingKey === null && !files.exists(path)) return
  try {
    const keys = parseSigningKeys(signingKey?.reveal() ?? files.readText(path))
    if (keys.ok) return
    if (signingKey === null)
      expect('signing_key_path', `a signing key that can be used in ${path}: ${keys.why}`)
    else expect('signing_key', `a signing key that can be used: ${keys.why}`)
  } catch (error) {
    expect('signing_key_path', `a readable file: ${path}: ${reasonOf(error)}`)
  }
}

/** Read here, so that a wrong file is told at the start and not by the first client. */
function certificate({ config }: Loaded, files: FileReader, expect: Expect): void {
  const { tlsCertificatePath, tlsPrivateKeyPath } = config.tls
  if (tlsCertificatePath === null || tlsPrivateKeyPath === null) return
  const chain = read(tlsCertificatePath, files, (text) => new X509Certificate(text))
  if (typeof chain === 'string') expect('tls_certificate_path', `a file with a certificate in PEM: ${chain}`)
  const key = read(tlsPrivateKeyPath, files, createPrivateKey)
  if (typeof key === 'string') expect('tls_private_key_path', `a file with a private key in PEM: ${key}`)
  if (typeof chain === 'string' || typeof key === 'string' || chain.checkPrivateKey(key)) return
  expect('tls_private_key_path', 'the private key of the certificate; this one belongs to another')
}

function read<T extends object>(path: string, files: FileReader, parse: (text: string) => T): T | string {
  if (!files.exists(path)) return `there is no ${path}`
  try {
    return parse(files.readText(path))
  } catch (error) {
    const { code } = error as { code?: unknown }
    const isForm = typeof code === 'string' && code.startsWith('ERR_')
    return `${path}: ${isForm ? 'that is none, or one with a passphrase' : reasonOf(error)}`
  }
}
