/**
 * User-interactive authentication as a reusable flow. The 401 that asks for more stages is an answer, not an
 * error.
 * https://spec.matrix.org/v1.16/client-server-api/#user-interactive-authentication-api
 */
import type { Clock, Rng } from '#/base/world.ts'
import type { Errcode } from '#/protocol/errors.ts'
import { isObject, type JsonObject, type JsonValue, member } from '#/protocol/json/value.ts'
import { UIA_FAILURES_MAX, UIA_SESSION_MS_MAX } from './limits.ts'
import { json, type Reply } from './reply.ts'

/** Stages that together suffice, for example `['m.login.registration_token', 'm.login.dummy']`. */
export type UiaFlow = readonly string[]

/**
 * What is remembered between the requests of one session. There is no room for request bodies in it: they
 * hold passwords (adv-66).
 */
export interface UiaSession {
  readonly id: string
  /** What the session was begun for; it can prove nothing else. */
  readonly operation: string
  readonly createdAtMs: number
  /** Finished stages and what each of them chose to keep (a token's name, a verified address). */
  readonly completed: Readonly<Record<string, JsonValue>>
  readonly failures: number
}

/** Where sessions live. Updates of one session come one after the other only if the client sends them so. */
export interface UiaSessionStore {
  create(session: UiaSession): Promise<void>
  get(id: string): Promise<UiaSession | undefined>
  /** Marks a stage as finished. Other stages of the session stay as they are. */
  complete(id: string, stage: string, kept: JsonValue): Promise<void>
  /** Counts a failed stage. */
  fail(id: string): Promise<void>
  delete(id: string): Promise<void>
}

/** `keep` goes into the session: never a secret. */
export type UiaStageResult =
  | { readonly ok: true; readonly keep?: JsonValue }
  | { readonly ok: false; readonly errcode: Errcode; readonly error: string }

/** One way to prove something, such as `m.login.password`. */
export interface UiaStage {
  /** What clients must know beforehand (`params` in the answer), such as the key of a captcha. */
  params?(): JsonObject
  /**
   * Judges what a client sent. A thrown MatrixError (a rate limit) becomes the answer of the whole request.
   */
  check(auth: JsonObject, request: UiaRequest, session: UiaSession): Promise<UiaStageResult>
}

export interface UiaRequest {
  readonly flows: readonly UiaFlow[]
  /** The member `auth` of the request's body, as it came. */
  readonly auth: JsonValue | undefined
  /** Names the operation and its object, for example `DELETE device ABC`. */
  readonly operation: string
  /** Whose account it is about; absent for registration and forgotten passwords. */
  readonly userId?: string
  /** Address of the client. */
  readonly remote: string
  /** The device that asks, where the account's holder does. */
  readonly deviceId?: string | undefined
  /** Whether a proof that the device gave lately is enough. Never for what ends or opens an account. */
  readonly skippable?: boolean
}

export type UiaOutcome =
  | {
      readonly done: true
      /** For `finish`, once the operation has succeeded. */
      readonly session: string
      readonly completed: Readonly<Record<string, JsonValue>>
    }
  | { readonly done: false; readonly reply: Reply }

export interface UiaDeps {
  readonly store: UiaSessionStore
  /**
   * Every stage this server can check, by type. Which of them count is decided by the flows of each request.
   */
  readonly stages: Readonly<Record<string, UiaStage>>
  readonly clock: Clock
  readonly rng: Rng
  /** Proofs given lately, by user and device; absent where each operation wants its own. */
  readonly recent?: {
    holds(userId: string, deviceId: string): boolean
    note(userId: string, deviceId: string): void
  }
}

/** The session of an operation that needed none. */
const NO_SESSION = ''

export class Uia {
  readonly #deps: UiaDeps

  constructor(deps: UiaDeps) {
    this.#deps = deps
  }

  /**
   * Takes one request through the flow. `done` when one of its flows is complete; else `reply` is the answer.
   * A complete session stays good for the same operation until `finish`, because the operation may still fail
   * for other reasons (a name that is taken) and be tried again.
   */
  async run(request: UiaRequest): Promise<UiaOutcome> {
    for (const stage of request.flows.flat()) {
      if (!Object.hasOwn(this.#deps.stages, stage))
        throw new Error(`UIA stage ${stage} is offered, not implemented`)
    }
    const { userId, deviceId } = request
    const known = userId !== undefined && deviceId !== undefined
    if (request.skippable && known && this.#deps.recent?.holds(userId, deviceId)) {
      return { done: true, session: NO_SESSION, completed: {} }
    }
    const outcome = await this.#proceed(request)
    if (outcome.done && known) this.#deps.recent?.note(userId, deviceId)
    return outcome
  }

  async #proceed(request: UiaRequest): Promise<UiaOutcome> {
    const auth = isObject(request.auth) ? request.auth : undefined
    const sessionId = auth === undefined ? undefined : member(auth, 'session')
    let session: UiaSession
    if (typeof sessionId === 'string') {
      const known = await this.#known(sessionId)
      if (known === undefined) return unknownSession()
      if (known.operation !== operationOf(request)) return changedOperation()
      session = known
    } else session = await this.#begin(request)
    const type = auth === undefined ? undefined : member(auth, 'type')
    if (auth === undefined || typeof type !== 'string') return this.#judge(request, session)
    if (Object.hasOwn(session.completed, type)) return this.#judge(request, session)
    return this.#attempt(request, session, auth, type)
  }

  /** Forgets a session whose operation has succeeded. */
  async finish(session: string): Promise<void> {
    if (session !== NO_SESSION) await this.#deps.store.delete(session)
  }

  /** Whether a session is under way. */
  async knows(session: string): Promise<boolean> {
    return (await this.#known(session)) !== undefined
  }

  /**
   * Completes one stage of a session by its fallback page; undefined where there is no such session. It proves
   * something only where the session's operation offers the stage (adv-68).
   */
  async completeStage(
    id: string,
    type: string,
    auth: JsonObject,
    remote: string,
  ): Promise<UiaStageResult | undefined> {
    const session = await this.#known(id)
    if (session === undefined) return undefined
    const stage = Object.hasOwn(this.#deps.stages, type) ? this.#deps.stages[type] : undefined
    if (stage === undefined) throw new Error(`UIA stage ${type} has a page, but is not implemented`)
    if (Object.hasOwn(session.completed, type)) return { ok: true }
    const { operation } = session
    const result = await stage.check(auth, { flows: [[type]], auth, operation, remote }, session)
    if (result.ok) await this.#deps.store.complete(id, type, result.keep ?? true)
    else if (session.failures + 1 >= UIA_FAILURES_MAX) await this.#deps.store.delete(id)
    else await this.#deps.store.fail(id)
    return result
  }

  async #attempt(
    request: UiaRequest,
    session: UiaSession,
    auth: JsonObject,
    type: string,
  ): Promise<UiaOutcome> {
    // adv-68: what is not offered here proves nothing, even where another endpoint would take it.
    const offered = request.flows.some((flow) => flow.includes(type))
    const result: UiaStageResult = offered
      ? await this.#deps.stages[type]!.check(auth, request, session)
      : { ok: false, errcode: 'M_UNRECOGNIZED', error: 'This kind of authentication is not offered here.' }
    if (result.ok) {
      const kept = result.keep ?? true
      await this.#deps.store.complete(session.id, type, kept)
      return this.#judge(request, { ...session, completed: { ...session.completed, [type]: kept } })
    }
    if (session.failures + 1 >= UIA_FAILURES_MAX) {
      await this.#deps.store.delete(session.id)
      return this.#judge(request, await this.#begin(request), result)
    }
    await this.#deps.store.fail(session.id)
    return this.#judge(request, session, result)
  }

  #judge(
    request: UiaRequest,
    session: UiaSession,
    failure?: { readonly errcode: Errcode; readonly error: string },
  ): UiaOutcome {
    const { completed } = session
    if (request.flows.some((flow) => flow.every((stage) => Object.hasOwn(completed, stage)))) {
      return { done: true, session: session.id, completed }
    }
    const params: Record<string, JsonObject> = {}
    for (const stage of request.flows.flat()) {
      const public_ = this.#deps.stages[stage]?.params?.()
      if (public_ !== undefined) params[stage] = public_
    }
    const body = {
      ...(failure === undefined ? {} : { errcode: failure.errcode, error: failure.error }),
      completed: Object.keys(completed),
      flows: request.flows.map((stages) => ({ stages })),
      params,
      session: session.id,
    }
    return { done: false, reply: json(401, body) }
  }

  async #begin(request: UiaRequest): Promise<UiaSession> {
    const session: UiaSession = {
      id: this.#deps.rng.bytes(18).toString('base64url'),
      operation: operationOf(request),
      createdAtMs: this.#deps.clock.now(),
      completed: {},
      failures: 0,
    }
    await this.#deps.store.create(session)
    return session
  }

  async #known(id: string): Promise<UiaSession | undefined> {
    const session = await this.#deps.store.get(id)
    if (session === undefined) return undefined
    return this.#deps.clock.now() - session.createdAtMs > UIA_SESSION_MS_MAX ? undefined : session
  }
}

function operationOf(request: UiaRequest): string {
  return `${request.userId ?? ''} ${request.operation}`
}

function unknownSession(): UiaOutcome {
  return { done: false, reply: json(400, { errcode: 'M_UNKNOWN', error: 'Unknown authentication session.' }) }
}

function changedOperation(): UiaOutcome {
  const error = 'The requested operation has changed during the authentication session.'
  return { done: false, reply: json(403, { errcode: 'M_FORBIDDEN', error }) }
}
