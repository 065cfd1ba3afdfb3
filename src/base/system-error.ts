/** Errors of the operating system in words, for whoever started the program. */

/** What Node adds to an Error that a system call raised. */
interface SystemError {
  readonly code?: unknown
  readonly syscall?: unknown
  readonly path?: unknown
  readonly address?: unknown
  readonly port?: unknown
  readonly hostname?: unknown
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  EACCES: 'this user has no permission for it',
  EPERM: 'this user has no permission for it',
  EEXIST: 'it exists already and is not replaced',
  EISDIR: 'it is a folder, not a file',
  ENOTDIR: 'a part of this path is a file, not a folder',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota of this user is used up',
  EROFS: 'the disk is read-only',
  EIO: 'the disk has failed',
  ENAMETOOLONG: 'the name is too long',
  ELOOP: 'its links lead in a circle',
  EMFILE: 'this process has too many files open',
  ENFILE: 'this machine has too many files open',
  EPIPE: 'the reader has gone',
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection was broken off',
  EHOSTUNREACH: 'the machine cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
  ETIMEDOUT: 'nothing answered in time',
  ENOTFOUND: 'the name has no address',
  EAI_AGAIN: 'the name could not be looked up just now',
}

/** Why a system call failed, without what it was about; the error's own message where there are no words for it. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0])
  const { code, syscall } = error as SystemError
  if (code === 'EEXIST' && syscall === 'mkdir') return 'it is a file, not a folder'
  const reason = typeof code === 'string' && Object.hasOwn(REASONS, code) ? REASONS[code] : undefined
  return reason ?? error.message
}

/** What failed and why. */
export function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code, syscall, path, address, port, hostname } = error as SystemError
  if (syscall === 'listen' || syscall === 'bind') return listenSentence(error, { code, address, port })
  const about = path ?? hostname
  const reason = reasonOf(error)
  if (typeof about !== 'string' || reason === error.message) return reason
  return `${about}: ${reason}`
}

function listenSentence(error: Error, { code, address, port }: SystemError): string {
  const where = typeof port === 'number' && port >= 0 ? `${String(address)}:${port}` : String(address)
  switch (code) {
    case 'EADDRINUSE':
      return `address already in use ${where}: another program listens there; stop it, or change \`listeners\``
    case 'EADDRNOTAVAIL':
      return `cannot listen on ${where}: this machine does not have that address`
    case 'EACCES':
      return typeof port === 'number' && port > 0 && port < 1024
        ? `cannot listen on ${where}: ports below 1024 need a privilege (CAP_NET_BIND_SERVICE); use a higher one behind a proxy`
        : `cannot listen on ${where}: its folder does not exist, or this user has no permission for it`
    case 'EINVAL':
      return `cannot listen on ${where}: it is no address of a socket, or longer than a socket's path may be`
    default:
      return `cannot listen on ${where}: ${reasonOf(error)}`
  }
}
