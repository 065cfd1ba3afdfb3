import { type Api, type Operation, specLink } from '../spec/operations.ts'

/** What the list needs to know of a route. */
export type RouteFacts = { method: string; path: string; also?: readonly string[]; spec: string }

/** Test files by the endpoint they cover (`GET /path/{parameter}`). */
export type Coverage = Map<string, string[]>

const TITLES: Record<Api, string> = {
  'client-server': 'Client-server API',
  'server-server': 'Server-server API',
  'application-service': 'Application service API (requests that the server makes)',
  identity: 'Identity service API',
  'push-gateway': 'Push gateway API (a request that the server makes)',
}
const SPECIFICATION = 'https://spec.matrix.org/latest/'
const HEAD = `# Endpoints

Every operation of the Matrix specification, whether this server has it, and the tests that cover it; then what
it has beyond the specification. Generated from the specification's OpenAPI data, the route table and the tests;
to update it run \`UPDATE_DOCS=1 node --test tests/docs/endpoints.test.ts\`.
`

/** The text of docs/endpoints.md. Deterministic: order is that of the operations, then of path and method. */
export function endpointsDoc(operations: Operation[], routes: RouteFacts[], coverage: Coverage): string {
  const served = new Set(routes.flatMap(({ method, path, also = [] }) => [path, ...also].map(shape(method))))
  const rows = operations.map((operation) => {
    const has = served.has(shape(operation.method)(operation.path))
    return { operation, has, tests: coverage.get(`${operation.method} ${operation.path}`) ?? [] }
  })
  const sections = (Object.keys(TITLES) as Api[]).map((api) => {
    const own = rows.filter(({ operation }) => operation.api === api)
    const lines = own.map(({ operation, has, tests }) => {
      const text = `[${operation.method} \`${operation.path}\`](${SPECIFICATION}${specLink(operation)})`
      const old = operation.deprecated ? ' (deprecated)' : ''
      return `| ${text}${old} | ${has ? 'served' : 'not yet'} | ${names(tests)} |`
    })
    const count = `${own.filter(({ has }) => has).length} of ${own.length} served`
    return `## ${TITLES[api]}\n\n${count}\n\n| Operation | Status | Tests |\n|---|---|---|\n${lines.join('\n')}\n`
  })
  const count = (some: typeof rows) => some.length
  const summary = [
    `${count(rows.filter(({ has }) => has))} of ${count(rows)} operations are served`,
    `${count(rows.filter(({ has, tests }) => has && tests.length > 0))} of them are covered by API tests.`,
  ].join('; ')
  return [HEAD, `${summary}\n`, ...sections, beyond(operations, routes, coverage)].join('\n')
}

/** Routes that are no operation of the specification. Other paths of the same route are not listed. */
function beyond(operations: Operation[], routes: RouteFacts[], coverage: Coverage): string {
  const specified = new Set(operations.map(({ method, path }) => shape(method)(path)))
  const own = routes
    .filter(({ method, path, also = [] }) => ![path, ...also].some((p) => specified.has(shape(method)(p))))
    .map(({ method, path, spec }) => ({ method, path: templated(path), spec }))
    .sort((a, b) => compare(a.path, b.path) || compare(a.method, b.method))
  const lines = own.map(({ method, path, spec }) => {
    const about = spec.includes('/#') ? `[variant](${SPECIFICATION}${spec})` : spec
    return `| ${method} \`${path}\` | ${about} | ${names(coverage.get(`${method} ${path}`) ?? [])} |`
  })
  return `## Beyond the specification\n\n| Endpoint | What | Tests |\n|---|---|---|\n${lines.join('\n')}\n`
}

/** Routes whose link does not lead to the operation they serve, one line each. */
export function wrongLinks(operations: Operation[], routes: RouteFacts[]): string[] {
  const byShape = new Map(operations.map((operation) => [shape(operation.method)(operation.path), operation]))
  return routes.flatMap(({ method, path, spec }) => {
    const operation = byShape.get(shape(method)(path))
    if (!operation || spec === specLink(operation)) return []
    return [`${method} ${path}: spec is '${spec}', should be '${specLink(operation)}'`]
  })
}

/** Names in covers() that are neither an operation nor a route, one line each. */
export function unknownCoverage(operations: Operation[], routes: RouteFacts[], coverage: Coverage): string[] {
  const known = new Set(operations.map(({ method, path }) => `${method} ${path}`))
  for (const { method, path, also = [] } of routes)
    for (const each of [path, ...also]) known.add(`${method} ${templated(each)}`)
  return [...coverage]
    .filter(([endpoint]) => !known.has(endpoint))
    .map(([endpoint, files]) => `${files.join(', ')}: covers('${endpoint}') is no endpoint`)
}

/** Endpoints that no `covers()` can name, and why. */
const NOT_COVERED: Readonly<Record<string, string>> = {
  'GET /health': 'tests/server asks the program itself',
  'GET /_synapse/metrics': 'tests/server asks the program itself',
  'POST /_matrix/client/v1/appservice/{appserviceId}/ping': 'nothing succeeds on a server without bridges',
  'PUT /_matrix/client/v3/directory/list/appservice/{networkId}/{roomId}':
    'nothing succeeds on a server without bridges',
  'GET /_matrix/client/v3/thirdparty/protocol/{protocol}': 'nothing succeeds on a server without bridges',
  'GET /_matrix/client/v3/thirdparty/location/{protocol}': 'nothing succeeds on a server without bridges',
  'GET /_matrix/client/v3/thirdparty/user/{protocol}': 'nothing succeeds on a server without bridges',
}

/**
 * Endpoints that are served and that no test file covers with all kinds of tests. Variants of a path count as the
 * operation that their link leads to.
 */
export function uncovered(
  operations: Operation[],
  routes: RouteFacts[],
  whole: ReadonlySet<string>,
): string[] {
  const byShape = new Map(operations.map((operation) => [shape(operation.method)(operation.path), operation]))
  const byLink = new Map(operations.map((operation) => [specLink(operation), operation]))
  const names = routes.map((route) => {
    const known = [route.path, ...(route.also ?? [])].flatMap(
      (path) => byShape.get(shape(route.method)(path)) ?? [],
    )
    const operation = known[0] ?? byLink.get(route.spec)
    return operation ? `${operation.method} ${operation.path}` : `${route.method} ${templated(route.path)}`
  })
  return [...new Set(names)].filter((name) => !whole.has(name) && NOT_COVERED[name] === undefined).sort()
}

/** A path with its parameters' names left out, so that ours and the specification's can be compared. */
const shape = (method: string) => (path: string) => `${method} ${path.replace(/(\{[^}]*\}|:\w+|\*)/g, '{}')}`

/** `/a/:b` as `/a/{b}`. */
const templated = (path: string) => path.replace(/:(\w+)/g, '{$1}')

const names = (tests: string[]) => tests.map((file) => `\`${file.replace(/^tests\/api\//, '')}\``).join(', ')

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
