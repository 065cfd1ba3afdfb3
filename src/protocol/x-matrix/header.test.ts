import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { KeyId } from '../ids/key-id.ts'
import type { ServerName } from '../ids/server-name.ts'
import { seededRandom } from '../state/testing/random.ts'
import { buildXMatrix, parseXMatrix, parseXMatrixHeaders } from './header.ts'
import { X_MATRIX_HEADER_CHARS_MAX, X_MATRIX_HEADERS_MAX, X_MATRIX_PARAMETERS_MAX } from './limits.ts'
import { requestJson } from './request-json.ts'

const PLAIN = {
  origin: 'origin.hs.example.com' as ServerName,
  destination: 'destination.hs.example.com' as ServerName,
  key: 'ed25519:key1' as KeyId,
  signature: 'ABC/def+ghi',
}
const HEADER =
  'X-Matrix origin="origin.hs.example.com",destination="destination.hs.example.com",key="ed25519:key1",sig="ABC/def+ghi"'

function ruleOf(header: string): string | undefined {
  const parsed = parseXMatrix(header)
  return parsed.ok ? undefined : parsed.rule
}

describe('5.8 X-Matrix header, RFC 9110', () => {
  const equal: [name: string, header: string][] = [
    ['as written', HEADER],
    ['scheme in other case', HEADER.replace('X-Matrix', 'x-MATRIX')],
    ['names in other case', HEADER.replace('origin=', 'Origin=').replace('sig=', 'SIG=')],
    ['several blanks and tabs', HEADER.replace(' ', '  \t').replaceAll(',', ' \t, \t')],
    ['blanks around =', HEADER.replaceAll('=', ' = ')],
    ['without quotes, with colons', HEADER.replaceAll('"', '')],
    ['backslash escapes', HEADER.replace('"origin.', '"\\or\\igin.').replace('ABC', '\\A\\B\\C')],
    ['unknown parameters', `${HEADER},foo=bar,baz="a,b=c"`],
    ['empty list elements', HEADER.replace('X-Matrix ', 'X-Matrix ,, ').replace(',key', ',,key').concat(',')],
    ['any order', `X-Matrix sig="ABC/def+ghi",key=ed25519:key1,${HEADER.slice(9).split(',key')[0]}`],
    ['signature instead of sig', HEADER.replace('sig=', 'signature=')],
  ]
  for (const [name, header] of equal) {
    it(name, () => assert.deepEqual(parseXMatrix(header), { ok: true, value: PLAIN }))
  }

  it('a missing destination is tolerated', () => {
    const parsed = parseXMatrix('X-Matrix origin=a.b,key=ed25519:1,sig=QQ')
    assert.ok(parsed.ok)
    assert.equal(parsed.value.destination, undefined)
  })
  it('ports and IPv6 names', () => {
    const parsed = parseXMatrix('X-Matrix origin="[::1]:8448",destination=b:80,key=ed25519:1,sig=QQ==')
    assert.ok(parsed.ok)
    assert.deepEqual([parsed.value.origin, parsed.value.destination], ['[::1]:8448', 'b:80'])
    assert.equal(parsed.value.signature, 'QQ==')
  })
  it('a quoted character may be anything but a control character', () => {
    const parsed = parseXMatrix('X-Matrix origin=a,key="ed25519:\\"\\\\ü\t",sig=QQ')
    assert.ok(parsed.ok)
    assert.equal(parsed.value.key, 'ed25519:"\\ü\t')
  })

  const refused: [rule: string, header: string][] = [
    ['x_matrix.scheme', 'Bearer abc'],
    ['x_matrix.scheme', 'X-MatrixY origin=a'],
    ['x_matrix.scheme', ''],
    ['x_matrix.origin', 'X-Matrix'],
    ['x_matrix.origin', 'X-Matrix key=ed25519:1,sig=QQ'],
    ['x_matrix.origin', 'X-Matrix origin="a b",key=ed25519:1,sig=QQ'],
    ['x_matrix.key', 'X-Matrix origin=a,sig=QQ'],
    ['x_matrix.key', 'X-Matrix origin=a,key=ed25519,sig=QQ'],
    ['x_matrix.sig', 'X-Matrix origin=a,key=ed25519:1'],
    ['x_matrix.sig', 'X-Matrix origin=a,key=ed25519:1,sig=""'],
    ['x_matrix.destination', 'X-Matrix origin=a,destination="",key=ed25519:1,sig=QQ'],
    ['x_matrix.duplicate', 'X-Matrix origin=a,Origin=b,key=ed25519:1,sig=QQ'],
    ['x_matrix.comma', 'X-Matrix origin=a key=ed25519:1,sig=QQ'],
    ['x_matrix.name', 'X-Matrix origin'],
    ['x_matrix.name', 'X-Matrix =a'],
    ['x_matrix.name', 'X-Matrix "origin"=a'],
    ['x_matrix.value', 'X-Matrix origin='],
    ['x_matrix.value', 'X-Matrix origin="a'],
    ['x_matrix.value', 'X-Matrix origin="a\\'],
    ['x_matrix.value', 'X-Matrix origin="a\nb"'],
    ['x_matrix.value', 'X-Matrix origin="a\x7f"'],
  ]
  for (const [rule, header] of refused) {
    it(`${rule}: ${JSON.stringify(header)}`, () => assert.equal(ruleOf(header), rule))
  }

  it('limits', () => {
    const rest = X_MATRIX_HEADER_CHARS_MAX - HEADER.length - ',x=""'.length
    assert.equal(ruleOf(`${HEADER},x="${'a'.repeat(rest)}"`), undefined)
    assert.equal(ruleOf(`${HEADER},x="${'a'.repeat(rest + 1)}"`), 'x_matrix.length')
    const most = Array.from({ length: X_MATRIX_PARAMETERS_MAX - 4 }, (_, i) => `p${i}=1`).join(',')
    assert.equal(ruleOf(`${HEADER},${most}`), undefined)
    assert.equal(ruleOf(`${HEADER},${most},q=1`), 'x_matrix.parameters')
  })
})

describe('5.8 several Authorization headers', () => {
  it('are all read, other schemes passed over', () => {
    const second = HEADER.replace('key1', 'key2')
    const parsed = parseXMatrixHeaders(['Bearer x', HEADER, second])
    assert.ok(parsed.ok)
    assert.deepEqual(
      parsed.value.map(({ key }) => key),
      ['ed25519:key1', 'ed25519:key2'],
    )
  })
  it('one broken X-Matrix header refuses the request', () => {
    const parsed = parseXMatrixHeaders([HEADER, 'X-Matrix origin'])
    assert.equal(parsed.ok, false)
  })
  it('none, or too many', () => {
    const none = parseXMatrixHeaders(['Bearer x'])
    assert.equal(!none.ok && none.rule, 'x_matrix.missing')
    assert.ok(parseXMatrixHeaders(new Array<string>(X_MATRIX_HEADERS_MAX).fill(HEADER)).ok)
    const many = parseXMatrixHeaders(new Array<string>(X_MATRIX_HEADERS_MAX + 1).fill(HEADER))
    assert.equal(!many.ok && many.rule, 'x_matrix.headers')
  })
})

describe('5.8 building and signing', () => {
  it('writes the form that older servers read', () => {
    assert.equal(buildXMatrix(PLAIN), HEADER)
    assert.deepEqual(parseXMatrix(buildXMatrix(PLAIN)), { ok: true, value: PLAIN })
  })
  it('refuses characters that would need escapes', () => {
    for (const bad of ['a"b', 'a\\b', 'a b', 'a\r\nHost: x', 'ü', '\x7f']) {
      assert.throws(() => buildXMatrix({ ...PLAIN, signature: bad }), RangeError)
    }
  })
  it('the signed object has no content key without a body', () => {
    const { origin, destination } = PLAIN
    const request = { method: 'GET', uri: '/_matrix/x?a=%20', origin, destination, content: undefined }
    assert.deepEqual(Object.keys(requestJson(request)), ['method', 'uri', 'origin', 'destination'])
    assert.deepEqual(requestJson({ ...request, content: {} }), { ...request, content: {} })
    assert.equal(requestJson({ ...request, content: null })['content'], null)
  })
})

describe('fuzz', () => {
  it('any text gives an answer, and a written header is read back, in 60,000 rounds', () => {
    const random = seededRandom(5)
    const parts = [
      'X-Matrix ',
      'origin',
      '=',
      '"',
      ',',
      ' ',
      '\\',
      'a.b',
      'key',
      'sig',
      'ed25519:1',
      '\t',
      '\0',
    ]
    let accepted = 0
    let written = 0
    for (let round = 0; round < 60_000; round += 1) {
      const noise = Array.from({ length: random(14) }, () => parts[random(parts.length)]).join('')
      const at = random(HEADER.length)
      const mutated = HEADER.slice(0, at) + (parts[random(parts.length)] ?? '') + HEADER.slice(at + random(2))
      const text = random(2) === 0 ? `X-Matrix ${noise}` : mutated
      const parsed = parseXMatrix(text)
      if (!parsed.ok) continue
      accepted += 1
      // Keys may hold what a sender of ours never writes.
      if (/[^!-~]|["\\]/.test(parsed.value.key + parsed.value.signature)) continue
      written += 1
      const { origin, destination = origin, key, signature } = parsed.value
      const again = parseXMatrix(buildXMatrix({ origin, destination, key, signature }))
      assert.deepEqual(again, { ok: true, value: { origin, destination, key, signature } })
    }
    assert.ok(accepted > 1000 && written > 1000, `${accepted} accepted, ${written} written`)
  })

  it('the longest headers are read in linear time', () => {
    const fill = (unit: string): string =>
      `X-Matrix ${unit.repeat(X_MATRIX_HEADER_CHARS_MAX)}`.slice(0, X_MATRIX_HEADER_CHARS_MAX)
    const start = process.hrtime.bigint()
    for (const unit of [',', ' ', '"', '\\', 'a', '=', 'a=', 'a=b,', 'a="\\', ', ']) {
      for (let i = 0; i < 200; i += 1) assert.equal(parseXMatrix(fill(unit)).ok, false)
    }
    // 2,200 headers: what is quadratic in their length would take minutes.
    assert.ok(Number(process.hrtime.bigint() - start) < 10e9)
  })
})
