import { inspect } from 'node:util'
import { type Outcome, tell, WHOLE_FILE } from './tell.ts'

type Details = { duration_ms: number; type?: string; error?: Error }
type Event = {
  type: string
  data: {
    name: string
    nesting: number
    skip?: string | boolean
    todo?: string | boolean
    details: Details
  }
}

/** A reporter of node:test, used by name on the command line (hence the default export, which it demands). */
// biome-ignore lint/style/noDefaultExport: node --test-reporter loads the default export
// biome-ignore lint/correctness/useYield: it writes to a pipe of its own
export default async function* report(events: AsyncIterable<Event>): AsyncGenerator<string> {
  const path: string[] = []
  for await (const { type, data } of events) {
    if (type === 'test:start') {
      path.length = data.nesting
      path[data.nesting] = data.name
    }
    if (type !== 'test:pass' && type !== 'test:fail') continue
    const outcome = outcomeOf(type, data, path)
    // The outermost suite is the file: batch.ts makes it so.
    if (outcome) tell({ file: path[0] ?? '', outcome })
  }
}

function outcomeOf(type: string, data: Event['data'], path: string[]): Outcome | undefined {
  const name = data.nesting === 0 ? WHOLE_FILE : [...path.slice(1, data.nesting), data.name].join(' > ')
  const ms = data.details.duration_ms
  const { error } = data.details
  if (data.skip !== undefined && data.skip !== false)
    return { result: 'skipped', name, ms, why: `${data.skip}` }
  // A test that is only announced counts as skipped, whatever it would do.
  if (data.todo !== undefined && data.todo !== false)
    return { result: 'skipped', name, ms, why: `todo: ${data.todo}` }
  if (type === 'test:pass')
    return data.details.type === 'suite' ? undefined : { result: 'passed', name, ms, why: '' }
  const cause = error?.cause ?? error
  // A suite, or a test with subtests, that fails for nothing but a subtest has been told already.
  if (isSubtestFailure(error)) return undefined
  return { result: 'failed', name, ms, why: explain(cause) }
}

function isSubtestFailure(error: Error | undefined): boolean {
  return error !== undefined && 'failureType' in error && error.failureType === 'subtestsFailed'
}

/** The error as Node prints it, without the stack frames inside Node. */
function explain(cause: unknown): string {
  const text = typeof cause === 'string' ? cause : inspect(cause, { depth: 6 })
  return text.replace(/^ +at .*node:internal.*\n/gm, '')
}
