/** Asks for a secret on the terminal without showing it, or reads it from a pipe. */
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'

/** The first line, also when no newline ends it; empty input is refused by the caller. */
export async function readSecretLine(prompt: string): Promise<string> {
  const terminal = process.stdin.isTTY === true
  if (terminal) process.stderr.write(prompt)
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const reader = createInterface({ input: process.stdin, output: silent, terminal })
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
