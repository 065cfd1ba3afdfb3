import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '../json/value.ts'
import { ACL_PATTERNS_MAX, ACL_REMEMBERED_MAX } from './limits.ts'
import { compileServerAcl, isIpLiteral, serverMayTakePart } from './server-acl.ts'

const may = (content: JsonObject, server: string): boolean =>
  serverMayTakePart(compileServerAcl(content), server)

describe('5.13 server ACL: IP literal, deny, allow, default deny', () => {
  it('without an event everybody may take part', () => {
    assert.equal(serverMayTakePart(undefined, 'evil.com'), true)
  })
  it('a missing or malformed allow list allows nobody', () => {
    assert.equal(may({}, 'good.com'), false)
    assert.equal(may({ allow: 'good.com' }, 'good.com'), false)
    assert.equal(may({ allow: { '*': true } }, 'good.com'), false)
    assert.equal(may({ deny: [] }, 'good.com'), false)
  })
  it('entries that are not strings are ignored', () => {
    assert.equal(may({ allow: [1, null, ['*'], 'good.com'], deny: [{}, 7] }, 'good.com'), true)
  })
  it('deny is asked before allow', () => {
    const acl = { allow: ['*'], deny: ['*.evil.com', 'evil.com'] }
    assert.equal(may(acl, 'evil.com'), false)
    assert.equal(may(acl, 'sub.evil.com'), false)
    assert.equal(may(acl, 'notevil.com'), true)
  })
  it('? is one character', () => {
    assert.equal(may({ allow: ['host?.com'] }, 'host1.com'), true)
    assert.equal(may({ allow: ['host?.com'] }, 'host.com'), false)
  })
  it('IP literals are denied before all when allow_ip_literals is false', () => {
    const acl = { allow: ['*', '1.2.3.4', '[::1]'], allow_ip_literals: false }
    assert.equal(may(acl, '1.2.3.4'), false)
    assert.equal(may(acl, '1.2.3.4:8448'), false)
    assert.equal(may(acl, '[::1]'), false)
    assert.equal(may(acl, '[2001:db8::1]:8448'), false)
    assert.equal(may(acl, '1.2.3.4.com'), true)
  })
  it('allow_ip_literals is true when absent or not a boolean', () => {
    assert.equal(may({ allow: ['*'] }, '1.2.3.4'), true)
    assert.equal(may({ allow: ['*'], allow_ip_literals: 'false' }, '[::1]:1'), true)
    assert.equal(may({ allow: ['*'], allow_ip_literals: true }, '1.2.3.4'), true)
  })
  it('the port is ignored, in names and in addresses', () => {
    const acl = { allow: ['*'], deny: ['evil.com', '[::1]'] }
    for (const name of ['evil.com', 'evil.com:8448', 'evil.com:1234', '[::1]', '[::1]:80']) {
      assert.equal(may(acl, name), false, name)
    }
    assert.equal(may({ allow: ['*'], deny: ['evil.com:8448'] }, 'evil.com:8448'), true)
  })
  it('adv-62: upper and lower case are equal on both sides', () => {
    assert.equal(may({ allow: ['*'], deny: ['EVIL.com'] }, 'evil.COM'), false)
    assert.equal(may({ allow: ['*'], deny: ['*.EVIL.com'] }, 'a.evil.COM'), false)
    assert.equal(may({ allow: ['GOOD.com'] }, 'good.com'), true)
  })
  it('names that are no server names are compared as they are', () => {
    assert.equal(may({ allow: ['*:x'] }, 'a:x'), true)
    assert.equal(may({ allow: ['a:'] }, 'a:'), true)
    assert.equal(may({ allow: ['123'] }, '123'), true)
    assert.equal(may({ allow: [':1'] }, ':1'), true)
  })
})

describe('adv-29: a huge list', () => {
  const letters = 'abcdefghijklmnopqrstuvwxyz'
  it('is compiled once, answers are remembered and the memory is bounded', () => {
    const deny = Array.from({ length: 9000 }, (_, i) => `*${letters[i % 26]}*${letters[(i >> 5) % 26]}`)
    const acl = compileServerAcl({ allow: ['*'], deny })
    assert.ok(acl.deny.globs.length <= 676, 'repeated patterns are one')
    let most = 0
    for (let i = 0; i < ACL_REMEMBERED_MAX + 10; i += 1) {
      serverMayTakePart(acl, `0${i}.0`)
      most = Math.max(most, acl.remembered.size)
    }
    assert.equal(most, ACL_REMEMBERED_MAX)
    assert.equal(serverMayTakePart(acl, 'aa'), false)
    assert.equal(acl.remembered.get('aa'), false)
    assert.equal(serverMayTakePart(acl, 'aa'), false)
  })
  it('beyond what an event can hold denies everybody', () => {
    const allow = new Array<string>(ACL_PATTERNS_MAX).fill('*')
    assert.equal(may({ allow }, 'good.com'), true)
    assert.equal(may({ allow, deny: ['x'] }, 'good.com'), false)
  })
})

describe('isIpLiteral', () => {
  const cases: [string, boolean][] = [
    ['1.2.3.4', true],
    ['999.1.1.1', true],
    ['1.2.3', false],
    ['1.2.3.4.5', false],
    ['1.2.3.1234', false],
    ['1.2.3.', false],
    ['1.2.3.a', false],
    ['[::]', true],
    ['example.org', false],
  ]
  for (const [host, expected] of cases) {
    it(`${host}: ${expected}`, () => assert.equal(isIpLiteral(host), expected))
  }
})
