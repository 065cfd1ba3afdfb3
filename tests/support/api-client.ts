/**
 * A client inside the process: it gives requests to a dispatch, and holds every answer against the specification's
 * data. An answer that is not as specified fails the test that asked.
 */
import assert from 'node:assert/strict'
import type { Dispatch } from '#/http/dispatch.ts'
import { CLIENT_GONE } from '#/http/errors.ts'
import type { Reply } from '#/http/reply.ts'
import { validateResponse } from '../spec/validate.ts'
import { called } from './covers.ts'

/** Answers are of any shape; a test says what it expects of them. */
// biome-ignore lint/suspicious/noExplicitAny: the shapes are the specification's, checked against its data.
export type Json = any

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly json: Json
}

export interface CallOptions {
  readonly signal?: AbortSignal
  /** False for answers that hold events whose content a test made bad on purpose. */
  readonly events?: boolean
  /** True for an answer that gives back what a test kept there in a bad form on purpose. */
  readonly kept?: boolean
  readonly headers?: Readonly<Record<string, string>>
}

export type Method = 'GET' | 'PUT' | 'POST' | 'DELETE'

/** The values of a query; undefined ones are left out. */
export type Query = Readonly<Record<string, string | number | boolean | undefined>>

export class ApiClient {
  readonly #dispatch: Dispatch
  userId = ''
  deviceId = ''
  token: string | undefined
  #txns = 0

  constructor(dispatch: Dispatch) {
    this.#dispatch = dispatch
  }

  /** Takes on the session of an answer to registration or login. */
  become(session: { user_id: string; device_id: string; access_token: string }): void {
    this.userId = session.user_id
    this.deviceId = session.device_id
    this.token = session.access_token
  }

  /** A transaction id that this client has not used. */
  txn(): string {
    return `txn-${++this.#txns}`
  }

  /** `body` is made JSON, but for strings and bytes, which are sent as they are. */
  async call(method: Method, url: string, body?: unknown, options: CallOptions = {}): Promise<Answer> {
    const authorization = this.token === undefined ? {} : { authorization: `Bearer ${this.token}` }
    const reply = await this.#dispatch({
      method,
      url,
      headers: { ...authorization, ...options.headers },
      remote: '127.0.0.1',
      signal: options.signal ?? new AbortController().signal,
      ...(body === undefined ? {} : { body: bytesOf(body) }),
    })
    if (reply.status === CLIENT_GONE.status) return { status: reply.status, headers: reply.headers, json: {} }
    const text = await textOf(reply)
    const json = reply.headers['Content-Type'] === 'application/json' ? JSON.parse(text) : undefined
    called(method, url, reply.status, json?.errcode)
    const { events } = options
    const own = options.kept === true && reply.status === 200
    const wrong = own
      ? []
      : validateResponse(method, url, reply.status, json, events === undefined ? {} : { events })
    assert.deepEqual(wrong, [], `an answer that is not as specified: ${text.slice(0, 2000)}`)
    return { status: reply.status, headers: reply.headers, json }
  }

  /** The JSON of an answer that must be a success. */
  async ok(method: Method, url: string, body?: unknown, options?: CallOptions): Promise<Json> {
    const answer = await this.call(method, url, body, options)
    assert.equal(answer.status, 200, `${method} ${url}: ${JSON.stringify(answer.json)}`)
    return answer.json
  }

  get(url: string, query: Query = {}, options?: CallOptions): Promise<Json> {
    return this.ok('GET', withQuery(url, query), undefined, options)
  }

  put(url: string, body: unknown, options?: CallOptions): Promise<Json> {
    return this.ok('PUT', url, body, options)
  }

  post(url: string, body: unknown = {}, options?: CallOptions): Promise<Json> {
    return this.ok('POST', url, body, options)
  }

  /** The JSON of an answer that must be this refusal. */
  async refused(expected: string, method: Method, url: string, body?: unknown): Promise<Json> {
    const { status, json } = await this.call(method, url, body)
    assert.equal(`${status} ${json?.errcode}`, expected, `${method} ${url}: ${JSON.stringify(json)}`)
    return json
  }
}

/** `url` with `query`, and each value encoded. */
export function withQuery(url: string, query: Query): string {
  const parts = Object.entries(query)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${encodeURIComponent(String(value))}`)
  return parts.length === 0 ? url : `${url}?${parts.join('&')}`
}

function bytesOf(body: unknown): Uint8Array {
  if (body instanceof Uint8Array) return body
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
}

async function textOf({ body }: Reply): Promise<string> {
  if (body === undefined) return ''
  if (typeof body === 'string' || body instanceof Uint8Array) return Buffer.from(body as string).toString()
  const chunks: Buffer[] = []
  for await (const chunk of body) chunks.push(Buffer.from(chunk as string))
  return Buffer.concat(chunks).toString()
}
