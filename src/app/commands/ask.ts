/** Asks for a secret on the terminal without showing it, or reads it from a pipe. */
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'

/** One line; empty input is refused by the caller. */
export async function readSecretLine(prompt: string): Promise<string> {
  const terminal = process.stdin.isTTY === true
  if (terminal) process.stderr.write(prompt)
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const reader = createInterface({ input: process.stdin, output: silent, terminal })
  try {
    const line = await Promise.race([
      reader.question(''),
      new Promise<string>((resolve) => reader.once('close', () => resolve(''))),
    ])
    return line
  } finally {
    reader.close()
    if (terminal) process.stderr.write('\n')
  }
}
