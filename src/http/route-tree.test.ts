import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RouteTree, templateNames } from './route-tree.ts'

function treeOf(...templates: string[]): (path: string) => string | undefined {
  const tree = new RouteTree<string>()
  for (const template of templates) tree.add('GET', template, template)
  return (path) => {
    const found = tree.find(path)
    return found === undefined ? undefined : [found.leaf.methods.get('GET')?.value, ...found.texts].join(' ')
  }
}

test('a literal goes before a parameter, and a dead end is taken back', () => {
  const find = treeOf('/a/:x', '/a/b', '/a/b/c', '/:y/:z/d', '/a/:x/e')
  assert.equal(find('/a/b'), '/a/b')
  assert.equal(find('/a/c'), '/a/:x c')
  assert.equal(find('/a/b/c'), '/a/b/c')
  assert.equal(find('/a/b/d'), '/:y/:z/d a b')
  assert.equal(find('/a/b/e'), '/a/:x/e b')
  assert.equal(find('/a/b/f'), undefined)
  assert.equal(find('/a'), undefined)
  assert.equal(find('/'), undefined)
  assert.equal(find(''), undefined)
})

test('parameters stay encoded and may be long, empty, or hold any escape', () => {
  const find = treeOf('/r/:id/s', '/r/:id/s/:key')
  assert.equal(find('/r/!a%2Fb%3Ac/s'), '/r/:id/s !a%2Fb%3Ac')
  assert.equal(find(`/r/${'x'.repeat(5000)}/s`), `/r/:id/s ${'x'.repeat(5000)}`)
  assert.equal(find('/r//s'), '/r/:id/s ')
  assert.equal(find('/r/x/s/'), '/r/:id/s/:key x ')
})

test('a literal may be written with escapes; a broken escape is only text', () => {
  const find = treeOf('/_matrix/x', '/:p')
  assert.equal(find('/%5Fmatrix/x'), '/_matrix/x')
  assert.equal(find('/%zz'), '/:p %zz')
})

test('* takes the rest, slashes included, after all else', () => {
  const find = treeOf('/static/*', '/static/a/b')
  assert.equal(find('/static/a/b'), '/static/a/b')
  assert.equal(find('/static/a/c'), '/static/* a/c')
  assert.equal(find('/static/'), '/static/* ')
  assert.equal(find('/static'), undefined)
})

test('names from Object.prototype are ordinary segments', () => {
  const find = treeOf('/a/:x')
  assert.equal(find('/a/__proto__'), '/a/:x __proto__')
  assert.equal(find('/__proto__/toString'), undefined)
  assert.equal(find('/constructor'), undefined)
})

test('bad templates and duplicates are refused', () => {
  for (const bad of ['a', '/a//b', '/:', '/a/:x-y', '/*/a', '/:x/:x', '/a b', '/%41']) {
    assert.throws(() => templateNames(bad), /route/, bad)
  }
  const tree = new RouteTree<number>()
  tree.add('GET', '/a/:x', 1)
  tree.add('PUT', '/a/:y', 2)
  assert.throws(() => tree.add('GET', '/a/:other', 3), /declared twice/)
})

test('adv-47: a path of 16,000 segments costs no stack', () => {
  const find = treeOf('/a/:x')
  assert.equal(find('/a'.repeat(16_000)), undefined)
})
