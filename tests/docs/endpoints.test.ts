import assert from 'node:assert/strict'
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { noMetrics } from '#/base/metrics.ts'
import { metricsRoute } from '#/http/ops-routes.ts'
import { operations } from '../spec/operations.ts'
import { coveredBy } from '../support/covers.ts'
import { TestServer } from '../support/test-server.ts'
import {
  type Coverage,
  endpointsDoc,
  type RouteFacts,
  uncovered,
  unknownCoverage,
  wrongLinks,
} from './endpoints.ts'

let ROUTES: RouteFacts[] = []
before(async () => {
  const server = await TestServer.start()
  ROUTES = [...server.assembled.routes, metricsRoute(noMetrics)]
  await server.close()
})

const ROOT = join(import.meta.dirname, '../..')
const FILE = join(ROOT, 'docs/endpoints.md')
const UPDATE = 'UPDATE_DOCS=1 node --test tests/docs/endpoints.test.ts'

const COVERAGE: Coverage = new Map()
const WHOLE = new Set<string>()
for (const file of globSync('tests/api/**/*.test.ts', { cwd: ROOT }).sort()) {
  const text = readFileSync(join(ROOT, file), 'utf8')
  for (const endpoint of coveredBy(text)) WHOLE.add(endpoint)
  for (const endpoint of [...coveredBy(text), ...coveredBy(text, 'coversPart')])
    COVERAGE.set(endpoint, [...(COVERAGE.get(endpoint) ?? []), file])
}

test('docs/endpoints.md is what the specification, the routes and the tests say', () => {
  const text = endpointsDoc(operations(), ROUTES, COVERAGE)
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(FILE, text)
  assert.ok(readFileSync(FILE, 'utf8') === text, `docs/endpoints.md is out of date; run: ${UPDATE}`)
})

test('every route of an operation links to its text', () => {
  assert.deepEqual(wrongLinks(operations(), ROUTES), [])
})

test('covers() names endpoints that exist', () => {
  assert.deepEqual(unknownCoverage(operations(), ROUTES, COVERAGE), [])
})

test('every endpoint that is served has its tests of success, missing rights and bad input', () => {
  assert.deepEqual(uncovered(operations(), ROUTES, WHOLE), [])
})
