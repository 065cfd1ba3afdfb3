import assert from 'node:assert/strict'
import { test } from 'node:test'
import { escapeHtml, parseTemplate, renderTemplate, TEMPLATE_DEPTH_MAX } from './template.ts'

const render = (source: string, values = {}): string => renderTemplate(parseTemplate(source), values)

test('adv-83: values are put in, escaped', () => {
  assert.equal(
    render('a {{ name }} {{name}}{{ none }} { } {x}', { name: `<b a="'">&` }),
    'a &#60;b a=&#34;&#39;&#34;&#62;&#38; &#60;b a=&#34;&#39;&#34;&#62;&#38; { } {x}',
  )
  assert.equal(escapeHtml('plain'), 'plain')
  assert.equal(render('{{ toString }}{{ constructor }}'), '')
})

test('conditions choose, and may be nested', () => {
  const source =
    '{% if a %}A{% if not b %}-{% else %}B{% endif %}{% else %}none{% endif %}{# said by nobody #}!'
  assert.equal(render(source, { a: true, b: true }), 'AB!')
  assert.equal(render(source, { a: 'text' }), 'A-!')
  assert.equal(render(source, { a: false }), 'none!')
  assert.equal(render(source, { a: '' }), 'none!')
})

test('what is not understood is refused with a sentence', () => {
  for (const bad of [
    '{% for x in y %}',
    '{% if a %}',
    '{% endif %}',
    '{% if a %}{% else %}{% else %}{% endif %}',
    '{{ a | safe }}',
    '{{ a',
    '{% if a == b %}{% endif %}',
    '{% if a %}'.repeat(TEMPLATE_DEPTH_MAX + 1),
  ]) {
    assert.throws(() => parseTemplate(bad), /template/, bad)
  }
})

test('a long template takes no longer than it is long', () => {
  assert.throws(() => parseTemplate('{{'.repeat(100_000)), /not closed/)
  assert.equal(render('{ '.repeat(100_000)).length, 200_000)
})
