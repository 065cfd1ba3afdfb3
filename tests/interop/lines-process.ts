/** A Python process that is spoken to in lines of JSON (nio_lines.py). */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

interface Answer {
  readonly id?: number
  readonly ok?: unknown
  readonly error?: string
  readonly complaint?: string
}

export class LinesProcess {
  /** Warnings and errors that were logged. */
  readonly complaints: string[] = []
  readonly #python: ChildProcessWithoutNullStreams
  readonly #waiting = new Map<number, { done: (value: unknown) => void; fail: (error: Error) => void }>()
  #lastId = 0

  /** Runs a script; `news` gets every line that is neither an answer nor a complaint. */
  constructor(python: string, args: readonly string[], news: (line: object) => void) {
    this.#python = spawn(python, args)
    createInterface({ input: this.#python.stdout }).on('line', (text) => {
      const line = JSON.parse(text) as Answer
      if (line.complaint !== undefined) this.complaints.push(line.complaint)
      else if (line.id !== undefined) this.#answered(line.id, line)
      else news(line)
    })
    this.#python.stderr.setEncoding('utf8').on('data', (text: string) => void this.complaints.push(text))
    this.#python.on('exit', () => {
      for (const { fail } of this.#waiting.values())
        fail(new Error(`Python ended: ${this.complaints.at(-1)}`))
    })
    process.once('exit', () => this.#python.kill('SIGKILL'))
  }

  #answered(id: number, { ok, error }: Answer): void {
    const waiter = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (error === undefined) waiter?.done(ok)
    else waiter?.fail(new Error(error))
  }

  /** Asks for something; rejects with what Python raised. */
  ask(what: string, args: object = {}): Promise<unknown> {
    const id = ++this.#lastId
    return new Promise((done, fail) => {
      this.#waiting.set(id, { done, fail })
      this.#python.stdin.write(`${JSON.stringify({ ...args, id, do: what })}\n`)
    })
  }

  async close(): Promise<void> {
    if (this.#python.exitCode !== null || this.#python.signalCode !== null) return
    const ended = once(this.#python, 'exit')
    this.#python.kill('SIGKILL')
    await ended
  }
}
