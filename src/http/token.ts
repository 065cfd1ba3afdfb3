/** Access tokens in requests. https://spec.matrix.org/v1.16/client-server-api/#using-access-tokens */
import { MatrixError } from '#/protocol/errors.ts'
import { TOKEN_CHARS_MAX } from './limits.ts'
import type { RequestInfo } from './request.ts'

/**
 * The token of `Authorization: Bearer`, else of `?access_token=`; undefined when there is none. A header of
 * another kind is refused, as Synapse does.
 */
export function accessToken(request: RequestInfo): string | undefined {
  const header = request.header('authorization')
  if (header !== undefined) {
    const token = bearer(header)
    if (token === undefined)
      throw new MatrixError('M_MISSING_TOKEN', 'The Authorization header is not "Bearer <token>".')
    return token
  }
  if (!request.queryText.includes('access_token=')) return undefined
  const token = request.query.get('access_token')
  return token === '' || (token !== undefined && token.length > TOKEN_CHARS_MAX) ? undefined : token
}

function bearer(header: string): string | undefined {
  if (header.length > TOKEN_CHARS_MAX || header.length < 8 || header.charCodeAt(6) !== 0x20) return undefined
  if (!header.startsWith('Bearer') && header.slice(0, 6).toLowerCase() !== 'bearer') return undefined
  const token = header.slice(7).trim()
  return token === '' || token.includes(' ') ? undefined : token
}
