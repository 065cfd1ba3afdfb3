/**
 * One seed: a few hundred requests to routes drawn from the table, most of them almost right. Whatever is sent, the
 * answer comes soon, is no 5xx and as the specification has it, and the server is sound afterwards.
 */
import assert from 'node:assert/strict'
import type { Route } from '#/http/route.ts'
import { SeededRng } from '../sim/seeded-rng.ts'
import { type Answer, type ApiClient, type Json, type Method, withQuery } from '../support/api-client.ts'
import { sync } from '../support/room-calls.ts'
import { sliding } from '../support/sliding-calls.ts'
import { bodies, contents, type Names, relations } from './contents.ts'
import { Scene } from './scene.ts'
import { plain, type Schema, Values, written } from './values.ts'

/** Requests of one seed, and after how many another room is made. */
const REQUESTS = 300
const ROOM_EVERY = 60
/** Milliseconds after which a request is given up by its client: it waits for news. */
const PATIENCE_MS = 300
/** Milliseconds within which every request must have ended, on a machine with other work too. */
const HANG_MS = 20_000

export interface FuzzResult {
  readonly requests: number
  /** Requests by the first digit of the answer's status. */
  readonly statuses: Readonly<Record<string, number>>
  /** Routes that were answered with success, as method and path. */
  readonly succeeded: ReadonlySet<string>
}

/** Paths whose answers are what clients keep here, in whatever form. */
const KEPT = /\/(account_data|dehydrated_device|filter|profile|pushers|pushrules|room_keys)\b/

interface Request {
  readonly method: Method
  readonly url: string
  readonly body: string | Uint8Array | undefined
  readonly headers: Readonly<Record<string, string>>
}

/** Runs a seed. Throws with the request that was answered wrongly. */
export async function fuzz(seed: string): Promise<FuzzResult> {
  const rng = new SeededRng(seed)
  const scene = await Scene.build(rng)
  const statuses: Record<string, number> = {}
  const succeeded = new Set<string>()
  try {
    const values = new Values(rng.fork('values'), scene.known)
    for (let i = 1; i <= REQUESTS; i++) {
      if (i % ROOM_EVERY === 0) await scene.room(rng.pick(['1', '6', '10', '11', '12']))
      const who = await scene.actor()
      const route = rng.pick(scene.server.assembled.routes)
      const request = requestTo(route, values, who)
      const answer = await ask(who, request, seed, scene)
      const digit = String(answer.status)[0]!
      statuses[digit] = (statuses[digit] ?? 0) + 1
      if (answer.status >= 300) continue
      scene.learn(answer.json, roomOf(request.url))
      succeeded.add(`${route.method} ${route.path}`)
    }
    await soundAfterwards(scene)
    return { requests: REQUESTS, statuses, succeeded }
  } finally {
    await scene.server.close()
  }
}

/** The room in a path. */
function roomOf(url: string): string | undefined {
  const encoded = /\/rooms\/([^/?]+)/.exec(url)?.[1]
  return encoded === undefined ? undefined : decodeURIComponent(encoded)
}

/** Sends one request and judges its answer. */
async function ask(who: ApiClient, request: Request, seed: string, scene: Scene): Promise<Answer> {
  const { method, url, body, headers } = request
  const gone = new AbortController()
  const patience = setTimeout(() => gone.abort(), PATIENCE_MS)
  const hang = Promise.withResolvers<never>()
  const limit = setTimeout(() => hang.reject(new Error(`no answer within ${HANG_MS} ms`)), HANG_MS)
  try {
    const options = { headers, signal: gone.signal, events: false, kept: KEPT.test(url) }
    const answer = await Promise.race([who.call(method, url, body, options), hang.promise])
    assert.ok(answer.status < 500, `status ${answer.status}`)
    const bugs = scene.server.log.splice(0).filter(({ level }) => level === 'error')
    assert.deepEqual(bugs, [], 'a bug in the log')
    return answer
  } catch (error) {
    const logged = scene.server.log.splice(0).filter(({ level }) => level === 'error')
    const shown = typeof body === 'string' ? body : body && `bytes ${Buffer.from(body).toString('hex')}`
    const lines = [
      `${method} ${url.slice(0, 2000)} as ${who.userId}`,
      `body: ${(shown ?? 'none').slice(0, 3000)}`,
      `log: ${logged
        .map((line) => JSON.stringify(line, errorText))
        .join('\n')
        .slice(0, 3000)}`,
      `replay: FUZZ_SEED=${seed} node --test tests/fuzz/fuzz.test.ts`,
    ]
    throw new Error(`${(error as Error).message}\n${lines.join('\n')}`, { cause: error })
  } finally {
    clearTimeout(patience)
    clearTimeout(limit)
  }
}

const errorText = (_: string, value: unknown): unknown => (value instanceof Error ? value.stack : value)

/** Nothing that was sent spoils what comes after: everybody syncs by all ways, and the database holds together. */
async function soundAfterwards(scene: Scene): Promise<void> {
  for (const who of scene.actors) {
    if (who.token === undefined) continue
    if ((await who.call('GET', '/_matrix/client/v3/account/whoami')).status !== 200) continue
    await sync(who, { full_state: true }, { events: false })
    if (who.userId.startsWith('@guest') || /^@\d/.test(who.userId)) continue
    const all = { ranges: [[0, 99]], timeline_limit: 50, required_state: [['*', '*']] }
    await sliding(who, { lists: { all } }, { timeout: 0 }, { events: false })
  }
  const bugs = scene.server.log.splice(0).filter(({ level }) => level === 'error')
  assert.deepEqual(bugs, [])
  assert.deepEqual(await scene.server.verify(), [])
}

function requestTo(route: Route, values: Values, who: ApiClient): Request {
  const { rng } = values
  const path = rng.pick([route.path, ...(route.also ?? [])])
  const room = values.known('room')
  const url = path.replace(/:(\w+)|\*/g, (_, name: string | undefined) =>
    segment(name ?? '', values, who, room),
  )
  const query = queryOf(route, values)
  return {
    method: route.method as Method,
    url: query === undefined ? url : `${url}?${query}`,
    body: bodyOf({ route, url, values, who, room }),
    headers: headersOf(values),
  }
}

/** What a body is made for. */
interface Target {
  readonly route: Route
  readonly url: string
  readonly values: Values
  readonly who: ApiClient
  readonly room: string
}

const KINDS: Readonly<Record<string, string>> = {
  roomId: 'room',
  eventId: 'event',
  threadRoot: 'event',
  userId: 'user',
  roomAlias: 'alias',
  roomIdOrAlias: 'alias',
  deviceId: 'device',
  filterId: 'filter',
  delayId: 'delay',
  type: 'type',
  eventType: 'type',
  kind: 'kind',
  ruleId: 'rule',
  receiptType: 'receipt',
  relType: 'relation',
  keyName: 'key',
  stateKey: 'user',
}

function segment(name: string, values: Values, who: ApiClient, room: string): string {
  const { rng } = values
  if (rng.chance(0.02))
    return rng.pick(['%', '%ff', '%00', '%ed%a0%80', '..', '.', '%2e%2e', '%2F', ';', '\\', '%c0%80'])
  if (name === 'userId' && rng.chance(0.7)) return encodeURIComponent(who.userId)
  if (name === 'roomId' && rng.chance(0.9)) return encoded(room)
  if (KINDS[name] === 'event' && rng.chance(0.8)) return encoded(values.known(`event of ${room}`))
  if (name === 'stateKey' && rng.chance(0.6)) return ''
  if (name === 'roomAlias' && rng.chance(0.3)) return encoded(`#new${rng.below(1e6)}:test.example`)
  if (name === 'roomIdOrAlias' && rng.chance(0.5)) return encoded(values.known('room'))
  if (name === 'txnId') return encoded(rng.chance(0.8) ? who.txn() : values.text())
  return encoded(values.known(KINDS[name] ?? name))
}

/** As part of a URL; lone surrogates cannot be, and become what a careless client makes of them. */
const encoded = (text: string): string => encodeURIComponent(text.toWellFormed())

function queryOf(route: Route, values: Values): string | undefined {
  const { rng } = values
  if (rng.chance(0.02))
    return rng.pick(['%', '=', '&&&=', 'a=%ff', '?', '#', `${'a=1&'.repeat(300)}`, 'x'.repeat(40_000)])
  const fields = Object.entries((route.query as Schema | undefined)?.properties ?? {})
  const query: Record<string, string> = {}
  for (const [name, field] of fields) {
    if (!rng.chance(0.45)) continue
    const value = name === 'timeout' && rng.chance(0.9) ? rng.pick([0, 1, 50]) : values.of(field, name)
    query[name] = plain(value).slice(0, 20_000).toWellFormed()
  }
  if ('filter' in query && rng.chance(0.7))
    query['filter'] = written(values.mutated(filterOf(values))).toWellFormed()
  if (rng.chance(0.05))
    query[values.text().slice(0, 50).toWellFormed()] = values.text().slice(0, 1000).toWellFormed()
  const text = withQuery('', query)
  return text === '' ? undefined : text.slice(1)
}

function namesOf({ values, who, room }: Target): Names {
  return {
    room: values.rng.chance(0.5) ? room : values.known('room'),
    event: values.rng.chance(0.8) ? values.known(`event of ${room}`) : values.known('event'),
    user: values.rng.chance(0.5) ? who.userId : values.known('user'),
    alias: values.known('alias'),
  }
}

const NO_NAMES: Names = { room: '!a:b', event: '$a', user: '@a:b', alias: '#a:b' }

/** A filter, for all of sync or for the messages of a room. */
function filterOf(values: Values): Json {
  const names = { ...NO_NAMES, room: values.known('room'), user: values.known('user') }
  const whole = bodies(names).find(([end]) => end.test('/filter'))![1]
  return values.rng.chance(0.5) ? whole : whole.room.timeline
}

function bodyOf(target: Target): string | Uint8Array | undefined {
  const { route, values } = target
  const { rng } = values
  if (route.body === undefined && rng.chance(0.9)) return undefined
  if (rng.chance(0.03)) return rng.bytes(rng.below(200))
  if (rng.chance(0.01)) return ' '.repeat(rng.pick([70_000, 14_000_000]))
  if (rng.chance(0.03)) return undefined
  const value = valueFor(target)
  const text = written(value)
  if (!rng.chance(0.02) || text.length === 0) return text
  const bytes = Buffer.from(text)
  bytes[rng.below(bytes.length)] = rng.below(256)
  return bytes
}

function valueFor(target: Target): Json {
  const { route, url, values } = target
  const { rng } = values
  const names = namesOf(target)
  if (route.body === 'event') {
    const all = contents(names)
    const type = Object.keys(all).find((each) => url.includes(encodeURIComponent(each)))
    const base = all[type !== undefined && rng.chance(0.8) ? type : rng.pick(Object.keys(all))]
    const content = rng.chance(0.2) ? { ...base, 'm.relates_to': rng.pick(relations(names)) } : base
    return changed(content, values)
  }
  const whole = bodies(names).find(([end]) => end.test(route.path))
  if (whole && rng.chance(0.7)) return changed(rng.chance(0.3) ? whole[1] : part(whole[1], values), values)
  return values.of(route.body as Schema | undefined)
}

/** Some of the members of a body. */
function part(value: Json, { rng }: Values): Json {
  return Object.fromEntries(Object.entries(value).filter(() => rng.chance(0.6)))
}

function changed(value: Json, values: Values): Json {
  const times = values.rng.weighted({ 0: 3, 1: 4, 2: 2, 5: 1 })
  let out = value
  for (let i = 0; i < Number(times); i++) out = values.mutated(out)
  return out
}

function headersOf(values: Values): Record<string, string> {
  const { rng } = values
  if (!rng.chance(0.05)) return {}
  return rng.pick([
    { authorization: 'Bearer ' },
    { authorization: `Bearer ${'x'.repeat(5000)}` },
    { authorization: 'Basic dXNlcjpwYXNz' },
    { authorization: 'Bearer \u00ff' },
    { 'content-encoding': 'gzip' },
    { 'content-type': 'text/plain; charset=utf-16' },
    { 'x-forwarded-for': "127.0.0.1, ' OR 1=1" },
    { 'user-agent': `${'y'.repeat(5000)}\u0000` },
    { 'accept-language': ','.repeat(1000) },
    { 'content-length': '-1' },
  ])
}
