import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { realWorld } from '#/base/world.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { parseArgon2 } from './password-argon2.ts'
import { ARGON2_COST_TESTS, createPasswords, type PasswordsOptions } from './passwords.ts'

const quick = (more: Partial<PasswordsOptions> = {}) =>
  createPasswords({ rng: realWorld.rng, pepper: '', cost: ARGON2_COST_TESTS, ...more })

/** Made with the Python library and the steps of Synapse's `hash`: NFKC, UTF-8, pepper, the first 72 bytes. */
const SYNAPSE = [
  {
    password: 'correct horse',
    pepper: 'pepper',
    hash: '$2b$04$9Ydx9NLZCqDt8gmdaO.YJuLQ6zAbeKWbxEvde4h63B5oU0je5p/6i',
  },
  {
    password: 'x'.repeat(70),
    pepper: 'pepper',
    hash: '$2b$04$y0VnIfneVC5j4X8FONDFGeQceBQSh2NiIjnSmmmbaC0NCSOYhX1.a',
  },
  {
    password: '\ufb01ancée',
    pepper: 'p',
    hash: '$2b$04$k/XdNa1Fxa0kFMJmimTpMe2J7Z.0M1a4TjJn3vkm1ktRU/hRLReVu',
  },
  {
    password: 'é'.repeat(40),
    pepper: '',
    hash: '$2b$04$fDk7AO9peXhBHdDwYAdBNO8FjFSHVuPAn8A.r4qozcwtaXj1RB83i',
  },
  {
    password: 'nul\0inside',
    pepper: '',
    hash: '$2b$04$LvJlHz80s8nzF.qeq9DezOOh0AHcRH8sXF2QpT0o0uKlCQKgRb2Ra',
  },
]

for (const { password, pepper, hash } of SYNAPSE) {
  test(`a bcrypt hash of Synapse verifies: ${JSON.stringify(password.slice(0, 14))}`, async () => {
    for (const inline of [false, true]) {
      assert.equal(await quick({ pepper, inline }).verify(password, hash), true)
      /* A pepper that begins after the 72nd byte does nothing, which is Synapse's affair. */
      const peppered = Buffer.byteLength(password) < 72
      assert.equal(await quick({ pepper: `x${pepper}`, inline }).verify(password, hash), !peppered)
      assert.equal(await quick({ pepper, inline }).verify(`a${password}`, hash), false)
    }
    assert.equal(quick().outdated(hash), true)
  })
}

test('the compatibility form of a letter is the same password', async () => {
  assert.equal(await quick({ pepper: 'p' }).verify('fiancée', SYNAPSE[2]!.hash), true)
})

test('bytes after the 72nd do not count, as in Synapse; a 2a and a 2y hash verify', async () => {
  const { hash } = SYNAPSE[3]!
  assert.equal(await quick().verify('é'.repeat(36), hash), true)
  assert.equal(await quick().verify('é'.repeat(35), hash), false)
  for (const kind of ['$2a$', '$2y$'])
    assert.equal(await quick().verify('é'.repeat(40), hash.replace('$2b$', kind)), true)
})

test('a new hash is argon2id with the named cost, verifies with its pepper only and differs each time', async () => {
  const passwords = createPasswords({ rng: realWorld.rng, pepper: 'salt and' })
  const hash = await passwords.hash('secret')
  assert.match(hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
  assert.equal(await passwords.verify('secret', hash), true)
  assert.equal(await passwords.verify('Secret', hash), false)
  assert.equal(await quick().verify('secret', hash), false)
  assert.equal(passwords.outdated(hash), false)
  assert.equal(quick().outdated(hash), true)
  assert.notEqual(await passwords.hash('secret'), hash)
})

test('a password with NUL or of more than 72 bytes counts whole', async () => {
  const passwords = quick()
  const hash = await passwords.hash(`${'x'.repeat(100)}\0y`)
  assert.equal(await passwords.verify(`${'x'.repeat(100)}\0y`, hash), true)
  assert.equal(await passwords.verify(`${'x'.repeat(100)}\0z`, hash), false)
  assert.equal(await passwords.verify('x'.repeat(100), hash), false)
})

test('adv-69: an empty or absent hash never verifies, nor does a text that is no hash', async () => {
  for (const hash of [
    undefined,
    null,
    '',
    ' ',
    '*',
    '$2b$',
    '$2b$04$short',
    '$argon2id$v=19$m=8,t=1,p=1$$',
  ]) {
    for (const password of ['', ' ', '*', 'x']) assert.equal(await quick().verify(password, hash), false)
  }
})

test('hashes that ask for more work than we grant are refused unseen', async () => {
  const tail = `$${'A'.repeat(22)}$${'A'.repeat(43)}`
  for (const cost of ['m=99999999,t=1,p=1', 'm=8,t=99999,p=1', 'm=8,t=0,p=1', 'm=8,t=1,p=0', 'm=8,t=1,p=2']) {
    assert.equal(parseArgon2(`$argon2id$v=19$${cost}${tail}`), undefined)
  }
  const begun = performance.now()
  assert.equal(await quick().verify('x', SYNAPSE[0]!.hash.replace('$04$', '$31$')), false)
  assert.ok(performance.now() - begun < 1000)
})

test('an unknown user costs as much work as a known one', async () => {
  const passwords = createPasswords({ rng: realWorld.rng, pepper: '' })
  const hash = await passwords.hash('secret')
  const time = async (given: string | undefined) => {
    const begun = process.cpuUsage()
    for (let i = 0; i < 5; i++) await passwords.verify('wrong', given)
    const used = process.cpuUsage(begun)
    return used.user + used.system
  }
  await time(hash)
  const ratio = (await time(undefined)) / (await time(hash))
  assert.ok(ratio > 0.4 && ratio < 2.5, `${ratio}`)
})

test('hashing leaves the event loop free', async () => {
  const passwords = createPasswords({
    rng: realWorld.rng,
    pepper: '',
    cost: { memoryKib: 65_536, passes: 4, lanes: 1 },
  })
  let turns = 0
  const timer = setInterval(() => turns++, 1)
  await passwords.hash('secret')
  clearInterval(timer)
  assert.ok(turns > 5, `${turns} turns`)
})

test('the queue is bounded: more than that is told to wait', async () => {
  const passwords = quick({ atOnce: 1, waitingMax: 2 })
  const results = await Promise.allSettled([1, 2, 3, 4, 5].map((n) => passwords.hash(`${n}`)))
  assert.deepEqual(
    results.map((result) => result.status),
    [...['fulfilled', 'fulfilled', 'fulfilled'], ...['rejected', 'rejected']],
  )
  const { reason } = results[4] as PromiseRejectedResult
  assert.ok(reason instanceof MatrixError && reason.errcode === 'M_LIMIT_EXCEEDED')
  assert.equal(reason.extra['retry_after_ms'], 5000)
  await passwords.hash('again')
})

test('the bcrypt package is not loaded before it is needed', () => {
  const script = `import { createPasswords } from '#/adapters/passwords.ts'
    import { realWorld } from '#/base/world.ts'
    const p = createPasswords({ rng: realWorld.rng, pepper: '' })
    await p.verify('a', await p.hash('a'))
    const { sharedObjects } = process.report.getReport()
    process.stdout.write(String(sharedObjects.filter((name) => name.includes('bcrypt')).length))`
  const out = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: `${import.meta.dirname}/../..`,
    encoding: 'utf8',
  })
  assert.equal(out, '0')
})
