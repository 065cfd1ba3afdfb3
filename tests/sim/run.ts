/** Runs seeds by hand: `node tests/sim/run.ts --seed 7` replays one, `--seconds 60 [--from 1000]` tries many. */
import { parseArgs } from 'node:util'
import { type SimOptions, simulate } from './simulation.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seconds: { type: 'string', default: '60' },
    from: { type: 'string', default: '1' },
    lines: { type: 'string', default: '80' },
    /** Characters of each answer in the history. */
    chars: { type: 'string', default: '200' },
    /** Prints the history of a seed that succeeds too. */
    show: { type: 'boolean', default: false },
    /** Goes on after a failure and counts them. */
    on: { type: 'boolean', default: false },
    without: { type: 'string', multiple: true, default: [] },
  },
})
const without = new Set(values.without) as NonNullable<SimOptions['without']>
const begun = performance.now()
const totals = { seeds: 0, operations: 0, requests: 0, events: 0, crashes: 0, failures: 0 }
const kinds = new Map<string, string[]>()

for (let seed = Number(values.from); ; seed++) {
  const name = values.seed ?? String(seed)
  const result = await simulate(name, { without, answerChars: Number(values.chars) })
  if ('error' in result) {
    totals.failures++
    if (values.on) {
      const kind = result.error.message.replace(/[$!@][\w\-:./=+]+|\d+/g, '·').slice(0, 110)
      kinds.set(kind, [...(kinds.get(kind) ?? []), name])
    } else {
      console.log(result.history.slice(-Number(values.lines)).join('\n'))
      console.log(`seed ${name}: ${result.error.stack}`)
      process.exitCode = 1
      break
    }
  } else {
    totals.seeds++
    for (const key of ['operations', 'requests', 'events', 'crashes'] as const) totals[key] += result[key]
    if (values.show) console.log(result.history.join('\n'))
    if (values.seed !== undefined) console.log({ ...result, history: result.history.length })
  }
  if (values.seed !== undefined || performance.now() - begun > Number(values.seconds) * 1000) break
}
console.log(totals, `${((performance.now() - begun) / 1000).toFixed(1)} s`)
for (const [kind, seeds] of kinds) console.log(`${seeds.length} × ${kind}: ${seeds.slice(0, 8).join(' ')}`)
