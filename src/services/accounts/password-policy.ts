/** What a new password must look like: `password_config.policy`. */
import { MatrixError } from '#/protocol/errors.ts'
import type { PasswordPolicy } from './options.ts'

/**
 * Throws M_WEAK_PASSWORD; the member `reason` holds the code that Synapse gives, such as M_PASSWORD_TOO_SHORT, which
 * clients of MSC2000 know. An empty password is refused without any policy (adv-69).
 */
export function checkPassword(policy: PasswordPolicy | undefined, password: string): void {
  if (password === '') throw weak('M_PASSWORD_TOO_SHORT', 'The password is empty.')
  if (policy === undefined) return
  const least = policy.minimumLength
  if ([...password].length < least) {
    throw weak('M_PASSWORD_TOO_SHORT', `The password must have at least ${least} characters.`)
  }
  if (policy.requireDigit && !/[0-9]/.test(password)) {
    throw weak('M_PASSWORD_NO_DIGIT', 'The password must have a digit.')
  }
  if (policy.requireSymbol && !/[^a-zA-Z0-9]/.test(password)) {
    throw weak('M_PASSWORD_NO_SYMBOL', 'The password must have a symbol.')
  }
  if (policy.requireUppercase && !/[A-Z]/.test(password)) {
    throw weak('M_PASSWORD_NO_UPPERCASE', 'The password must have an upper-case letter.')
  }
  if (policy.requireLowercase && !/[a-z]/.test(password)) {
    throw weak('M_PASSWORD_NO_LOWERCASE', 'The password must have a lower-case letter.')
  }
}

function weak(reason: string, sentence: string): MatrixError<'M_WEAK_PASSWORD'> {
  return new MatrixError('M_WEAK_PASSWORD', sentence, { reason })
}
