/** The page and its script, on an origin of their own. */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { build } from 'esbuild'

const HERE = import.meta.dirname
const CRYPTO = 'node_modules/@matrix-org/matrix-sdk-crypto-wasm/pkg/matrix_sdk_crypto_wasm_bg.wasm'
const HTML =
  '<!doctype html><meta charset="utf-8"><title>talk</title><link rel="icon" href="data:,"><script type="module" src="/page.js"></script>'

/** Bundles page.ts and serves it on a free port. `url` is the page's address. */
export async function servePage(): Promise<AsyncDisposable & { readonly url: string }> {
  const files = new Map<string, { type: string; bytes: Uint8Array }>()
  files.set('/', { type: 'text/html', bytes: Buffer.from(HTML) })
  files.set('/page.js', { type: 'text/javascript', bytes: await bundle() })
  /* Where the SDK looks for its cryptography, beside its script. */
  const wasm = readFileSync(join(HERE, '..', CRYPTO))
  files.set('/pkg/matrix_sdk_crypto_wasm_bg.wasm', { type: 'application/wasm', bytes: wasm })
  const server = createServer((request, response) => {
    const file = files.get(request.url ?? '')
    response.writeHead(file ? 200 : 404, { 'content-type': file?.type ?? 'text/plain' })
    response.end(file?.bytes)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}/`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
}

async function bundle(): Promise<Uint8Array> {
  const { outputFiles } = await build({
    entryPoints: [join(HERE, 'page.ts')],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2024',
    define: { global: 'globalThis' },
    logLevel: 'error',
  })
  const [script] = outputFiles
  if (!script) throw new Error('no script was built')
  return script.contents
}
