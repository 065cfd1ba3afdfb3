import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { configurationDoc } from '#/app/config/doc.ts'

const FILE = new URL('../../docs/configuration.md', import.meta.url)
const UPDATE = 'UPDATE_DOCS=1 node --test tests/docs/configuration.test.ts'

test('docs/configuration.md is what the table of options says', () => {
  const text = configurationDoc()
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(FILE, text)
  assert.ok(
    readFileSync(FILE, 'utf8') === text,
    `docs/configuration.md differs from the table of options; to update it run: ${UPDATE}`,
  )
})
