import assert from 'node:assert/strict'
import test from 'node:test'
import { type Report, readable, render, renderComparison } from './report.ts'

const memory = { processes: 1, rss: 200 * 2 ** 20, once: null, peak: 300 * 2 ** 20 }
const none = { processes: 0, rss: 0, once: 0, peak: 0 }
const latencyMs = { count: 100, mean: 1, p50: 1, p95: 2, p99: 3, max: 4 }

function reportOf(label: string, cpuMs: number): Report {
  const cpu = { seconds: 10, serverMs: cpuMs * 100, databaseMs: 0, generatorMs: 5, otherMs: 0 }
  const figures = {
    cpuPerOperation: { allMs: cpuMs, serverMs: cpuMs, databaseMs: 0, generatorMs: 0.05 },
    cpu,
    operations: 100,
    ratePerSecond: 10,
    latencyMs,
    failures: { count: 0, examples: [], retries: 0 },
  }
  return {
    label,
    url: 'http://127.0.0.1:1',
    at: '2026-01-01T00:00:00.000Z',
    serverVersion: null,
    durability: 'fsync',
    notes: ['a note'],
    machine: { cpu: 'x', cores: 2, memoryBytes: 2 ** 34, kernel: '6', node: 'v26', loadAverage: 0 },
    options: { readers: 50 },
    syncMs: { overwriteP50: 1, overwriteP99: 2, appendP50: 3, appendP99: 4 },
    memory: {
      idle: { server: memory, database: none },
      after: { server: memory, database: none },
      settleSeconds: 30,
    },
    outcomes: [
      { kind: 'send', name: 'one', senders: 1, rooms: 1, membersPerRoom: 1, figures, setUpSeconds: 1 },
    ],
  }
}

test('a report begins with the server CPU per send', () => {
  const lines = render(reportOf('ours', 0.25)).split('\n')
  const first = lines.findIndex((line) => line.startsWith('|--')) + 1
  assert.match(lines[first]!, /one.*server CPU per send, ms.*0\.250/)
  assert.ok(lines.some((line) => /idle.*RSS.*200/.test(line)))
})

test('a comparison gives ratios to the last server, and none where a figure is missing or zero', () => {
  const text = renderComparison([reportOf('theirs', 25), reportOf('ours', 0.25)])
  assert.match(text, /server CPU per send, ms +\| +25 \| +0\.250 \| +100x/)
  assert.match(text, /failed requests +\| +0 \| +0 \| +- \|/)
  assert.match(text, /shared pages once, MiB +\| +- \| +- \| +- \|/)
  assert.match(text, /generator CPU per send, ms +\| +0.050 \| +0.050 \| +- \|/)
})

test('a report apart has its figures in the first column and no ratio', () => {
  const text = renderComparison([reportOf('theirs', 25), reportOf('ours', 0.25)], [reportOf('hollow', 0.01)])
  assert.match(text, /server CPU per send, ms +\| +0\.010 \| +25 \| +0\.250 \| +100x \|/)
})

test('a report tells when other work disturbed it', () => {
  const report = reportOf('ours', 0.25)
  assert.doesNotMatch(render(report), /disturbed/)
  const [outcome] = report.outcomes
  assert.ok(outcome?.kind === 'send')
  const cpu = { ...outcome.figures.cpu, otherMs: 3_000 }
  const disturbed = { ...report, outcomes: [{ ...outcome, figures: { ...outcome.figures, cpu } }] }
  assert.match(render(disturbed), /disturbed.*30 % of a core/)
})

test('numbers keep three digits', () => {
  assert.deepEqual([0.1234, 1.234, 12.34, 1234.5, 7, null, Number.NaN].map(readable), [
    '0.123',
    '1.23',
    '12.3',
    '1,235',
    '7',
    '-',
    '-',
  ])
})
