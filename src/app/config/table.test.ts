import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Fields, keysOf, type Option, readFields } from './option.ts'
import { TABLE, TITLES } from './table.ts'

function* rows(fields: Fields, prefix = ''): Generator<[string, Option<unknown>]> {
  for (const [key, row] of Object.entries(fields)) {
    yield [`${prefix}${key}`, row]
    if (row.type.fields) yield* rows(row.type.fields, `${prefix}${key}.`)
  }
}

test('no top-level key is declared twice', () => {
  const keys = Object.values(TABLE).flatMap((fields) => keysOf(fields))
  assert.deepEqual(
    keys.filter((key, i) => keys.indexOf(key) !== i),
    [],
  )
})

test('every default fits its own type', () => {
  const empty = { kind: 'map', at: { file: 'f', line: 0, key: '' }, entries: new Map() } as const
  const problems: string[] = []
  const reading = {
    files: { cwd: '/', readText: () => '', exists: () => false, list: () => undefined },
    problem: (at: { key: string }) => problems.push(at.key),
    notice: () => assert.fail('a default needs no notice'),
    notYet: () => assert.fail('a default is not set'),
    unknown: () => assert.fail('a default has no keys of its own'),
  }
  for (const fields of Object.values(TABLE)) readFields(fields as Fields, empty, reading)
  assert.deepEqual(problems, ['server_name'])
})

test('every option says what it means in one line, and why when it has no effect', () => {
  for (const fields of Object.values(TABLE)) {
    for (const [key, row] of rows(fields)) {
      assert.match(row.about, /^\S.*[.)]$/, key)
      assert.ok(row.about.length < 260, key)
      if (row.status.state === 'accepted') assert.ok(row.status.why.length > 0, key)
    }
  }
})

test('every group has a title', () => {
  assert.deepEqual(Object.keys(TITLES).sort(), Object.keys(TABLE).sort())
})

test('the table holds the options that Synapse documents', () => {
  const keys = Object.values(TABLE).flatMap((fields) => keysOf(fields))
  assert.ok(keys.length >= 226, `${keys.length}`)
})
