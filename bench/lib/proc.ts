import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** One line of /proc/PID/stat, times in clock ticks. */
export interface ProcessStat {
  readonly pid: number
  readonly name: string
  readonly parent: number
  /** Time of its own, in user and kernel mode. */
  readonly ownTicks: number
  /** Time of children that ended and were waited for. */
  readonly reapedTicks: number
}

/** Memory of a set of processes, bytes. */
export interface Memory {
  readonly processes: number
  /** Sum of the resident sets: memory that processes share counts once for each. */
  readonly rss: number
  /**
   * The same with memory that these processes share counted once: their private and shared memory by proportion, and
   * the mapped files (programs, libraries) of the process that has most of them. Null where the kernel does not tell.
   */
  readonly once: number | null
  /** Sum of each process's highest resident set so far. */
  readonly peak: number
}

/** Parses /proc/PID/stat (proc_pid_stat(5)); the name may hold spaces and brackets. */
export function parseStat(text: string): ProcessStat {
  const open = text.indexOf('(')
  const close = text.lastIndexOf(')')
  if (open < 0 || close < open) throw new Error(`not a stat line: ${text.slice(0, 60)}`)
  const fields = text.slice(close + 2).split(' ')
  // fields[0] is the third of the manual: the state.
  const field = (number: number): number => Number(fields[number - 3])
  return {
    pid: Number(text.slice(0, open)),
    name: text.slice(open + 1, close),
    parent: field(4),
    ownTicks: field(14) + field(15),
    reapedTicks: field(16) + field(17),
  }
}

/** The roots and all that descend from them, among `all`. */
export function descendants(all: readonly ProcessStat[], roots: readonly number[]): ProcessStat[] {
  const children = new Map<number, ProcessStat[]>()
  for (const stat of all) {
    const siblings = children.get(stat.parent)
    if (siblings) siblings.push(stat)
    else children.set(stat.parent, [stat])
  }
  const found = new Map<number, ProcessStat>()
  const queue = all.filter((stat) => roots.includes(stat.pid))
  for (const stat of queue) {
    if (found.has(stat.pid)) continue
    found.set(stat.pid, stat)
    queue.push(...(children.get(stat.pid) ?? []))
  }
  return [...found.values()]
}

/** Reads a file of /proc that may vanish with its process: null when it has. */
function readVanishing(path: string): string | null {
  try {
    return readFileSync(path, 'latin1')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES' || code === 'EPERM') return null
    throw error
  }
}

function pids(): string[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name))
}

/** The process trees under `roots`, as they are now. Throws when a root is gone: its figures would be wrong. */
export function processTree(roots: readonly number[]): ProcessStat[] {
  const all: ProcessStat[] = []
  for (const pid of pids()) {
    const text = readVanishing(`/proc/${pid}/stat`)
    if (text) all.push(parseStat(text))
  }
  for (const root of roots) {
    if (!all.some((stat) => stat.pid === root)) throw new Error(`process ${root} is gone`)
  }
  return descendants(all, roots)
}

let ticksPerSecond = 0

/**
 * CPU time used so far by the process trees under `roots`, milliseconds: user and kernel time of every living
 * process, and of the ended ones that their parents waited for.
 */
export function treeCpuMs(roots: readonly number[]): number {
  if (roots.length === 0) return 0
  ticksPerSecond ||= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
  let ticks = 0
  for (const stat of processTree(roots)) ticks += stat.ownTicks + stat.reapedTicks
  return (ticks * 1000) / ticksPerSecond
}

/** CPU time that the whole machine has spent working, milliseconds, from the first line of /proc/stat. */
export function machineCpuMs(): number {
  ticksPerSecond ||= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
  return (parseMachineTicks(readFileSync('/proc/stat', 'latin1')) * 1000) / ticksPerSecond
}

/** Ticks spent on anything but idling in the text of /proc/stat: user, nice, system, irq, softirq. */
export function parseMachineTicks(text: string): number {
  const [label, ...ticks] = text.slice(0, text.indexOf('\n')).split(/ +/)
  if (label !== 'cpu') throw new Error('not /proc/stat')
  return Number(ticks[0]) + Number(ticks[1]) + Number(ticks[2]) + Number(ticks[5]) + Number(ticks[6])
}

/** The value of a "Name:   123 kB" line in bytes, or null. */
export function parseKilobytes(text: string, name: string): number | null {
  const at = `\n${text}`.indexOf(`\n${name}:`)
  if (at < 0) return null
  const value = Number.parseInt(text.slice(at + name.length + 1), 10)
  return Number.isNaN(value) ? null : value * 1024
}

/** Memory of the process trees under `roots`, now. */
export function treeMemory(roots: readonly number[]): Memory {
  let rss = 0
  let peak = 0
  let once: number | null = 0
  let files = 0
  const tree = roots.length === 0 ? [] : processTree(roots)
  for (const { pid } of tree) {
    const status = readVanishing(`/proc/${pid}/status`) ?? ''
    rss += parseKilobytes(status, 'VmRSS') ?? 0
    peak += parseKilobytes(status, 'VmHWM') ?? 0
    // A proportional share of files would shrink when an unrelated process runs the same program.
    files = Math.max(files, parseKilobytes(status, 'RssFile') ?? 0)
    const rollup = readVanishing(`/proc/${pid}/smaps_rollup`) ?? ''
    const anonymous = parseKilobytes(rollup, 'Pss_Anon')
    const shared = parseKilobytes(rollup, 'Pss_Shmem')
    once = once === null || anonymous === null || shared === null ? null : once + anonymous + shared
  }
  return { processes: tree.length, rss, once: once === null ? null : once + files, peak }
}

/** Inodes of the sockets that listen on `port`, from the text of /proc/net/tcp or tcp6. */
export function parseListeners(text: string, port: number): string[] {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const inodes: string[] = []
  for (const line of text.split('\n').slice(1)) {
    const fields = line.trim().split(/\s+/)
    const [, local = '', , state] = fields
    if (state === '0A' && local.endsWith(wanted)) inodes.push(fields[9]!)
  }
  return inodes
}

/** The processes that hold the socket listening on `port` of this machine, parents before children. */
export function findListeners(port: number): number[] {
  const inodes = new Set<string>()
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const inode of parseListeners(readVanishing(file) ?? '', port)) inodes.add(`socket:[${inode}]`)
  }
  return pids()
    .filter((pid) => holdsAny(pid, inodes))
    .map(Number)
}

function holdsAny(pid: string, links: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => links.has(readlinkSync(`/proc/${pid}/fd/${fd}`)))
  } catch {
    // The process or one of its files went away while it was looked at, or it belongs to another user.
    return false
  }
}
