/** The table of routes, checked and compiled at start. */
import type { CounterCell, GaugeCell, HistogramCell } from '#/base/metrics.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { LIMITS, type LimitName } from './limit-names.ts'
import { BODY_BYTES_ANONYMOUS, BODY_BYTES_SERVER, BODY_BYTES_USER, PATH_PARAM_CHARS_MAX } from './limits.ts'
import { decodeComponent, type Query } from './query.ts'
import type { AuthKind, Route } from './route.ts'
import { RouteTree, templateNames } from './route-tree.ts'
import { bodyCheck, type Check, queryReader, unsafePart } from './validate.ts'

/** The cells of one route's metrics; `byStatus` fills as statuses appear. */
export interface RouteMetrics {
  readonly received: CounterCell
  readonly inFlight: GaugeCell
  readonly byStatus: Map<number, { readonly responses: CounterCell; readonly seconds: HistogramCell }>
}

/** A route ready to serve. */
export interface CompiledRoute {
  readonly route: Route
  /** All parameters of the path; an alias may have fewer. */
  readonly names: readonly string[]
  readonly limit: LimitName | undefined
  readonly limitBy: 'user' | 'address'
  readonly bodyBytesMax: number
  readonly readQuery: ((query: Query) => unknown) | undefined
  readonly checkBody: Check | undefined
  readonly metrics: RouteMetrics
}

const BODY_BYTES: Readonly<Record<AuthKind, number>> = {
  none: BODY_BYTES_ANONYMOUS,
  sharedSecret: BODY_BYTES_ANONYMOUS,
  optional: BODY_BYTES_ANONYMOUS,
  user: BODY_BYTES_USER,
  guest: BODY_BYTES_USER,
  admin: BODY_BYTES_USER,
  server: BODY_BYTES_SERVER,
}

const METHODS: ReadonlySet<string> = new Set(['GET', 'PUT', 'POST', 'DELETE', 'PATCH'])

/**
 * Checks and compiles. Throws on duplicates, bad paths, unknown auth kinds and limits, aliases with other
 * parameters, parsers of parameters that are not in the path, and unsafe schemas.
 */
export function compileRoutes(
  routes: readonly Route[],
  metricsOf: (route: Route) => RouteMetrics,
): RouteTree<CompiledRoute> {
  const tree = new RouteTree<CompiledRoute>()
  for (const route of routes) {
    const compiled = compileRoute(route, metricsOf(route))
    tree.add(route.method, route.path, compiled)
    for (const alias of route.also ?? []) tree.add(route.method, alias, compiled)
  }
  return tree
}

function compileRoute(route: Route, metrics: RouteMetrics): CompiledRoute {
  const fail = (why: string): never => {
    throw new Error(`route ${route.method} ${route.path}: ${why}`)
  }
  if (!METHODS.has(route.method)) fail('unknown method')
  if (!Object.hasOwn(BODY_BYTES, route.auth)) fail(`unknown auth '${route.auth}'`)
  const names = templateNames(route.path)
  for (const name of Object.keys(route.params ?? {}))
    if (!names.includes(name)) fail(`no parameter ${name} in the path`)
  for (const alias of route.also ?? []) {
    for (const name of templateNames(alias))
      if (!names.includes(name)) fail(`the alias ${alias} has another parameter`)
  }
  const schema = typeof route.body === 'object' ? route.body : undefined
  for (const [part, value] of [
    ['query', route.query],
    ['body', schema],
  ] as const) {
    const unsafe = unsafePart(value, part)
    if (unsafe !== undefined) fail(`${unsafe}; see t in schema.ts`)
  }
  if (route.query !== undefined && !('properties' in route.query)) fail('query is not an object schema')
  const limited = route.limit !== 'none' && route.limit !== 'service'
  const facts = limited && Object.hasOwn(LIMITS, route.limit) ? LIMITS[route.limit as LimitName] : undefined
  if (limited && facts === undefined) fail(`unknown limit '${route.limit}'`)
  if (facts?.by === 'service') fail(`${route.limit} is counted by services; say limit: 'service'`)
  const userKnown = route.auth === 'user' || route.auth === 'guest' || route.auth === 'admin'
  if (facts?.by === 'user' && !userKnown) fail(`${route.limit} counts users, and auth is '${route.auth}'`)
  return {
    route,
    names,
    limit: limited ? (route.limit as LimitName) : undefined,
    limitBy: facts?.by === 'user' || facts?.by === 'caller' ? 'user' : 'address',
    bodyBytesMax: route.bodyBytesMax ?? BODY_BYTES[route.auth],
    readQuery: route.query === undefined ? undefined : queryReader(route.query),
    checkBody: schema === undefined ? undefined : bodyCheck(schema),
    metrics,
  }
}

const badParam = (name: string): MatrixError =>
  new MatrixError('M_INVALID_PARAM', `The ${name} in the path is not valid.`)

/**
 * Decodes and parses the parameters of a path. Parameters that an alias leaves out are the empty text; only a
 * parser can accept that.
 * @throws M_INVALID_PARAM
 */
export function readParams(
  compiled: CompiledRoute,
  names: readonly string[],
  texts: readonly string[],
): Record<string, unknown> {
  const parsers = compiled.route.params
  const params: Record<string, unknown> = {}
  for (const name of compiled.names) {
    const at = names.indexOf(name)
    const text = at < 0 ? '' : decodeComponent(texts[at]!)
    if (text === undefined || text.length > PATH_PARAM_CHARS_MAX) throw badParam(name)
    const parser = parsers?.[name]
    const value = parser === undefined ? text || undefined : parser(text)
    if (value === undefined) throw badParam(name)
    params[name] = value
  }
  return params
}
