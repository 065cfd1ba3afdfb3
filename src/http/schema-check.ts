/** Values against schemas. Ajv checks, and knows JSON Schema; what is made of its findings is here. */
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import type { TSchema } from './schema.ts'

/** What is wrong with a value, and where (a JSON pointer, empty for the whole). */
export interface Fault {
  readonly at: string
  readonly message: string
  /** Set where members that must be there are not, and nothing else is wrong. */
  readonly absent?: readonly string[]
}

/** What is wrong with a value; undefined when it is as the schema wants. */
export type Checker = (value: unknown) => Fault | undefined

/*
 * One finding is enough: to look for all of them would let a body of a million wrong members make a million. Names
 * that every object inherits are not members. The schemas are our own, and are not checked against that of schemas.
 */
const ajv = new Ajv({
  allErrors: false,
  ownProperties: true,
  verbose: true,
  meta: false,
  validateSchema: false,
  addUsedSchema: false,
  strictTypes: false,
  strictRequired: false,
})

/** The schema is compiled when it is first used: a start would take longer by the hundred that it has. */
export function checkerOf(schema: TSchema): Checker {
  const whole = compiledAtFirstUse(schema)
  const withoutRequired = compiledAtFirstUse(nothingRequired(schema))
  return (value) => {
    const fault = firstOf(whole(), value)
    if (fault === undefined) return undefined
    if (fault.keyword !== 'required') return described(fault)
    const other = firstOf(withoutRequired(), value)
    return other === undefined ? lacking(fault) : described(other)
  }
}

function compiledAtFirstUse(schema: object): () => ValidateFunction {
  let validate: ValidateFunction | undefined
  return () => (validate ??= ajv.compile(schema))
}

function firstOf(validate: ValidateFunction, value: unknown): ErrorObject | undefined {
  return validate(value) ? undefined : validate.errors?.[0]
}

const described = ({ instancePath, message }: ErrorObject): Fault => ({
  at: instancePath,
  message: message ?? 'is not as expected',
})

/** All members that the object lacks in which the first one was missed. */
function lacking(error: ErrorObject): Fault {
  const { required } = error.parentSchema as { readonly required: readonly string[] }
  const absent = required.filter((name) => !Object.hasOwn(error.data as object, name))
  return { ...described(error), absent }
}

/** The same schema without a member that must be there. */
function nothingRequired(schema: object): object {
  const { required: _, properties, items, additionalProperties, anyOf, ...rest } = schema as Parts
  return {
    ...rest,
    ...(properties && { properties: Object.fromEntries(Object.entries(properties).map(lenient)) }),
    ...(items && { items: nothingRequired(items) }),
    ...(additionalProperties && { additionalProperties: nothingRequired(additionalProperties) }),
    ...(anyOf && { anyOf: anyOf.map(nothingRequired) }),
  }
}

const lenient = ([name, schema]: [string, object]): [string, object] => [name, nothingRequired(schema)]

/** The keywords that hold other schemas. */
interface Parts {
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, object>>
  readonly items?: object
  readonly additionalProperties?: object
  readonly anyOf?: readonly object[]
}
