/**
 * Schemas of query strings and request bodies: a short vocabulary over TypeBox, so that every string has a
 * length (adv-34) and every type follows. Import `t` from here, not TypeBox.
 */
import { type Static, type TObject, type TProperties, type TSchema, type TUnsafe, Type } from 'typebox'
import type { EventId } from '#/protocol/ids/event-id.ts'
import type { RoomAlias } from '#/protocol/ids/room-alias.ts'
import type { RoomId } from '#/protocol/ids/room-id.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import type { JsonObject, JsonValue } from '#/protocol/json/value.ts'
import { ID_CHARS_MAX, TEXT_CHARS_DEFAULT } from './limits.ts'

export type { Static, TSchema }

/** An object; members that are not named are allowed and kept, as the specification wants of servers. */
function object<P extends TProperties>(properties: P): TObject<P> {
  return Type.Object(properties)
}

/** One of some strings. */
function oneOf<const V extends readonly string[]>(...values: V): TUnsafe<V[number]> {
  return Type.Unsafe<V[number]>({ type: 'string', enum: [...values] })
}

/** An integer between two others, 2^53-1 by default. */
function int(minimum = -Number.MAX_SAFE_INTEGER, maximum = Number.MAX_SAFE_INTEGER) {
  return Type.Integer({ minimum, maximum })
}

const id = <T extends string>() => Type.Unsafe<T>({ type: 'string', minLength: 1, maxLength: ID_CHARS_MAX })

/** The vocabulary. Ids are checked for length here and by the parsers of protocol/ids where they are used. */
export const t = {
  object,
  oneOf,
  int,
  /** A string of at most `maxLength` characters. */
  text: (maxLength: number = TEXT_CHARS_DEFAULT) => Type.String({ maxLength }),
  bool: Type.Boolean(),
  /** Any finite number, fractions included (`order` of tags, `ts` of old clients). */
  number: Type.Number(),
  /** The member may be absent. */
  opt: Type.Optional,
  /** The member may be null. */
  nullable: <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()]),
  array: <S extends TSchema>(items: S, maxItems = 10_000) => Type.Array(items, { maxItems }),
  /** An object whose keys are foreign and whose values share a schema. */
  record: <S extends TSchema>(value: S) =>
    Type.Unsafe<{ [key: string]: Static<S> }>({ type: 'object', additionalProperties: value }),
  union: Type.Union,
  literal: Type.Literal,
  /** Any JSON object. */
  json: Type.Unsafe<JsonObject>({ type: 'object' }),
  /** Any JSON value. */
  any: Type.Unsafe<JsonValue>({}),
  userId: id<UserId>(),
  roomId: id<RoomId>(),
  eventId: id<EventId>(),
  alias: id<RoomAlias>(),
  serverName: id<ServerName>(),
}
