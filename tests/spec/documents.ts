import { readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { parse } from 'yaml'
import { DEFECTS } from './defects.ts'
import { FORMATS } from './formats.ts'

/** Base of the addresses under which the documents' schemas know each other. */
const BASE = 'spec:/'

/** A parsed YAML value. */
export type Node = { [key: string]: Node } | Node[] | string | number | boolean | null

/**
 * The documents of the specification, read and compiled as they are asked for. A schema is named by its file
 * below the folder and its JSON pointer in it (`api/x.yaml#/a/b`).
 */
export class SpecDocuments {
  readonly #folder: string
  readonly #documents = new Map<string, Node>()
  readonly #compiled = new Map<string, ValidateFunction>()
  readonly #walked = new Set<string>()
  readonly #ajv = new Ajv2020({
    strict: false,
    validateSchema: false,
    allErrors: true,
    inlineRefs: false,
    formats: FORMATS,
  })

  constructor(folder: string) {
    this.#folder = folder
  }

  /** The document, known defects mended. Throws when there is no such file. */
  document(file: string): Node {
    const known = this.#documents.get(file)
    if (known !== undefined) return known
    const document = parse(readFileSync(join(this.#folder, file), 'utf8')) as Node
    for (const defect of DEFECTS) if (defect.file === file) defect.mend(at(document, defect.at))
    this.#documents.set(file, document)
    return document
  }

  /** The value at `file#pointer`, references followed, with the place where it really stands. */
  resolve(place: string): { place: string; node: Node } | undefined {
    const [file = '', pointer = ''] = place.split('#')
    const node = at(this.document(file), pointer)
    if (node === undefined) return undefined
    const reference = refOf(node)
    return reference === undefined ? { place, node } : this.resolve(target(file, reference))
  }

  /** Checks a value against the schema at `file#pointer`; one line for each error. */
  check(place: string, value: unknown): string[] {
    const validate = this.#compile(place)
    if (validate(value)) return []
    return (validate.errors ?? []).map(({ instancePath, message, params, keyword }) => {
      const detail =
        keyword === 'enum' || keyword === 'additionalProperties' ? ` ${JSON.stringify(params)}` : ''
      return `${instancePath || '/'}: ${message}${detail}`
    })
  }

  #compile(place: string): ValidateFunction {
    const known = this.#compiled.get(place)
    if (known) return known
    this.#register(place)
    const validate = this.#ajv.compile({ $ref: BASE + place })
    this.#compiled.set(place, validate)
    return validate
  }

  /** Makes every document known that the schema at `place` refers to, directly or not. */
  #register(place: string): void {
    if (this.#walked.has(place)) return
    this.#walked.add(place)
    const [file = '', pointer = ''] = place.split('#')
    const document = this.document(file)
    if (!this.#ajv.schemas[BASE + file])
      this.#ajv.addSchema({ ...(document as object), $id: BASE + file }, BASE + file)
    const node = at(document, pointer)
    if (node === undefined) throw new Error(`the specification has nothing at ${place}`)
    for (const reference of references(node)) this.#register(target(file, reference))
  }
}

/** The value at a JSON pointer, or undefined. */
export function at(node: Node, pointer: string): Node | undefined {
  let here: Node | undefined = node
  for (const token of pointer.split('/').slice(1)) {
    const key = decodeURIComponent(token).replaceAll('~1', '/').replaceAll('~0', '~')
    if (typeof here !== 'object' || here === null) return undefined
    here = (here as Record<string, Node>)[key]
  }
  return here
}

/** One step of a JSON pointer in a reference. */
export function step(key: string): string {
  return `/${encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1'))}`
}

/** Where a reference in `file` leads, as `file#pointer`. */
export function target(file: string, reference: string): string {
  const [path = '', pointer = ''] = reference.split('#')
  return `${path ? posix.join(posix.dirname(file), path) : file}#${pointer}`
}

function refOf(node: Node): string | undefined {
  if (typeof node !== 'object' || node === null || Array.isArray(node)) return undefined
  return typeof node['$ref'] === 'string' ? node['$ref'] : undefined
}

/** All references in a schema, except those in examples, which are not schemas. */
function* references(node: Node): Generator<string> {
  if (typeof node !== 'object' || node === null) return
  const reference = refOf(node)
  if (reference !== undefined) yield reference
  for (const [key, value] of Object.entries(node))
    if (key !== 'example' && key !== 'examples') yield* references(value)
}
