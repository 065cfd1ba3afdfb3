/** Servers that nobody has configured, in an empty folder. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, Program, untilReady } from '../support/live-server.ts'

const HOOK = `${import.meta.dirname}/other-port.ts`

/** An empty folder, where `serve` is started without a configuration. Disposing ends what runs and removes it. */
export class NewServer implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'myelin-new-'))
  readonly url: string
  readonly #port: number
  #program: Program | undefined

  private constructor(port: number) {
    this.#port = port
    this.url = `http://127.0.0.1:${port}`
  }

  static async make(): Promise<NewServer> {
    return new NewServer(await freePort())
  }

  /** Starts it as a user would, but on a port of its own. @returns the process, when it has answered. */
  async serve(...args: string[]): Promise<Program> {
    const env = { NODE_OPTIONS: `--import=${HOOK}`, MYELIN_TEST_PORT: String(this.#port) }
    const program = new Program(['serve', ...args], { cwd: this.folder, env })
    this.#program = program
    await untilReady(program, this.url)
    return program
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#program && !this.#program.over) {
      this.#program.child.kill('SIGKILL')
      await this.#program.end()
    }
    rmSync(this.folder, { recursive: true, force: true })
  }
}
