import assert from 'node:assert/strict'
import { test } from 'node:test'
import { renderTemplate } from '#/base/template.ts'
import { readConsentDocuments } from './consent-documents.ts'
import { loadConfig } from './load.ts'
import { memoryFiles } from './memory-files.ts'
import { ConfigError } from './problems.ts'

const BASE = {
  server_name: 'example.org',
  listeners: [{ port: 8008, type: 'http', resources: [{ names: ['client'] }] }],
  database: { name: 'sqlite3', args: { database: 'home.db' } },
}

/** What is wrong with a file. */
function problemsOf(more: object, others: Record<string, string> = {}): string[] {
  const text = JSON.stringify({ ...BASE, ...more })
  try {
    loadConfig(['h.yaml'], memoryFiles({ '/work/h.yaml': text, ...others }))
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.problems.map(({ key, text: what }) => `${key}: ${what}`)
  }
  return []
}

const consent = (template_dir: string | undefined, version: unknown = '1.0') => ({
  form_secret: 'x',
  user_consent: { ...(template_dir === undefined ? {} : { template_dir }), version },
})

const GOOD = { '/work/policy/en/1.0.html': 'policy {{ version }}', '/work/policy/en/success.html': 'thanks' }

test('documents are read by version', () => {
  const { documents, success } = readConsentDocuments(
    '/work/policy',
    '1.0',
    memoryFiles({ ...GOOD, '/work/policy/en/note.txt': '{{' }),
  )
  assert.deepEqual([...documents.keys()], ['1.0'])
  assert.equal(success && renderTemplate(success, {}), 'thanks')
})

test('a policy needs its documents and a secret', () => {
  assert.deepEqual(problemsOf(consent('/work/policy'), GOOD), [])
  assert.match(problemsOf({ user_consent: consent('/work/policy').user_consent }, GOOD).join(), /form_secret/)
  for (const [more, files] of [
    [consent(undefined), GOOD],
    [consent('/work/nowhere'), GOOD],
    [consent('/work/policy', '2.0'), GOOD],
    [consent('/work/policy'), { '/work/policy/en/1.0.html': '{% for a in b %}' }],
  ] as const) {
    assert.match(problemsOf(more, files).join(), /user_consent\.template_dir: expected a folder/)
  }
})

test('the sender of notices is a user name', () => {
  const notices = (name: string) => problemsOf({ server_notices: { system_mxid_localpart: name } })
  assert.deepEqual(notices('notices'), [])
  assert.match(notices('Not A Name').join(), /server_notices\.system_mxid_localpart/)
})
