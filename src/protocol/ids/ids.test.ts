import assert from 'node:assert/strict'
import { test } from 'node:test'
import { domainOf } from './domain.ts'
import { mintEventId, parseEventId } from './event-id.ts'
import { keyAlgorithmOf, mintKeyId, parseKeyId } from './key-id.ts'
import { aliasServerOf, mintRoomAlias, parseRoomAlias } from './room-alias.ts'
import { createEventIdOf, mintRoomId, parseRoomId, roomIdOfCreate } from './room-id.ts'
import { parseServerName, type ServerName } from './server-name.ts'
import { isStrictLocalpart, localpartOf, mintUserId, parseUserId, serverOf } from './user-id.ts'

const SERVER = 'example.org' as ServerName

test('5.5 server names by the grammar, case-sensitive', () => {
  for (const good of [
    'example.org',
    'EXAMPLE.org',
    'a',
    '1.2.3.4',
    '1.2.3.4:8448',
    '[1234:5678::abcd]',
    '[::1]:5',
    'h-1.x:00001',
  ]) {
    assert.equal(parseServerName(good), good)
  }
  for (const bad of [
    '',
    ':1',
    'a:',
    'a:123456',
    'a:b',
    'a b',
    'a_b',
    'é',
    '[::1',
    '[1]',
    '[::g]',
    '[]:1',
    '[::1]x',
    'a/b',
    'a:1:2',
    '[::;]',
  ]) {
    assert.equal(parseServerName(bad), undefined, bad)
  }
  assert.equal(parseServerName('a'.repeat(256)), undefined)
  assert.notEqual(parseServerName('EXAMPLE.org'), parseServerName('example.org'))
})

test('5.5 historical user ids are accepted, strict ones are minted', () => {
  for (const good of ['@a:b', '@:b', '@Ä 😀/:b', '@a b:example.org:80', '@UPPER:B', '@a:[::1]']) {
    assert.equal(parseUserId(good), good)
  }
  for (const bad of ['', '@', 'a:b', '@a', '@a:', '@a:b:c', '@a\0:b', '@\ud800:b', '#a:b']) {
    assert.equal(parseUserId(bad), undefined, bad)
  }
  assert.ok(parseUserId(`@${'é'.repeat(126)}:b`))
  assert.equal(parseUserId(`@${'é'.repeat(127)}:b`), undefined)
  assert.equal(parseUserId(`@${'a'.repeat(300)}:b`), undefined)
  const id = mintUserId('alice._=-/+09', SERVER)
  assert.equal(id, '@alice._=-/+09:example.org')
  assert.equal(localpartOf(id), 'alice._=-/+09')
  assert.equal(serverOf(id), SERVER)
  for (const bad of ['', 'Alice', 'a b', 'a:b', 'é', 'a'.repeat(255)])
    assert.throws(() => mintUserId(bad, SERVER), bad)
  assert.throws(() => mintUserId('a', 'bad name' as ServerName))
  assert.equal(isStrictLocalpart('a!'), false)
})

test('5.5 room ids are opaque and may have no colon', () => {
  for (const good of ['!a', '!a:b', '!a:b:c', '!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM', '!é 😀']) {
    assert.equal(parseRoomId(good), good)
  }
  for (const bad of ['', '!', 'a', '#a:b', '!a\0', '!\udc00', `!${'é'.repeat(128)}`, `!${'a'.repeat(255)}`]) {
    assert.equal(parseRoomId(bad), undefined)
  }
  const roomId = mintRoomId('AbZ09', SERVER)
  assert.equal(roomId, '!AbZ09:example.org')
  assert.throws(() => mintRoomId('', SERVER))
  assert.throws(() => mintRoomId('a-b', SERVER))
  assert.throws(() => mintRoomId('a', '' as ServerName))
  assert.throws(() => mintRoomId('a'.repeat(255), SERVER))
  const create = parseEventId('$hash')!
  assert.equal(roomIdOfCreate(create), '!hash')
  assert.equal(createEventIdOf(roomIdOfCreate(create)), create)
})

test('event ids', () => {
  for (const good of ['$a', '$a:b', '$acR1l0raoZnm60CBwAVgqbZqoO/mYU81xysh1u7XcJk'])
    assert.equal(parseEventId(good), good)
  for (const bad of ['', '$', 'a', '$a\0', '$\ud800', `$${'é'.repeat(128)}`, `$${'a'.repeat(255)}`]) {
    assert.equal(parseEventId(bad), undefined)
  }
  assert.equal(mintEventId('aZ9', SERVER), '$aZ9:example.org')
  assert.throws(() => mintEventId('', SERVER))
  assert.throws(() => mintEventId('a/b', SERVER))
  assert.throws(() => mintEventId('a', ':' as ServerName))
  assert.throws(() => mintEventId('a'.repeat(255), SERVER))
})

test('room aliases', () => {
  for (const good of ['#a:b', '#:b', '#ä 😀!:example.org:1']) assert.equal(parseRoomAlias(good), good)
  for (const bad of [
    '',
    '#',
    'a:b',
    '#a',
    '#a:',
    '#a\0:b',
    '#\ud800:b',
    `#${'a'.repeat(255)}:b`,
    `#${'é'.repeat(127)}:b`,
  ]) {
    assert.equal(parseRoomAlias(bad), undefined)
  }
  const alias = mintRoomAlias('Lobby-é', SERVER)
  assert.equal(aliasServerOf(alias), SERVER)
  for (const bad of ['', 'a b', 'a:b', 'a\u0000', 'a\u3000b', 'a'.repeat(255)])
    assert.throws(() => mintRoomAlias(bad, SERVER), bad)
})

test('key ids', () => {
  assert.equal(keyAlgorithmOf(parseKeyId('ed25519:a_1')!), 'ed25519')
  for (const bad of ['', 'ed25519', ':a', 'ed25519:', 'a:\0', 'a:\ud800'])
    assert.equal(parseKeyId(bad), undefined)
  assert.equal(mintKeyId('a_Xy9'), 'ed25519:a_Xy9')
  assert.throws(() => mintKeyId(''))
  assert.throws(() => mintKeyId('a-b'))
})

test('the domain of an id is what stands after its first colon', () => {
  assert.equal(domainOf('$a:b:1'), 'b:1')
  assert.equal(domainOf('$a'), undefined)
})

test('5.5 fuzz: parsers never throw, and what they accept is at most 255 bytes of Unicode', () => {
  let x = 7
  const next = (below: number) => {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    return (x >>> 0) % below
  }
  const pieces = [
    '@',
    '!',
    '#',
    '$',
    ':',
    '[',
    ']',
    'a',
    '1',
    '.',
    '-',
    '_',
    'é',
    '😀',
    '\0',
    '\ud800',
    ' ',
    'x'.repeat(120),
  ]
  for (let round = 0; round < 50_000; round++) {
    let text = ''
    for (let i = next(7); i >= 0; i--) text += pieces[next(pieces.length)]
    for (const parse of [
      parseUserId,
      parseRoomId,
      parseEventId,
      parseRoomAlias,
      parseServerName,
      parseKeyId,
    ]) {
      const id: string | undefined = parse(text)
      if (id !== undefined) assert.ok(id === text && id.isWellFormed() && !id.includes('\0'))
      if (parse !== parseKeyId && id !== undefined) assert.ok(Buffer.byteLength(id) <= 255)
    }
  }
})

test('step budget: ids of a million characters are refused in time that does not matter', () => {
  const start = process.hrtime.bigint()
  for (const sigil of ['@', '!', '#', '$', '', 'ed25519:']) {
    for (const unit of ['a', ':', '[', '😀', 'a:', '1.', 'é:[']) {
      const text = sigil + unit.repeat(1_000_000 / unit.length)
      const parsers = [parseUserId, parseRoomId, parseEventId, parseRoomAlias, parseServerName]
      for (const parse of parsers) assert.equal(parse(text), undefined)
      parseKeyId(text)
    }
  }
  assert.ok(Number(process.hrtime.bigint() - start) < 10e9)
})
