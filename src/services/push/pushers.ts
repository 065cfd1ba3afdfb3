/** Pushers: where notifications of a user are to be sent. https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3pushersset */
import type { Clock } from '#/base/world.ts'
import type { PusherRow } from '#/ports/store/push.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import { APP_ID_CHARS_MAX, PUSHER_DATA_BYTES_MAX, PUSHERS_MAX, PUSHKEY_BYTES_MAX } from './limits.ts'

/** The only path to which notifications are sent. */
const GATEWAY_PATH = '/_matrix/push/v1/notify'

/** A pusher as a client asks for it. */
export interface WantedPusher {
  readonly appId: string
  readonly pushkey: string
  readonly kind: string
  readonly appDisplayName: string | undefined
  readonly deviceDisplayName: string | undefined
  readonly profileTag: string | undefined
  readonly lang: string | undefined
  readonly data: JsonObject | undefined
  readonly append: boolean
}

export class Pushers {
  readonly #store: Store
  readonly #clock: Clock
  readonly #changed: (userId: string) => Promise<void>

  constructor(deps: { store: Store; clock: Clock; changed: (userId: string) => Promise<void> }) {
    this.#store = deps.store
    this.#clock = deps.clock
    this.#changed = deps.changed
  }

  /** The user's pushers as clients read them. */
  async list(userId: string): Promise<JsonObject[]> {
    const rows = await this.#store.push.pushers(userId)
    return rows.map(({ appId, pushkey, kind, data }) => ({
      ...(JSON.parse(data) as JsonObject),
      app_id: appId,
      pushkey,
      kind,
    }))
  }

  /** Sets a pusher for a device. Throws M_MISSING_PARAM, M_INVALID_PARAM. */
  async set(userId: string, deviceId: string, wanted: WantedPusher): Promise<void> {
    checkNames(wanted)
    const { appId, pushkey, kind, data } = wanted
    if (kind !== 'http') {
      throw new MatrixError('M_INVALID_PARAM', `This server has no pushers of the kind '${kind}'.`)
    }
    const shown = shownData(wanted)
    checkGateway(data?.['url'])
    const text = JSON.stringify(shown)
    if (Buffer.byteLength(text) > PUSHER_DATA_BYTES_MAX) {
      throw new MatrixError('M_INVALID_PARAM', `A pusher has at most ${PUSHER_DATA_BYTES_MAX} bytes of data.`)
    }
    const ts = this.#clock.now()
    const pusher: PusherRow = { user: userId, appId, pushkey, kind, device: deviceId, data: text, ts }
    const result = await this.#store.commit({
      lane: userId,
      ops: [{ op: 'pusher.put', pusher, append: wanted.append, max: PUSHERS_MAX }],
    })
    if (!result.ok) throw new MatrixError('M_INVALID_PARAM', `You have ${PUSHERS_MAX} pushers already.`)
    await this.#changed(userId)
  }

  /** Takes a pusher away; one that is not there is gone already. */
  async delete(userId: string, appId: string, pushkey: string): Promise<void> {
    await this.#store.commit({ lane: userId, ops: [{ op: 'pusher.delete', user: userId, appId, pushkey }] })
    await this.#changed(userId)
  }
}

function checkNames({ appId, pushkey }: WantedPusher): void {
  if (appId === '' || [...appId].length > APP_ID_CHARS_MAX) {
    throw new MatrixError('M_INVALID_PARAM', `app_id has 1 to ${APP_ID_CHARS_MAX} characters.`)
  }
  if (pushkey === '' || Buffer.byteLength(pushkey) > PUSHKEY_BYTES_MAX) {
    throw new MatrixError('M_INVALID_PARAM', `pushkey has 1 to ${PUSHKEY_BYTES_MAX} bytes.`)
  }
}

/** What clients see of a pusher besides its names. Throws M_MISSING_PARAM. */
function shownData(wanted: WantedPusher): JsonObject {
  const required = {
    app_display_name: wanted.appDisplayName,
    device_display_name: wanted.deviceDisplayName,
    lang: wanted.lang,
    data: wanted.data,
  }
  const missing = Object.entries(required).filter(([, value]) => value === undefined)
  if (missing.length > 0) {
    throw new MatrixError('M_MISSING_PARAM', `The body lacks ${missing.map(([name]) => name).join(', ')}.`)
  }
  const tag = wanted.profileTag === undefined ? {} : { profile_tag: wanted.profileTag }
  return { ...(required as JsonObject), ...tag }
}

/** "MUST be an HTTPS URL with a path of /_matrix/push/v1/notify". */
function checkGateway(url: unknown): void {
  if (url === undefined) throw new MatrixError('M_MISSING_PARAM', 'data lacks url.')
  const parsed = typeof url === 'string' && URL.canParse(url) ? new URL(url) : undefined
  if (parsed?.protocol !== 'https:' || parsed.pathname !== GATEWAY_PATH || parsed.username !== '') {
    throw new MatrixError(
      'M_INVALID_PARAM',
      `data.url must be an https address with the path ${GATEWAY_PATH}.`,
    )
  }
}
