/**
 * JSON values as the protocol core holds them. A JavaScript `number` here is always an integer within
 * +-(2^53 - 1) and never -0: it prints as it was read. Any other number of a JSON text (float, exponent, -0, too
 * great) is a `NumberToken` that keeps its characters, so that old room versions can be hashed.
 */

/** A number that is not a plain safe integer. Appears only in events of room versions 1 to 5. */
export class NumberToken {
  /** The characters of the JSON text, for example `1.50`, `1e3`, `-0`, `9223372036854775807`. */
  readonly token: string
  constructor(token: string) {
    this.token = token
  }
  /** The nearest double; `Infinity` when out of range. */
  toNumber(): number {
    return Number(this.token)
  }
  /** Whether the token is written as an integer: no fraction, no exponent. */
  isInteger(): boolean {
    return !/[.eE]/.test(this.token)
  }
  /** So that a token that leaks into an ordinary answer is still a JSON number (the nearest one). */
  toJSON(): number {
    return Number(this.token)
  }
}

export type JsonScalar = null | boolean | number | string
export type JsonArray = readonly JsonValue[]
export interface JsonObject {
  readonly [key: string]: JsonValue
}
export type JsonValue = JsonScalar | NumberToken | JsonArray | JsonObject

/** True for a JSON object; false for arrays, tokens, null and scalars. */
export function isObject(value: JsonValue | undefined): value is JsonObject {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof NumberToken)
  )
}

/** True for a JSON array. */
export function isArray(value: JsonValue | undefined): value is JsonArray {
  return Array.isArray(value)
}

/** The member `key`, or undefined. Foreign keys such as `constructor` never reach Object.prototype. */
export function member(object: JsonObject, key: string): JsonValue | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined
}

/** Sets a member even when the key is `__proto__`. For objects under construction. */
export function setMember(object: Record<string, JsonValue>, key: string, value: JsonValue): void {
  if (key === '__proto__') {
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true })
  } else object[key] = value
}
