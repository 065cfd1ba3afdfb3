/**
 * End-to-end encryption at work: keys, messages to devices, key backup; one server, one table. run-all.sh runs several.
 *
 *   node bench/e2ee/load.ts --url U --shared-secret S --pid P [--db-pid P] [--data-dir D | --size-command C]
 *     [--label L --durability T --note T --json FILE] [--users 1000 --claimed 500 --waiting 10000 --keys 1000]
 *     [--repeat 20] [--others 1] [--only uploads,queries,claims,fan-out,waiting,backup]
 *
 * Every user has one device. With `--others 1` somebody else asks for little all the time, and the slowest of these
 * answers is told: how long the server keeps others waiting.
 */
import { writeFileSync } from 'node:fs'
import { benchOf, progress } from '../lib/bench.ts'
import { bytesOnDisk } from '../lib/disk.ts'
import { measureBackup } from './backup.ts'
import { compared, type Report } from './figures.ts'
import { measureClaims, measureQueries, measureUploads } from './keys.ts'
import { measureFanOut, measureWaiting } from './messages.ts'
import { devicesOf, Run } from './run.ts'

const TEXTS = ['data-dir', 'size-command', 'label', 'durability', 'note', 'json', 'only'] as const
const bench = benchOf(
  { users: 1000, claimed: 500, waiting: 10_000, keys: 1000, repeat: 20, others: 0 },
  TEXTS,
)
const { numbers, texts } = bench
const storage = { dataDir: texts['data-dir'] || null, sizeCommand: texts['size-command'] || null }
const only = texts['only']?.split(',')
const wanted = (part: string): boolean => only === undefined || only.includes(part)

progress(`making ${numbers['users']} users`)
const devices = await devicesOf(bench, numbers['users']!)
const run = new Run(bench, devices, numbers['repeat']!, numbers['others'] !== 0)
let bytesPerKey: number | null = null
if (wanted('uploads')) {
  const before = bytesOnDisk(storage)
  const keys = await measureUploads(run)
  if (before !== null) bytesPerKey = (bytesOnDisk(storage)! - before) / keys
}
if (wanted('queries')) await measureQueries(run)
if (wanted('claims')) await measureClaims(run, numbers['claimed']!)
if (wanted('fan-out')) await measureFanOut(run)
if (wanted('waiting')) await measureWaiting(run, numbers['waiting']!)
if (wanted('backup')) await measureBackup(run, numbers['keys']!)

const report: Report = {
  label: texts['label'] ?? 'server',
  durability: texts['durability'] ?? 'not stated',
  note: texts['note'] ?? '',
  figures: run.figures.all,
  bytesPerKey,
}
if (texts['json'] !== undefined) writeFileSync(texts['json'], `${JSON.stringify(report, null, 2)}\n`)
console.log(compared([report]) + bench.stalls.table())
process.exit(0)
