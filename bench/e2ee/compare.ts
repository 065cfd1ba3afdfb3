/** Prints reports of load.ts side by side: node bench/e2ee/compare.ts FILE.json ... */
import { readFileSync } from 'node:fs'
import { compared, type Report } from './figures.ts'

const files = process.argv.slice(2)
if (files.length === 0) throw new Error('usage: node bench/e2ee/compare.ts FILE.json ...')
console.log(compared(files.map((file) => JSON.parse(readFileSync(file, 'utf8')) as Report)))
