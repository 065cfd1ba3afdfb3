/**
 * A route is one declaration: path, specification, auth, limit, schemas and handler. Types of the call
 * follow.
 */

import type { Errcode } from '#/protocol/errors.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import type { LimitName } from './limit-names.ts'
import type { Reply } from './reply.ts'
import type { RequestInfo } from './request.ts'
import type { Requester, RequestingServer } from './requester.ts'
import type { Static, TSchema } from './schema.ts'

export type Method = 'GET' | 'PUT' | 'POST' | 'DELETE' | 'PATCH'

/**
 * Who may call, and with it the type of `who`. There is no default (adv-58).
 * - none: anyone; `who` is undefined.
 * - user: a full account; guests get M_GUEST_ACCESS_FORBIDDEN.
 * - guest: a full account or a guest.
 * - optional: as guest, or nobody; a token that is sent must be good.
 * - admin: an account that is server administrator; others get M_FORBIDDEN.
 * - server: a federation request with a good X-Matrix signature over the body.
 * - sharedSecret: the handler checks a secret or MAC in the request itself; `who` is undefined.
 */
export interface WhoByAuth {
  none: undefined
  user: Requester
  guest: Requester
  optional: Requester | undefined
  admin: Requester
  server: RequestingServer
  sharedSecret: undefined
}
export type AuthKind = keyof WhoByAuth

/** Names of the `:parameters` of a path; `*` at its end is the rest of the path. */
export type ParamNames<Path extends string> = Path extends `${string}:${infer Name}/${infer Rest}`
  ? Name | ParamNames<`/${Rest}`>
  : Path extends `${string}:${infer Name}`
    ? Name
    : Path extends `${string}/*`
      ? '*'
      : never

/** Turns the decoded text of a path parameter into a value; undefined refuses it with M_INVALID_PARAM. */
export type ParamParser = (text: string) => unknown
export type ParamParsers<Path extends string> = { readonly [K in ParamNames<Path>]?: ParamParser }

/** A parser of parameters that may be empty, such as a state key. */
export const anyText = (text: string): string => text

/** Types of `params`: what the parser returns, else string. */
export type Params<Path extends string, P> = {
  readonly [K in ParamNames<Path>]: K extends keyof P
    ? P[K] extends (text: string) => infer R
      ? Exclude<R, undefined>
      : string
    : string
}

/**
 * What becomes of the request's body.
 * - a schema: JSON, checked; `body` has its type.
 * - 'event': a JSON object read by the protocol's own reader, which refuses what canonical JSON refuses.
 * - 'bytes': the whole body as it is; 'stream': pieces as they arrive. Both with the limit enforced.
 * - absent: the body is not read.
 */
export type BodyKind = TSchema | 'event' | 'bytes' | 'stream'

export type BodyOf<B> = B extends 'event'
  ? JsonObject
  : B extends 'bytes'
    ? Uint8Array
    : B extends 'stream'
      ? AsyncIterable<Uint8Array>
      : B extends TSchema
        ? Static<B>
        : undefined

/** What a handler gets. */
export interface Call<Who = unknown, P = unknown, Q = unknown, B = unknown> {
  readonly who: Who
  readonly params: P
  readonly query: Q
  readonly body: B
  readonly request: RequestInfo
}

/** A plain object is answered with 200 as JSON. */
export type Answer = object | Reply

/** What does not depend on types. */
interface RouteFacts {
  readonly method: Method
  /**
   * The specification's section, for example `client-server-api/#post_matrixclientv3createroom`; or an MSC,
   * or 'own'.
   */
  readonly spec: string
  /** Operation ids of the OpenAPI files that this route serves; for the generated list of endpoints. */
  readonly operations?: readonly string[]
  /**
   * The rate limit that dispatch applies after authentication, by its configuration key; its table in
   * limit-names.ts says whether user or address is counted. 'service': the service counts, because it alone
   * knows the key or whether the request is a repetition. 'none': not limited.
   */
  readonly limit: LimitName | 'service' | 'none'
  /**
   * What the request is to the rules about who may use the server: a sync, or the writing of events, of which joining
   * is told apart. Absent: nothing, such as leaving a room, which is always possible.
   */
  readonly use?: 'sync' | 'event' | 'join'
  /** Bytes of the body; default by auth, see limits.ts. */
  readonly bodyBytesMax?: number
  /** An empty body counts as `{}`. Clients send none where nothing is required. */
  readonly emptyBody?: boolean
  /** Reads a body that has a schema with the protocol's own reader: for content that is kept or sent on. */
  readonly strictJson?: boolean
  /** Statuses of error codes where the specification wants another one here. */
  readonly statuses?: { readonly [C in Errcode]?: number }
  /**
   * Value of the metric label `servlet`; Synapse's name where its dashboards show this endpoint. Default:
   * path.
   */
  readonly servlet?: string
  /** Does not write the request line at level info: for probes that come every second. */
  readonly quiet?: boolean
}

/** A declaration as `route` takes it. */
export interface RouteSpec<
  Path extends string,
  A extends AuthKind,
  P extends ParamParsers<Path>,
  Q extends TSchema | undefined,
  B extends BodyKind | undefined,
> extends RouteFacts {
  readonly path: Path
  /** Other paths of the same endpoint (r0, v1, unstable), with the same parameters. */
  readonly also?: readonly string[]
  readonly auth: A
  readonly params?: P
  /** An object schema. Numbers, booleans and arrays are converted from text; other parameters are ignored. */
  readonly query?: Q
  readonly body?: B
  handle(
    call: Call<WhoByAuth[A], Params<Path, P>, Q extends TSchema ? Static<Q> : undefined, BodyOf<B>>,
  ): Answer | Promise<Answer>
}

/** A declaration without its types, as tables hold it. */
export interface Route extends RouteFacts {
  readonly path: string
  readonly also?: readonly string[]
  readonly auth: AuthKind
  readonly params?: { readonly [name: string]: ParamParser | undefined }
  readonly query?: TSchema | undefined
  readonly body?: BodyKind | undefined
  handle(call: Call<never, never, never, never>): Answer | Promise<Answer>
}

/** Declares a route. It does nothing by itself; `createDispatch` checks the table and serves it. */
export function route<
  const Path extends string,
  A extends AuthKind,
  const P extends ParamParsers<Path> = Record<never, never>,
  Q extends TSchema | undefined = undefined,
  B extends BodyKind | undefined = undefined,
>(spec: RouteSpec<Path, A, P, Q, B>): Route {
  return spec as unknown as Route
}
