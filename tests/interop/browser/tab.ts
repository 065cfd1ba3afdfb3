/** A browser without a window, and pages in it with what they complain about. */
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import type { Talk } from './page.ts'

/** Path of the browser (MYELIN_TEST_CHROMIUM); undefined where tests run without one. Under CI it must be there. */
function chromiumPath(): string | undefined {
  const path = process.env['MYELIN_TEST_CHROMIUM']
  if (!path && process.env['CI']) throw new Error('MYELIN_TEST_CHROMIUM is not set')
  return path || undefined
}

/** Why a test with a browser does not run here, for the test's `skip`; false where it does. */
export const browserSkip: string | false = chromiumPath() ? false : 'MYELIN_TEST_CHROMIUM is not set'

/** Far more than a loaded machine needs. */
const LAUNCH_MS_MAX = 30_000

export interface Headless extends AsyncDisposable {
  /** Another browser profile, with storage of its own, and a page in it. */
  tab(url: string): Promise<Tab>
}

export async function headless(): Promise<Headless> {
  const browser = await chromium.launch({
    executablePath: chromiumPath() ?? '',
    /* Of what a browser does beside showing pages, as little as it lets itself be told. */
    args: ['--disable-dev-shm-usage', '--disable-gpu', '--disable-extensions', '--no-first-run'],
    timeout: LAUNCH_MS_MAX,
  })
  return {
    async tab(url) {
      const tab = new Tab(await browser.newContext())
      await tab.open(url)
      return tab
    },
    [Symbol.asyncDispose]: () => browser.close(),
  }
}

export class Tab {
  /** Errors that the page logged or did not catch, and requests that found no answer. */
  readonly complaints: string[] = []
  /** Addresses that the page asked for, in order; preflights are the browser's own and not among them. */
  readonly requests: URL[] = []
  readonly #context: BrowserContext
  #page: Page | undefined

  constructor(context: BrowserContext) {
    this.#context = context
  }

  /** Ends the page; its storage stays. */
  async close(): Promise<void> {
    await this.#page?.close()
    this.#page = undefined
  }

  async open(url: string): Promise<void> {
    const page = await this.#context.newPage()
    page.on('request', (request) => void this.requests.push(new URL(request.url())))
    page.on('pageerror', (error) => void this.complaints.push(`error: ${error.message}`))
    page.on('console', (message) => {
      if (message.type() === 'error') this.complaints.push(`${message.text()} ${message.location().url}`)
    })
    await page.goto(url)
    await page.waitForFunction('"talk" in globalThis')
    this.#page = page
  }

  /** Calls one of the page's functions. */
  async call<K extends keyof Talk>(
    name: K,
    ...args: Parameters<Talk[K]>
  ): Promise<Awaited<ReturnType<Talk[K]>>> {
    if (!this.#page) throw new Error('no page is open')
    return (await this.#page.evaluate(
      ([name, args]) => {
        const { talk } = globalThis as unknown as { talk: Record<string, (...args: unknown[]) => unknown> }
        return talk[name]?.(...args)
      },
      [name, args] as [string, unknown[]],
    )) as Awaited<ReturnType<Talk[K]>>
  }
}
