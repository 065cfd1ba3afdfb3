/**
 * Loaded before a test file (`node --import`): gives one module another source text, and ends the process at the first
 * failing test.
 */
import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { afterEach } from 'node:test'
import { pathToFileURL } from 'node:url'

const { file, at, from, to } = JSON.parse(process.env['MUTANT'] ?? '{}') as {
  file: string
  at: number
  from: string
  to: string
}
const url = pathToFileURL(file).href
const source = readFileSync(file, 'utf8')
const mutated = source.slice(0, at) + to + source.slice(at + from.length)

registerHooks({
  load(target, context, nextLoad) {
    if (target !== url) return nextLoad(target, context)
    return { format: 'module-typescript', source: mutated, shortCircuit: true }
  },
})

afterEach((context) => {
  if ('passed' in context && context.passed === false) process.exit(1)
})
