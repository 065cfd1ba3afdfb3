import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { foldCodePoint, foldText } from './fold.ts'
import {
  compileGlob,
  compileLiteral,
  type Glob,
  globIsLiteral,
  globIsTooLong,
  globMatches,
  globMatchesWords,
} from './glob.ts'
import { GLOB_MIXED_RUN_MAX } from './limits.ts'

const whole = (pattern: string, text: string): boolean => globMatches(compileGlob(pattern), foldText(text))
const words = (pattern: string, text: string): boolean =>
  globMatchesWords(compileGlob(pattern), foldText(text))

describe('globs over a whole text', () => {
  const cases: [pattern: string, text: string, expected: boolean][] = [
    ['', '', true],
    ['', 'a', false],
    ['*', '', true],
    ['**', 'anything', true],
    ['?', '', false],
    ['?', 'a', true],
    ['?', '😀', true],
    ['??', '😀', false],
    ['lunc?*', 'Lunch plans', true],
    ['lunc?*', 'LUNCH', true],
    ['lunc?*', ' lunch', false],
    ['lunc?*', 'lunc', false],
    ['a*a', 'a', false],
    ['a*a', 'aa', true],
    ['ab*ba', 'aba', false],
    ['*.example.org', 'EVIL.Example.Org', true],
    ['*.example.org', 'example.org', false],
    ['*a?c*', 'xxabcxx', true],
    ['*a?c', 'aacabc', true],
    ['*a?c*d', 'abcabd', true],
    ['*a?c*c', 'abc', false],
    ['*????*', 'abc', false],
    ['*????*', 'abcd', true],
    ['?b*', 'ab', true],
    ['a.c', 'abc', false],
    ['[a]', 'a', false],
    ['(a+)+$', '(A+)+$', true],
    ['Σίσυφος', 'ΣΊΣΥΦΟΣ', true],
    ['ß', 'SS', false],
    ['k', '\u212a', false],
    ['İ', 'İ', true],
    ['\ud800', '\ud800', true],
  ]
  for (const [pattern, text, expected] of cases) {
    it(`${JSON.stringify(pattern)} ${expected ? 'matches' : 'does not match'} ${JSON.stringify(text)}`, () => {
      assert.equal(whole(pattern, text), expected)
    })
  }
})

describe('globs between word boundaries', () => {
  const cases: [pattern: string, text: string, expected: boolean][] = [
    ['ex*ple', 'An example event.', true],
    ['ex*ple', 'exple', true],
    ['ex*ple', 'An exciting triple-whammy', true],
    ['ex*ple', 'hex ample', false],
    ['cake', 'CAKE!', true],
    ['cake', 'cakes', false],
    ['cake', 'cake_', false],
    ['cake', 'cakes cake', true],
    ['c?ke', 'coke', true],
    ['c?ke', 'scoke cike', true],
    ['@room', 'hi @room', true],
    ['@room', 'foo@room', true],
    ['@room', '@rooms', false],
    ['éa', 'béa', true],
    ['', '', true],
    ['', 'a', true],
    ['*', 'abc', true],
    ['*b', 'ab bc', true],
    ['*b', 'abc', false],
    ['b*', 'abc', false],
    ['a*b*c', 'xa b c', false],
    ['a*b*c', 'a xbx c', true],
    ['toolong', 'x', false],
    ['foo*foo', 'foo', false],
  ]
  for (const [pattern, text, expected] of cases) {
    it(`${JSON.stringify(pattern)} ${expected ? 'matches' : 'does not match'} ${JSON.stringify(text)}`, () => {
      assert.equal(words(pattern, text), expected)
    })
  }

  it('the empty pattern needs a boundary only, which the start of the text is', () => {
    assert.equal(words('', 'a'), true)
  })
})

describe('literals', () => {
  it('take * and ? as they are', () => {
    assert.equal(globMatchesWords(compileLiteral('a*b?'), foldText('xaxb A*B?')), true)
    assert.equal(globMatchesWords(compileLiteral('a*b?'), foldText('axxbx')), false)
  })
  it('are recognised', () => {
    assert.equal(globIsLiteral(compileGlob('m.room.message')), true)
    assert.equal(globIsLiteral(compileGlob('m.room.*')), false)
    assert.equal(globIsLiteral(compileGlob('m.room.?')), false)
  })
})

describe('limits', () => {
  it('a run that mixes literals and ? has GLOB_MIXED_RUN_MAX characters at most', () => {
    const fits = `a${'?'.repeat(GLOB_MIXED_RUN_MAX - 2)}a`
    const text = foldText(`xx${'a'.repeat(GLOB_MIXED_RUN_MAX)}xx`)
    assert.equal(globMatches(compileGlob(`*${fits}*`), text), true)
    assert.equal(globIsTooLong(fits), false)
    assert.equal(globIsTooLong(`${fits}a`), true)
    assert.equal(globMatches(compileGlob(`*${fits}a*`), text), false)
    assert.equal(globMatchesWords(compileGlob(`*${fits}a*`), text), false)
    assert.equal(globIsTooLong('?'.repeat(5000)), false)
    assert.equal(globIsTooLong('a'.repeat(5000)), false)
  })
  it('folding keeps one character one character', () => {
    for (let codePoint = 0; codePoint < 0x2ffff; codePoint += 1) {
      const folded = foldCodePoint(codePoint)
      assert.equal(foldCodePoint(folded), folded)
      assert.equal(folded <= 0x7f, codePoint <= 0x7f)
    }
  })
})

/** Small seeded generator (mulberry32). */
function seeded(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

/** The definition of a glob, spelled out as a table over all prefixes. */
function slowMatch(pattern: string, text: string): boolean {
  let row = new Array<boolean>(text.length + 1).fill(false)
  row[0] = true
  for (const p of pattern) {
    const next = new Array<boolean>(text.length + 1).fill(false)
    for (let j = 0; j <= text.length; j += 1) {
      if (p === '*') next[j] = row[j] === true || (j > 0 && next[j - 1] === true)
      else next[j] = j > 0 && row[j - 1] === true && (p === '?' || p === text[j - 1])
    }
    row = next
  }
  return row[text.length] === true
}

function slowWords(pattern: string, text: string): boolean {
  const boundary = (at: number): boolean =>
    at === 0 || at === text.length || !/\w/.test(text[at - 1] as string) || !/\w/.test(text[at] as string)
  for (let i = 0; i <= text.length; i += 1) {
    for (let j = i; j <= text.length; j += 1) {
      if (boundary(i) && boundary(j) && slowMatch(pattern, text.slice(i, j))) return true
    }
  }
  return false
}

describe('fuzz', () => {
  it('agrees with the definition on 30,000 random patterns and texts', () => {
    const random = seeded(1)
    const pick = (alphabet: string, max: number): string =>
      Array.from({ length: random(max + 1) }, () => alphabet[random(alphabet.length)]).join('')
    let matched = 0
    for (let round = 0; round < 30_000; round += 1) {
      const pattern = pick('ab-*?', 6)
      const text = pick('ab-', 10)
      const expected = slowMatch(pattern, text)
      assert.equal(whole(pattern, text), expected, `${pattern} on ${text}`)
      assert.equal(words(pattern, text), slowWords(pattern, text), `${pattern} in words of ${text}`)
      if (expected) matched += 1
    }
    assert.ok(matched > 3000)
  })

  it('agrees with the definition on runs longer than one word of bits', () => {
    const random = seeded(2)
    const pick = (alphabet: string, length: number): string =>
      Array.from({ length }, () => alphabet[random(alphabet.length)]).join('')
    for (let round = 0; round < 500; round += 1) {
      const text = pick('ab', 300)
      const at = random(150)
      const run = [...text.slice(at, at + 31 + random(70))].map((c) => (random(3) === 0 ? '?' : c)).join('')
      const pattern = random(4) === 0 ? `*${run}b*` : `*${run}*`
      assert.equal(whole(pattern, text), slowMatch(pattern, text), `${pattern} on ${text}`)
    }
  })

  it('adv-30: reads every character of the text a bounded number of times', () => {
    const size = 20_000
    const text = foldText('a'.repeat(size))
    const random = seeded(3)
    const hostile = [
      `${'a*'.repeat(500)}b`,
      `*${'a'.repeat(5000)}b*`,
      `*${'a?'.repeat(400)}b*`,
      `${'*a?'.repeat(400)}b`,
      `*${'?'.repeat(9000)}*${'?'.repeat(9000)}*b`,
      ...Array.from({ length: 50 }, () => Array.from({ length: 900 }, () => 'aa*?b'[random(5)]).join('')),
    ]
    for (const pattern of hostile) {
      for (const match of [globMatches, globMatchesWords]) {
        const glob: Glob = compileGlob(pattern)
        const counter = { reads: 0 }
        match(glob, counting(text, counter))
        assert.ok(counter.reads <= 8 * size, `${counter.reads} reads for ${pattern.slice(0, 40)}`)
      }
    }
  })
})

/** A text that counts how often its characters are read. */
function counting(text: Int32Array, counter: { reads: number }): Int32Array {
  return new Proxy(text, {
    get(target, key) {
      if (key === 'length') return target.length
      counter.reads += 1
      return target[Number(key)]
    },
  })
}
