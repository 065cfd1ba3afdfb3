import { SpecDocuments, step } from './documents.ts'
import { EventChecker } from './events.ts'
import { findOperation, isOldForm } from './match.ts'
import type { Operation } from './operations.ts'
import { specDir } from './spec-dir.ts'

/** `events: false` for answers that hold events with content that a test made bad on purpose. */
export type CheckOptions = { events?: boolean }

/**
 * Paths that the specification speaks of; others, and those of proposals, are not for it to judge, nor are answers to
 * delayed events (MSC4140), which have the paths of others. `v4/sync` is that of a proposal which was merged and is in
 * no version yet. `v1/refresh`, `api/v1` and `v2_alpha` are older names of what it has. The pages of
 * `static/` and `auth/` are described in words alone, and `password_policy` (MSC2000) is what Synapse has beyond it.
 */
const SPECIFIED =
  /^\/(_matrix|\.well-known\/matrix)\/(?!static\/|client\/(v4\/sync|v1\/refresh|api\/v1|v2_alpha|(v3|r0)\/(auth\/|password_policy(\?|$))))(?!.*(\/unstable\/|[?&]org\.matrix\.msc4140\.))/

/** Checks real responses against the specification's OpenAPI data in one folder. */
export class SpecValidator {
  readonly #documents: SpecDocuments
  readonly #events: EventChecker

  constructor(folder: string) {
    this.#documents = new SpecDocuments(folder)
    this.#events = new EventChecker(folder, this.#documents)
  }

  /**
   * Everything wrong with a response, one line each; empty when it is as specified.
   * `body` is the parsed JSON, or undefined when the response has no JSON body.
   */
  validateResponse(
    method: string,
    path: string,
    status: number,
    body: unknown,
    options: CheckOptions = {},
  ): string[] {
    if (!SPECIFIED.test(path) || isOldForm(method, path)) return []
    const operation = findOperation(method, path)
    const errors = operation
      ? this.#againstOperation(operation, status, body)
      : isUnrecognized(status, body)
        ? []
        : [`the specification has no such operation, and the answer is not M_UNRECOGNIZED`]
    if (options.events !== false && status < 300) errors.push(...this.#events.check(body))
    return errors.map((error) => `${method} ${path} ${status} ${error}`)
  }

  #againstOperation(operation: Operation, status: number, body: unknown): string[] {
    if (isTokenError(status, body)) return errorShape(body)
    const places = operation.at.flatMap(({ file, key }) => this.#responsePlace(operation, file, key, status))
    if (places.length === 0) return standardErrors(status, body)
    // An operation that the data lists twice may answer as either says.
    const results = places.map((place) => this.#againstResponse(place, status, body))
    return results.reduce((a, b) => (b.length < a.length ? b : a))
  }

  /** Where the response of this status is described: none, or one place with references followed. */
  #responsePlace(operation: Operation, file: string, key: string, status: number): string[] {
    const base = `${file}#/paths${step(key)}/${operation.method.toLowerCase()}/responses`
    for (const name of [`${status}`, `${Math.floor(status / 100)}XX`, 'default']) {
      const found = this.#documents.resolve(base + step(name))
      if (found) return [found.place]
    }
    return []
  }

  #againstResponse(place: string, status: number, body: unknown): string[] {
    const json = `${place}/content/application~1json`
    const schema = `${json}/schema`
    if (this.#documents.resolve(schema)) {
      if (body === undefined) return ['has no JSON body']
      return this.#documents.check(schema, body)
    }
    // Errors are described in words only at some places; their shape is the same everywhere.
    return status >= 400 && !this.#documents.resolve(`${place}/content`) ? errorShape(body) : []
  }
}

let shared: SpecValidator | undefined

/**
 * SpecValidator.validateResponse on the specification of this run. Nothing is ever wrong where the
 * specification is absent; tests/spec/validate.test.ts shows that as a skip, and CI does not allow it.
 */
export function validateResponse(
  method: string,
  path: string,
  status: number,
  body: unknown,
  options?: CheckOptions,
): string[] {
  const folder = specDir()
  if (!folder) return []
  shared ??= new SpecValidator(folder)
  return shared.validateResponse(method, path, status, body, options)
}

/** A status of which the specification says nothing at this operation: any 4xx of the common shape. */
function standardErrors(status: number, body: unknown): string[] {
  if (status < 400 || status > 499) return ['the specification does not know this status here']
  return errorShape(body)
}

/** https://spec.matrix.org/latest/client-server-api/#standard-error-response */
function errorShape(body: unknown): string[] {
  const { errcode, error } = (body ?? {}) as { errcode?: unknown; error?: unknown }
  const errors: string[] = []
  if (typeof errcode !== 'string' || !/^[A-Z][A-Z0-9_.]+$/i.test(errcode))
    errors.push(`/errcode: is no error code: ${JSON.stringify(errcode)}`)
  if (typeof error !== 'string') errors.push('/error: must be a string')
  return errors
}

/**
 * The answers to a bad access token at any endpoint. Where an endpoint has user-interactive authentication the data
 * describes that 401 alone. https://spec.matrix.org/v1.19/client-server-api/#using-access-tokens
 */
function isTokenError(status: number, body: unknown): boolean {
  const { errcode } = (body ?? {}) as { errcode?: unknown }
  return status === 401 && /^M_(MISSING_TOKEN|UNKNOWN_TOKEN|USER_LOCKED)$/.test(`${errcode}`)
}

function isUnrecognized(status: number, body: unknown): boolean {
  const { errcode } = (body ?? {}) as { errcode?: unknown }
  return (status === 404 || status === 405) && errcode === 'M_UNRECOGNIZED'
}
