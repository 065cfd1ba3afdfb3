import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EVENT_TERMS_MAX, SEARCH_TERM_CHARS_MAX, SEARCH_WORDS_MAX } from './limits.ts'
import { matchText, parseSearchTerm } from './search-term.ts'
import { searchKeyOf, searchTextOf } from './searchable.ts'
import { TERM_BITS, termsOfText } from './terms.ts'
import { wordsOf } from './words.ts'

function finds(term: string, text: string): boolean {
  const parsed = parseSearchTerm(term)
  assert.ok(parsed.ok)
  const found = matchText(parsed.value, text) !== undefined
  if (found) {
    const terms = new Set(termsOfText(text))
    assert.ok(
      parsed.value.terms.every((each) => terms.has(each)),
      'the index would not have found it',
    )
  }
  return found
}

const folded = (text: string): string[] => wordsOf(text).map((word) => word.folded)

/** Language, text, what finds it, what does not. */
const SCRIPTS: readonly (readonly [string, string, readonly string[], readonly string[]])[] = [
  [
    'Latin',
    'Ein Café in der Straße, naïve Łódź',
    ['cafe', 'CAFÉ', 'strasse', 'STRASSE', 'naive', 'lodz'],
    ['caf'],
  ],
  ['Latin decomposed', 'Cafe\u0301 Zu\u0308rich', ['café', 'zürich', 'zurich'], ['zuric']],
  ['Turkish', 'İstanbul ve Diyarbakır', ['istanbul', 'diyarbakir'], ['bul']],
  ['Vietnamese', 'Tiếng Việt rất đẹp', ['tieng viet', 'đẹp', 'dep'], ['viets']],
  ['Cyrillic', 'Съешь ещё этих мягких французских булок', ['ЕЩЕ', 'ещё', 'булок'], ['бул']],
  ['Greek', 'Η γλώσσα του Οδυσσέως ΟΔΥΣΣΕΥΣ', ['γλωσσα', 'ΓΛΏΣΣΑ', 'οδυσσευς'], ['γλωσσ']],
  ['Arabic', 'السَّلَامُ عَلَيْكُمْ أهلا', ['السلام', 'عليكم', 'اهلا'], ['سلا']],
  ['Persian', 'می\u200cخواهم کتاب', ['میخواهم', 'كتاب'], ['خواه']],
  ['Hebrew', 'שָׁלוֹם עולם', ['שלום', 'עולם'], ['שלו']],
  ['Hindi', 'नमस्ते दुनिया', ['नमस्ते', 'दुनिया'], ['नमस्त', 'दुनिय']],
  ['Thai', 'ฉันรักภาษาไทยมาก', ['ภาษาไทย', 'รัก', 'ก'], ['ไทยรัก']],
  ['Chinese', '我们明天去北京大学学习', ['北京', '大学', '北京大学', '学', '明天'], ['京北', '上海', '大北']],
  ['Japanese', '昨日コーヒーを飲みました', ['コーヒー', '飲み', 'を', '昨日'], ['ヒーコ', '飲む']],
  ['half-width katakana', 'ｺｰﾋｰ カフェ', ['コーヒー', 'ｶﾌｪ'], ['ーコ']],
  ['Korean', '학교에서 친구를 만났다', ['학교', '친구', '만났다'], ['교학']],
  ['Korean decomposed', '학교에서'.normalize('NFD'), ['학교', '에서'], ['교학']],
  ['emoji', 'well done 👍🏽 and 👩‍👩‍👧 🇩🇪', ['👍', '👩‍👩‍👧', '🇩🇪', 'done'], ['👎', '🇫🇷']],
  [
    'mixed',
    '東京tower駅で待ち合わせ v2.0',
    ['東京tower', 'tower駅', '東京', 'tower', 'v2.0'],
    ['towers', '東京駅'],
  ],
  ['full-width', 'ＡＢＣ１２３', ['abc123'], ['abc']],
]

for (const [script, text, found, lost] of SCRIPTS) {
  test(`finds words of ${script}`, () => {
    for (const term of found) assert.ok(finds(term, text), `${term} is not found`)
    for (const term of lost) assert.ok(!finds(term, text), `${term} is found`)
  })
}

test('all words must be there, in any order; quoted ones in theirs', () => {
  assert.ok(finds('men martians', 'Of martians and men'))
  assert.ok(!finds('martians women', 'Of martians and men'))
  assert.ok(finds('"martians and men"', 'Of martians and men'))
  assert.ok(!finds('"men martians"', 'Of martians and men'))
  assert.ok(finds('"martians and', 'Of martians and men'))
  assert.ok(finds('say"martians and"', 'say: martians and men'))
})

test('a word after a minus must not be there', () => {
  assert.ok(finds('martians -women', 'Of martians and men'))
  assert.ok(!finds('martians -men', 'Of martians and men'))
  assert.ok(!finds('martians -"and men"', 'Of martians and men'))
  assert.ok(!finds('-men', 'Of women'))
  assert.ok(finds('a - b', 'b a'))
})

test('addresses count as quoted', () => {
  assert.ok(finds('example.com', 'see https://example.com/a'))
  assert.ok(!finds('example.com', 'com example'))
})

test('a term without words finds nothing', () => {
  for (const term of ['', ' ', '!?…', '"', '-', '"" -""']) assert.ok(!finds(term, 'anything !?'))
})

test('terms have limits', () => {
  assert.ok(!parseSearchTerm('x'.repeat(SEARCH_TERM_CHARS_MAX + 1)).ok)
  assert.ok(!parseSearchTerm('x '.repeat(SEARCH_WORDS_MAX + 1)).ok)
  const many = Array.from({ length: 5000 }, (_, i) => `w${i}`).join(' ')
  assert.equal(termsOfText(many).length, EVENT_TERMS_MAX)
  assert.ok(termsOfText('水'.repeat(60_000)).length === 2)
  assert.ok(termsOfText(many).every((term) => term >= 0 && term < 1 << TERM_BITS))
})

test('texts of ASCII alone have the terms that their words have among others', () => {
  const parts = ['Fox', 'fox', 'a1B2', '_', '-', "don't", '\t', '\0', '@x:y.z', '\x7f', '#9', 'Q'.repeat(70)]
  for (let seed = 1; seed < 400; seed++) {
    let text = ''
    for (let rest = seed * 7919; rest > 0; rest = Math.floor(rest / parts.length)) {
      text += parts[rest % parts.length] + (rest % 3 === 0 ? ' ' : '')
    }
    assert.deepEqual(termsOfText(text), termsOfText(`${text} \u2014`), JSON.stringify(text))
  }
  const many = Array.from({ length: EVENT_TERMS_MAX + 5 }, (_, i) => `w${i}`).join(' ')
  assert.deepEqual(termsOfText(many), termsOfText(`${many} \u2014`))
})

test('long words are cut alike in texts and terms', () => {
  assert.ok(finds('a'.repeat(300), `x ${'a'.repeat(300)} y`))
  assert.ok(!finds('a'.repeat(20), `x ${'a'.repeat(300)} y`))
})

test('odd text does no harm', () => {
  for (const text of ['\ud800', 'a\udc00b', '\u0000', '\u0301', '\u200d', '﷽', '\u0e31']) {
    assert.ok(Array.isArray(folded(text)))
    termsOfText(text)
  }
  assert.deepEqual(folded('\u200d a\u200db'), ['ab'])
})

test('time grows with the text alone (adv-30)', () => {
  const begun = performance.now()
  finds('aaaa aaaa aaab', 'aaaa '.repeat(13_000))
  finds('あ'.repeat(500), `${'あ'.repeat(60_000)}い`)
  finds(`"${'a '.repeat(30)}b"`, 'a '.repeat(32_000))
  assert.ok(performance.now() - begun < 2000)
})

test('the more a word is there, the higher the rank', () => {
  const parsed = parseSearchTerm('fish')
  assert.ok(parsed.ok)
  const rank = (text: string) => matchText(parsed.value, text)?.rank ?? 0
  assert.ok(rank('fish fish') > rank('fish'))
  assert.ok(rank('fish') > rank(`fish ${'and chips '.repeat(50)}`))
  assert.ok(rank('fish'.repeat(2)) === 0)
})

test('what was found is given as the text has it', () => {
  const parsed = parseSearchTerm('cafe 北京')
  assert.ok(parsed.ok)
  assert.deepEqual(matchText(parsed.value, 'CAFÉ 我们北京 café')?.found, ['CAFÉ', 'café', '北京'])
})

test('message bodies, room names and topics are searched, and nothing else', () => {
  assert.equal(searchKeyOf('m.room.message', null), 'content.body')
  assert.equal(searchKeyOf('m.room.name', ''), 'content.name')
  assert.equal(searchKeyOf('m.room.topic', ''), 'content.topic')
  for (const [type, key] of [
    ['m.room.message', ''],
    ['m.room.name', null],
    ['m.room.topic', 'x'],
    ['m.room.encrypted', null],
    ['m.room.member', ''],
    ['toString', null],
  ] as const) {
    assert.equal(searchKeyOf(type, key), undefined)
  }
  assert.equal(searchTextOf('content.body', { body: 'x' }), 'x')
  assert.equal(searchTextOf('content.body', { body: 1 }), undefined)
  assert.equal(searchTextOf('content.name', { name: 'n', body: 'x' }), 'n')
})

test('of an edit the new text is searched', () => {
  const edit = { body: '* new', 'm.new_content': { body: 'new' }, 'm.relates_to': { rel_type: 'm.replace' } }
  assert.equal(searchTextOf('content.body', edit), 'new')
  assert.equal(searchTextOf('content.body', { ...edit, 'm.relates_to': {} }), '* new')
})
