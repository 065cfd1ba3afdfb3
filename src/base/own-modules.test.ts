import assert from 'node:assert/strict'
import { test } from 'node:test'
import './own-modules.ts'

test('each name of a module of ours is the same module, and other names stay what they were', async () => {
  const byFolder = await import('#/base/lru.ts')
  assert.equal(await import('./lru.ts'), byFolder)
  assert.equal(await import('../base/lru.ts'), byFolder)
  assert.equal(await import(new URL('./lru.ts', import.meta.url).href), byFolder)
  assert.equal(import.meta.resolve('#/base/lru.ts'), new URL('./lru.ts', import.meta.url).href)
  assert.equal(import.meta.resolve('node:path'), 'node:path')
  const [absent, strange] = ['#/base/no-such-module.ts', 'no-such-package']
  await assert.rejects(import(absent), /no-such-module/)
  await assert.rejects(import(strange), { code: 'ERR_MODULE_NOT_FOUND' })
})
