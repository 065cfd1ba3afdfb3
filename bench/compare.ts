/**
 * Prints reports of load.ts side by side, with ratios to the last one; one with --apart before it gets no ratio.
 *   node bench/compare.ts [--apart FILE.json] FILE.json ...
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type Report, renderComparison } from './lib/report.ts'

const { values, positionals } = parseArgs({
  options: { apart: { type: 'string', multiple: true } },
  allowPositionals: true,
})
const read = (file: string) => JSON.parse(readFileSync(file, 'utf8')) as Report
if (positionals.length === 0) {
  console.error('usage: node bench/compare.ts [--apart FILE.json] FILE.json ...')
  process.exitCode = 1
} else {
  console.log(renderComparison(positionals.map(read), (values.apart ?? []).map(read)))
}
