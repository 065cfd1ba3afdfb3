import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NAME_CHARS_MAX, PERSON_TERMS_MAX, TERM_CHARS_MAX } from './limits.ts'
import { type Person, rank } from './rank.ts'
import { foldName, gramsOf, questionOf, termsOf, wordsOf } from './terms.ts'

test('folding: case, accents, width, and letters that stand for others', () => {
  const pairs = [
    ['Zoë ÉTÉ', 'zoe ete'],
    ['STRASSE straße', 'strasse strasse'],
    ['Łódź Ørsted Æther', 'lodz orsted aether'],
    ['ΟΔΟΣ οδός', 'οδοσ οδοσ'],
    ['İstanbul ISTANBUL ısı', 'istanbul istanbul isi'],
    ['Ａｌｉｃｅ ｱﾘｽ', 'alice アリス'],
    ['مُحَمَّد', 'محمد'],
    ['한국', '한국'],
    ['ﬁn', 'fin'],
  ] as const
  for (const [text, folded] of pairs) {
    assert.equal(foldName(text), folded)
    assert.equal(foldName(folded), folded, 'folding twice is folding once')
  }
})

test('words of every script', () => {
  assert.deepEqual(wordsOf('Dr. Anna-Maria O’Neil_2'), ['dr', 'anna', 'maria', 'o', 'neil', '2'])
  assert.deepEqual(wordsOf('🦊 Fox'), ['🦊', 'fox'])
  assert.deepEqual(wordsOf('—  …'), [])
  assert.deepEqual(wordsOf('Иван Грозный'), ['иван', 'грозныи'])
})

test('scripts without spaces are found from the middle', () => {
  const terms = termsOf('wang', '王小明')
  for (const term of ['王小明', '小明', '明', 'wang']) assert.ok(terms.includes(term), term)
  assert.ok(termsOf('t', 'สมชาย').includes(foldName('ชาย')))
  assert.ok(termsOf('k', '김철수').includes('철수'))
})

test('terms are bounded', () => {
  const many = Array.from({ length: 300 }, (_, n) => `w${n}`).join(' ')
  assert.ok(termsOf('x', many).length <= PERSON_TERMS_MAX)
  assert.ok(termsOf('x', '漢'.repeat(1000)).every((term) => [...term].length <= TERM_CHARS_MAX))
  assert.equal([...foldName('a'.repeat(5000))].length, NAME_CHARS_MAX)
  assert.doesNotThrow(() => termsOf('x', `\ud800 ${'\u0301'.repeat(1000)}`))
})

test('a user id is asked for by its localpart', () => {
  assert.deepEqual(questionOf('@Alice.B:home.test').words, ['alice', 'b'])
  assert.equal(questionOf('@Alice.B:home.test').userId, '@Alice.B:home.test')
  assert.equal(questionOf('alice').userId, undefined)
  assert.deepEqual(questionOf('   ').words, [])
})

const person = (userId: string, displayName: string | null, avatarUrl: string | null = null): Person => ({
  userId,
  displayName,
  avatarUrl,
  local: true,
  terms: termsOf(userId.slice(1, userId.indexOf(':')), displayName),
})

test('the better answer has the higher rank', () => {
  const asked = questionOf('anna')
  const order = [
    person('@anna:x.test', 'Anna'),
    person('@a1:x.test', 'Anna Berg'),
    person('@a2:x.test', 'Annabel'),
    person('@a3:x.test', 'Berg, Anna'),
    person('@a4:x.test', 'Berg Annabel'),
    person('@a5:x.test', 'Johanna'),
  ]
  const points = order.map((one) => rank(one, asked))
  for (let at = 1; at < points.length; at++) {
    assert.ok(points[at]! < points[at - 1]!, `${order[at]?.displayName}: ${points}`)
  }
  assert.equal(rank(person('@b:x.test', 'Bert'), asked), undefined)
})

test('all words must be found; a slip of the keyboard does no harm', () => {
  const maria = person('@maria:x.test', 'Maria Rodriguez')
  assert.ok(rank(maria, questionOf('rod mar')))
  assert.equal(rank(maria, questionOf('maria schmidt')), undefined)
  assert.ok(rank(maria, questionOf('rodriguzz')))
  assert.ok(rank(maria, questionOf('odrigue')))
  assert.deepEqual(gramsOf('ab'), [])
})
