/**
 * Checks a JSON value against the keywords that the vocabulary of schema.ts makes, and no others. Findings come in the
 * order and in the words of TypeBox, whose types the vocabulary has: loading it would take a third of a start.
 */
import { FINDINGS_MAX } from './limits.ts'
import type { TSchema } from './schema.ts'

/** What is wrong, and where (a JSON pointer, empty for the whole). */
export interface Finding {
  readonly keyword: string
  readonly instancePath: string
  readonly message: string
  /** Of `required`: the members that are absent. */
  readonly absent?: readonly string[]
}

export interface Checker {
  /** Whether the value is as the schema wants. */
  fits(value: unknown): boolean
  /** What is wrong with it; at most FINDINGS_MAX, and the same for each `anyOf` before its own. */
  findings(value: unknown): readonly Finding[]
}

/** Where findings go: without a list the first one ends the check. */
class Notes {
  readonly list: Finding[] = []

  add(keyword: string, instancePath: string, message: string, absent?: readonly string[]): void {
    if (this.full) return
    this.list.push({ keyword, instancePath, message, ...(absent === undefined ? {} : { absent }) })
  }

  get full(): boolean {
    return this.list.length >= FINDINGS_MAX
  }
}

/** True when `value` fits. `notes` gets every reason why not, and then all parts are looked at. */
type Test = (value: unknown, path: string, notes: Notes | undefined) => boolean

interface Keywords {
  readonly type?: string
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, Keywords>>
  readonly additionalProperties?: Keywords
  readonly items?: Keywords
  readonly maxItems?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly enum?: readonly string[]
  readonly anyOf?: readonly Keywords[]
}

/** Every keyword that is understood, in the order in which it is looked at. */
const KEYWORDS: { readonly [K in keyof Required<Keywords>]: (wanted: Required<Keywords>[K]) => Test } = {
  type: typeTest,
  required: requiredTest,
  additionalProperties: (schema) => {
    const each = testOf(schema)
    const whole: Test = (value, path, notes) =>
      all(Object.entries(value as object), notes, ([name, member]) =>
        each(member, below(path, name, notes), notes),
      )
    return explained(isObject, 'additionalProperties', 'must not have additional properties', whole)
  },
  properties: propertiesTest,
  items: (schema) => {
    const each = testOf(schema)
    return (value, path, notes) =>
      !Array.isArray(value) ||
      all(value, notes, (item, index) => each(item, notes ? `${path}/${index}` : '', notes))
  },
  maxItems: (most) =>
    simple(
      'maxItems',
      `must not have more than ${most} items`,
      (value) => !Array.isArray(value) || value.length <= most,
    ),
  minLength: (least) =>
    simple(
      'minLength',
      `must not have fewer than ${least} characters`,
      (value) => typeof value !== 'string' || !shorter(value, least),
    ),
  maxLength: (most) =>
    simple(
      'maxLength',
      `must not have more than ${most} characters`,
      (value) => typeof value !== 'string' || shorter(value, most + 1),
    ),
  minimum: (least) =>
    simple('minimum', `must be >= ${least}`, (value) => !Number.isFinite(value) || Number(value) >= least),
  maximum: (most) =>
    simple('maximum', `must be <= ${most}`, (value) => !Number.isFinite(value) || Number(value) <= most),
  enum: (values) =>
    simple('enum', 'must be equal to one of the allowed values', (value) =>
      (values as readonly unknown[]).includes(value),
    ),
  anyOf: anyOfTest,
}

/** @throws Error for a keyword that nobody checks. */
export function checkerOf(schema: TSchema): Checker {
  const test = testOf(schema as Keywords)
  return {
    fits: (value) => test(value, '', undefined),
    findings: (value) => {
      const notes = new Notes()
      test(value, '', notes)
      return notes.list
    },
  }
}

function testOf(schema: Keywords): Test {
  const unknown = Object.keys(schema).find((keyword) => !Object.hasOwn(KEYWORDS, keyword))
  if (unknown !== undefined) throw new Error(`a schema with '${unknown}', which is not checked`)
  const tests = Object.entries(KEYWORDS).flatMap(([keyword, make]) => {
    const wanted = schema[keyword as keyof Keywords]
    return wanted === undefined ? [] : [(make as (wanted: unknown) => Test)(wanted)]
  })
  return (value, path, notes) => {
    if (notes !== undefined) return !notes.full && all(tests, notes, (test) => test(value, path, notes))
    for (const test of tests) if (!test(value, path, undefined)) return false
    return true
  }
}

/** Whether each passes. All are looked at when notes are taken, else none after one that does not. */
function all<T>(
  items: readonly T[],
  notes: Notes | undefined,
  passes: (item: T, index: number) => boolean,
): boolean {
  if (notes === undefined) return items.every(passes)
  let good = true
  for (const [index, item] of items.entries()) {
    if (!passes(item, index)) good = false
    if (notes.full) break
  }
  return good
}

function simple(keyword: string, message: string, passes: (value: unknown) => boolean): Test {
  return (value, path, notes) => {
    if (passes(value)) return true
    notes?.add(keyword, path, message)
    return false
  }
}

/** A test of what `concerns` picks, with a finding of its own after those of the parts. */
function explained(
  concerns: (value: unknown) => boolean,
  keyword: string,
  message: string,
  parts: Test,
): Test {
  return (value, path, notes) => {
    if (!concerns(value) || parts(value, path, notes)) return true
    notes?.add(keyword, path, message)
    return false
  }
}

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  object: isObject,
  array: Array.isArray,
  boolean: (value) => typeof value === 'boolean',
  integer: Number.isInteger,
  number: Number.isFinite,
  null: (value) => value === null,
  string: (value) => typeof value === 'string',
}

function typeTest(type: string): Test {
  const is = Object.hasOwn(TYPES, type) ? TYPES[type] : undefined
  if (is === undefined) throw new Error(`a schema of the type '${type}', which is not checked`)
  return simple('type', `must be ${type}`, is)
}

function requiredTest(names: readonly string[]): Test {
  return (value, path, notes) => {
    if (!isObject(value) || names.every((name) => Object.hasOwn(value, name))) return true
    const absent = names.filter((name) => !Object.hasOwn(value, name))
    notes?.add('required', path, `must have required properties ${absent.join(', ')}`, absent)
    return false
  }
}

function propertiesTest(properties: Readonly<Record<string, Keywords>>): Test {
  const tests = Object.entries(properties).map(([name, schema]) => ({ name, test: testOf(schema) }))
  return (value, path, notes) => {
    if (!isObject(value)) return true
    const members = value as Readonly<Record<string, unknown>>
    if (notes === undefined) {
      for (const { name, test } of tests)
        if (Object.hasOwn(value, name) && !test(members[name], '', undefined)) return false
      return true
    }
    return all(
      tests,
      notes,
      ({ name, test }) => !Object.hasOwn(value, name) || test(members[name], below(path, name, notes), notes),
    )
  }
}

function anyOfTest(schemas: readonly Keywords[]): Test {
  const tests = schemas.map(testOf)
  return (value, path, notes) => {
    if (tests.some((test) => test(value, path, undefined))) return true
    for (const test of notes === undefined ? [] : tests) {
      const own = new Notes()
      test(value, path, own)
      for (const { keyword, instancePath, message, absent } of own.list)
        notes?.add(keyword, instancePath, message, absent)
    }
    notes?.add('anyOf', path, 'must match a schema in anyOf')
    return false
  }
}

/** The place of a member; nobody asks for it where no notes are taken. */
function below(path: string, name: string, notes: Notes | undefined): string {
  return notes === undefined ? '' : `${path}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`
}

/** Whether a text has fewer than `count` characters (code points). */
function shorter(text: string, count: number): boolean {
  if (text.length < count) return true
  /* A character is one unit or two. */
  if (text.length >= 2 * count) return false
  let characters = 0
  for (const _ of text) if (++characters >= count) return false
  return true
}
