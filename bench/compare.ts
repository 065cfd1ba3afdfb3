/** Prints reports of load.ts side by side: node bench/compare.ts FILE.json ... (ratios are to the last one). */
import { readFileSync } from 'node:fs'
import { type Report, renderComparison } from './lib/report.ts'

const files = process.argv.slice(2)
if (files.length === 0) {
  console.error('usage: node bench/compare.ts FILE.json ...')
  process.exitCode = 1
} else {
  console.log(renderComparison(files.map((file) => JSON.parse(readFileSync(file, 'utf8')) as Report)))
}
