import { execFile } from 'node:child_process'
import { accessSync, constants, cpSync, existsSync, globSync, readFileSync, rmSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'
import { promisify } from 'node:util'

const exec = promisify(execFile)

/** Programs outside node_modules that the tests need: paths. */
export type Programs = {
  /** Folder with postgres and initdb. */
  postgresBin: string
  redis: string
  /** Interpreter of the environment that holds matrix-nio. */
  python: string
  chromium: string
}

/** What was found or installed, and what is missing, one sentence each. */
export type Requirements = { programs: Programs; specDir: string | undefined; missing: string[] }

/** What comes first, and beside the first tests the client libraries, which gives what of them is missing. */
export type Preparation = { requirements: Promise<Requirements>; clients: Promise<string[]> }

/**
 * Finds what CONTRIBUTING.md lists and installs what can be installed: Debian packages as root, a Python
 * environment under .cache, the interop clients under tests/interop. Never throws for what is missing.
 */
export function prepare(say: (line: string) => void): Preparation {
  const missing: string[] = []
  const debian = installDebianPackages(say, missing)
  return { requirements: findPrograms(debian, missing), clients: prepareClients(say, debian) }
}

async function findPrograms(debian: Promise<void>, missing: string[]): Promise<Requirements> {
  await debian
  const programs = {
    postgresBin: findPostgres() ?? '',
    redis: which('redis-server') ?? '',
    python: PYTHON,
    chromium: findChromium() ?? '',
  }
  if (!programs.postgresBin) missing.push('PostgreSQL server: postgres and initdb (Debian: postgresql)')
  if (!programs.redis) missing.push('Redis: redis-server (Debian: redis-server)')
  if (!programs.chromium) missing.push(`a browser: ${BROWSERS.join(', ')} (Debian: chromium)`)
  return { programs, specDir: findSpec(missing), missing }
}

async function prepareClients(say: (line: string) => void, debian: Promise<void>): Promise<string[]> {
  const missing: string[] = []
  const python = async () => {
    // Both wait for the network; only a Python that is yet to come keeps its environment waiting.
    if (!existsSync(PYTHON) && !(await findPython())) await debian
    await preparePython(say, missing)
  }
  await Promise.all([python(), prepareInterop(say, missing)])
  return missing
}

/** The specification's data: MATRIX_SPEC_DIR, or shared/spec beside the checkout. Required where CI is set. */
function findSpec(missing: string[]): string | undefined {
  const folder = resolve(process.env['MATRIX_SPEC_DIR'] || '../shared/spec')
  if (existsSync(join(folder, 'api/client-server'))) return folder
  const told = process.env['MATRIX_SPEC_DIR'] !== undefined
  if (told || process.env['CI'])
    missing.push(`the specification's data: no api/client-server in ${folder} (set MATRIX_SPEC_DIR)`)
  return undefined
}

async function installDebianPackages(say: (line: string) => void, missing: string[]): Promise<void> {
  const wanted: string[] = []
  if (!findPostgres()) wanted.push('postgresql')
  if (!which('redis-server')) wanted.push('redis-server')
  if (!findChromium()) wanted.push('chromium')
  if (!existsSync(PYTHON) && !(await findPython())) wanted.push('python3', 'python3-venv')
  if (wanted.length === 0 || process.getuid?.() !== 0 || !which('apt-get')) return
  say(`installing Debian packages: ${wanted.join(' ')}`)
  // Run level 1 keeps Debian from starting the services it installs.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  const install = () => exec('apt-get', ['install', '-y', '--no-install-recommends', ...wanted], { env })
  try {
    await install().catch(async () => {
      await exec('apt-get', ['update'], { env })
      await install()
    })
  } catch (error) {
    missing.push(`Debian packages ${wanted.join(' ')}: ${lastLine(error)}`)
  }
}

function findPostgres(): string | undefined {
  const debian = globSync('/usr/lib/postgresql/*/bin').sort((a, b) => version(b) - version(a))
  const folders = [...debian, ...(process.env['PATH'] ?? '').split(delimiter)]
  return folders.find((folder) => runnable(join(folder, 'initdb')) && runnable(join(folder, 'postgres')))
}

/** Names under which Chromium and what is made of it are installed. */
const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome']
const findChromium = () => BROWSERS.map(which).find((path) => path !== undefined)

const version = (path: string) => Number(/(\d+)\/bin$/.exec(path)?.[1] ?? 0)

const VENV = resolve('.cache/python')
const PYTHON = join(VENV, 'bin/python')

/** A virtual environment with exactly tests/interop/requirements.txt; made again when that file changes. */
async function preparePython(say: (line: string) => void, missing: string[]): Promise<void> {
  const wanted = 'tests/interop/requirements.txt'
  const stamp = join(VENV, 'requirements.txt')
  if (sameText(wanted, stamp)) return
  const python = await findPython()
  if (!python) {
    missing.push('Python 3.11 or newer with venv (Debian: python3 python3-venv)')
    return
  }
  say('making a Python environment with matrix-nio')
  try {
    rmSync(VENV, { recursive: true, force: true })
    await exec(python, ['-m', 'venv', VENV])
    await exec(PYTHON, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', wanted])
    cpSync(wanted, stamp)
  } catch (error) {
    missing.push(`matrix-nio from PyPI: ${lastLine(error)}`)
  }
}

async function findPython(): Promise<string | undefined> {
  const probe = 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'
  for (const python of ['python3', '/usr/bin/python3']) {
    const works = await exec(python, ['-c', probe]).then(
      () => true,
      () => false,
    )
    if (works) return python
  }
  return undefined
}

/** The npm clients of tests/interop, without install scripts; again when their lock changes. */
async function prepareInterop(say: (line: string) => void, missing: string[]): Promise<void> {
  const folder = resolve('tests/interop')
  const lock = join(folder, 'package-lock.json')
  const stamp = join(folder, 'node_modules/.myelin-dev.lock')
  if (sameText(lock, stamp)) return
  say('installing the npm clients of tests/interop')
  try {
    const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
    await exec('npm', ['ci', ...quiet], { cwd: folder, env: { ...process.env, NODE_ENV: '' } })
    cpSync(lock, stamp)
  } catch (error) {
    missing.push(`the clients of tests/interop from npm: ${lastLine(error)}`)
  }
}

function which(program: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  return folders.map((folder) => join(folder, program)).find(runnable)
}

function runnable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function sameText(a: string, b: string): boolean {
  return existsSync(b) && readFileSync(a, 'utf8') === readFileSync(b, 'utf8')
}

function lastLine(error: unknown): string {
  const { stderr, message } = error as Error & { stderr?: string }
  return (
    (stderr || message)
      .split('\n')
      .filter((line) => line.trim() !== '')
      .at(-1) ?? 'failed'
  )
}
