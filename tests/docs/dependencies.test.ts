import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { importsOf, packageName } from '../tidy/check.ts'
import { projectFiles } from '../tidy/tree.ts'

type Manifest = Record<'dependencies' | 'optionalDependencies' | 'devDependencies', Record<string, string>>

const read = (path: string) => readFileSync(join(import.meta.dirname, '../..', path), 'utf8')
const MANIFEST = JSON.parse(read('package.json')) as Manifest
const INTEROP = JSON.parse(read('tests/interop/package.json')) as Manifest
const PYTHON = ['matrix-nio']

/** Package names in the first column of the page's tables. */
const listed = (page: string) =>
  [...page.matchAll(/^\| `([^`]+)` \| (.+) \|$/gm)].map(([, name = '']) => name)

test('docs/dependencies.md lists every package with its reason, and no other', () => {
  const { dependencies, optionalDependencies, devDependencies } = MANIFEST
  const all = { ...dependencies, ...optionalDependencies, ...devDependencies, ...INTEROP.dependencies }
  assert.deepEqual(listed(read('docs/dependencies.md')).sort(), [...Object.keys(all), ...PYTHON].sort())
})

test('what runs in production is pinned, and package-lock.json agrees with package.json', () => {
  const pinned = { ...MANIFEST.dependencies, ...MANIFEST.optionalDependencies }
  for (const [name, version] of Object.entries(pinned)) assert.match(version, /^\d+\.\d+\.\d+$/, name)
  const lock = JSON.parse(read('package-lock.json')) as { packages: Record<string, Manifest> }
  for (const part of ['dependencies', 'optionalDependencies', 'devDependencies'] as const)
    assert.deepEqual(lock.packages['']?.[part], MANIFEST[part], `${part}: run npm install`)
})

test('the server imports every package that it installs, and no other', () => {
  const imported = new Set<string>()
  for (const { path, text } of projectFiles())
    if (path.startsWith('src/') && path.endsWith('.ts'))
      for (const specifier of importsOf(withoutTypes(text)))
        if (/^[@a-z](?!.*:)/.test(specifier)) imported.add(packageName(specifier))
  assert.deepEqual([...imported].sort(), Object.keys(MANIFEST.dependencies).sort())
})

/** Without imports of types, of which nothing is left when the server runs. */
const withoutTypes = (text: string): string => text.replace(/^import type [^']*'[^']*'$/gm, '')

test('Python packages are pinned', () => {
  const lines = read('tests/interop/requirements.txt').split('\n').slice(1).filter(Boolean)
  for (const line of lines) assert.match(line, /^[\w.-]+==[\w.]+$/)
  for (const name of PYTHON) assert.ok(lines.some((line) => line.startsWith(`${name}==`)))
})
