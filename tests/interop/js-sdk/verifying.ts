/** Verification by comparing signs, between users and between devices. */
import assert from 'node:assert/strict'
import {
  CryptoEvent,
  type ShowSasCallbacks,
  VerificationPhase,
  type VerificationRequest,
  type Verifier,
  VerifierEvent,
} from 'matrix-js-sdk/lib/crypto-api/index.js'
import { type Person, until, within } from './secret-person.ts'

/*
 * The library reaches its requests and verifiers by weak references alone. While a test waits for one of them nothing
 * else holds it, and once it is collected as garbage it never ends.
 */
const held: (VerificationRequest | Verifier)[] = []

/** Both show the same signs and say so. */
async function compareSigns(one: VerificationRequest, other: VerificationRequest): Promise<void> {
  const signs: string[] = []
  const agree = async (request: VerificationRequest): Promise<void> => {
    const verifier = await until('a verification has begun', () => request.verifier)
    held.push(verifier)
    verifier.on(VerifierEvent.ShowSas, (sas: ShowSasCallbacks) => {
      signs.push(JSON.stringify(sas.sas.decimal))
      void sas.confirm()
    })
    await within('the other side confirms the signs', verifier.verify())
  }
  const first = await within('the verification is begun', one.startVerification('m.sas.v1'))
  assert.ok(first)
  await Promise.all([agree(one), agree(other)])
  assert.equal(signs.length, 2)
  assert.equal(signs[0], signs[1])
}

/** Takes the next request to verify. */
function nextRequest(person: Person): Promise<VerificationRequest> {
  return new Promise((resolve) => {
    person.client.once(CryptoEvent.VerificationRequestReceived, resolve)
  })
}

async function verify(from: Person, to: Person, ask: () => Promise<VerificationRequest>): Promise<void> {
  const heard = nextRequest(to)
  const request = await within(`${from.userId} asks for a verification`, ask())
  const received = await within(`${to.userId} hears of the verification`, heard)
  held.push(request, received)
  await within(`${to.userId} accepts the verification`, received.accept())
  await until('the request is accepted', () => request.phase === VerificationPhase.Ready || undefined)
  await compareSigns(request, received)
}

/** A new device of the same user is verified by the one that has the keys. */
export async function verifyOwn(old: Person, fresh: Person): Promise<void> {
  await until(
    'the new device knows the keys of its user',
    async () => (await fresh.crypto.userHasCrossSigningKeys()) || undefined,
  )
  await verify(fresh, old, () => fresh.crypto.requestOwnUserVerification())
}

/** Two users in a room of their own verify each other. */
export function verifyOther(alice: Person, bob: Person, roomId: string): Promise<void> {
  return verify(alice, bob, () => alice.crypto.requestVerificationDM(bob.userId, roomId))
}
