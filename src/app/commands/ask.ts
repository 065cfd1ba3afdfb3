/** Asks for a secret on the terminal without showing it, or reads it from a pipe. */
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { StoreError } from '#/base/store-error.ts'

/** The first line, also when no newline ends it; empty input is refused by the caller. */
export async function readSecretLine(prompt: string): Promise<string> {
  const terminal = process.stdin.isTTY === true
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const reader = createInterface({ input: process.stdin, output: silent, terminal })
  /* Only now is what is typed no longer shown. */
  if (terminal) process.stderr.write(prompt)
  try {
    return await new Promise<string>((resolve) => {
      reader.once('line', resolve)
      reader.once('close', () => resolve(''))
    })
  } finally {
    reader.close()
    if (terminal) process.stderr.write('\n')
  }
}

/** A password for an account: on a terminal asked for twice, because nobody sees what they type. */
export async function readNewPassword(prompt: string): Promise<string> {
  const password = await readSecretLine(prompt)
  if (password === '') throw new StoreError('refused', 'The password is empty.')
  if (process.stdin.isTTY !== true || password === (await readSecretLine('Once more: '))) return password
  throw new StoreError('refused', 'The two passwords differ.')
}
