/**
 * Schemas of query strings and request bodies: a short vocabulary, so that every string has a length (adv-34). TypeBox
 * gives the types, and nothing of it runs; what checks is in schema-check.ts.
 */
import type {
  Static,
  TArray,
  TBoolean,
  TInteger,
  TNull,
  TNumber,
  TObject,
  TProperties,
  TSchema,
  TString,
  TUnion,
  TUnsafe,
  Type,
} from 'typebox'
import type { EventId } from '#/protocol/ids/event-id.ts'
import type { RoomAlias } from '#/protocol/ids/room-alias.ts'
import type { RoomId } from '#/protocol/ids/room-id.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import type { JsonObject, JsonValue } from '#/protocol/json/value.ts'
import { ID_CHARS_MAX, TEXT_CHARS_DEFAULT } from './limits.ts'

export type { Static, TSchema }

/** Members that may be absent. */
const optional = new WeakSet<object>()

/** A schema as JSON Schema writes it, with the type that TypeBox gives to it. */
const schema = <T>(keywords: object): T => keywords as T

/** An object; members that are not named are allowed and kept, as the specification wants of servers. */
function object<P extends TProperties>(properties: P): TObject<P> {
  const required = Object.keys(properties).filter((name) => !optional.has(properties[name] as object))
  return schema({ type: 'object', ...(required.length > 0 ? { required } : {}), properties })
}

/** The same schema of a member that may be absent. */
function opt<S extends TSchema>(present: S): ReturnType<typeof Type.Optional<S>> {
  const copy = { ...present }
  optional.add(copy)
  return schema(copy)
}

/** One of some strings. */
function oneOf<const V extends readonly string[]>(...values: V): TUnsafe<V[number]> {
  return schema({ type: 'string', enum: [...values] })
}

/** An integer between two others, 2^53-1 by default. */
function int(minimum = -Number.MAX_SAFE_INTEGER, maximum = Number.MAX_SAFE_INTEGER) {
  return schema<TInteger>({ type: 'integer', minimum, maximum })
}

const id = <T extends string>() =>
  schema<TUnsafe<T>>({ type: 'string', minLength: 1, maxLength: ID_CHARS_MAX })

/** The vocabulary. Ids are checked for length here and by the parsers of protocol/ids where they are used. */
export const t = {
  object,
  oneOf,
  int,
  /** A string of at most `maxLength` characters. */
  text: (maxLength: number = TEXT_CHARS_DEFAULT) => schema<TString>({ type: 'string', maxLength }),
  bool: schema<TBoolean>({ type: 'boolean' }),
  /** Any finite number, fractions included (`order` of tags, `ts` of old clients). */
  number: schema<TNumber>({ type: 'number' }),
  /** The member may be absent. */
  opt,
  /** The member may be null. */
  nullable: <S extends TSchema>(present: S) =>
    schema<TUnion<[S, TNull]>>({ anyOf: [present, { type: 'null' }] }),
  array: <S extends TSchema>(items: S, maxItems = 10_000) =>
    schema<TArray<S>>({ type: 'array', items, maxItems }),
  /** An object whose keys are foreign and whose values share a schema. */
  record: <S extends TSchema>(value: S) =>
    schema<TUnsafe<{ [key: string]: Static<S> }>>({ type: 'object', additionalProperties: value }),
  /** Any JSON object. */
  json: schema<TUnsafe<JsonObject>>({ type: 'object' }),
  /** Any JSON value. */
  any: schema<TUnsafe<JsonValue>>({}),
  userId: id<UserId>(),
  roomId: id<RoomId>(),
  eventId: id<EventId>(),
  alias: id<RoomAlias>(),
  serverName: id<ServerName>(),
}
