import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatDuration, formatSize, parseDuration, parseSize } from './units.ts'

test('durations: numbers are milliseconds, suffixes are those of Synapse', () => {
  const cases: [unknown, number][] = [
    [0, 0],
    [1500, 1500],
    ['1500', 1500],
    ['5s', 5000],
    ['2m', 120_000],
    ['3h', 10_800_000],
    ['1d', 86_400_000],
    ['1w', 604_800_000],
    ['1y', 31_536_000_000],
    ['10 s', 10_000],
  ]
  for (const [written, ms] of cases) assert.equal(parseDuration(written), ms, String(written))
})

test('durations: what Synapse cannot read, and negative ones, are no durations', () => {
  for (const written of [
    '',
    's',
    '1.5s',
    1.5,
    '5 days',
    '5ms',
    '-5s',
    -1,
    true,
    null,
    '5M',
    Number.NaN,
    '1e3',
    '99999999999999y',
  ]) {
    assert.equal(parseDuration(written), undefined, String(written))
  }
})

test('sizes: numbers are bytes, suffixes are powers of 1024', () => {
  const cases: [unknown, number][] = [
    [512, 512],
    ['512', 512],
    ['10K', 10_240],
    ['50M', 52_428_800],
    ['1G', 1_073_741_824],
    ['1T', 1_099_511_627_776],
    ['500MiB', 524_288_000],
    ['87KiB', 89_088],
  ]
  for (const [written, bytes] of cases) assert.equal(parseSize(written), bytes, String(written))
})

test('sizes: other spellings are refused', () => {
  for (const written of ['', 'K', '1.5M', '50MB', '50m', '-1K', -1, true, null, '5iB', 'MiB']) {
    assert.equal(parseSize(written), undefined, String(written))
  }
})

test('formatting gives the largest whole unit', () => {
  assert.equal(formatDuration(0), '0ms')
  assert.equal(formatDuration(300_000), '5m')
  assert.equal(formatDuration(604_800_000), '1w')
  assert.equal(formatDuration(1500), '1500ms')
  assert.equal(formatSize(52_428_800), '50M')
  assert.equal(formatSize(1000), '1000')
})
