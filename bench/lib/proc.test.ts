import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import test from 'node:test'
import {
  descendants,
  findListeners,
  type ProcessStat,
  parseKilobytes,
  parseListeners,
  parseMachineTicks,
  parseStat,
  processTree,
  treeCpuMs,
  treeMemory,
} from './proc.ts'

const STAT =
  '4242 (tmux: (a) b) S 17 4242 4242 0 -1 4194560 2573 88 0 0 31 12 7 5 20 0 3 0 1915 9633792 1024 18446744073709551615 1 1 0'

test('a stat line whose name holds brackets and spaces', () => {
  assert.deepEqual(parseStat(STAT), {
    pid: 4242,
    name: 'tmux: (a) b',
    parent: 17,
    ownTicks: 43,
    reapedTicks: 12,
  })
  assert.throws(() => parseStat('4242 tmux S 17'), /stat line/)
})

const stat = (pid: number, parent: number): ProcessStat => ({
  pid,
  name: 'x',
  parent,
  ownTicks: 1,
  reapedTicks: 0,
})

test('a tree holds its root and all below, each once, whatever the order', () => {
  const all = [stat(5, 4), stat(4, 2), stat(3, 2), stat(2, 1), stat(1, 0), stat(9, 1)]
  const pids = (roots: number[]) =>
    descendants(all, roots)
      .map(({ pid }) => pid)
      .sort()
  assert.deepEqual(pids([2]), [2, 3, 4, 5])
  assert.deepEqual(pids([2, 4]), [2, 3, 4, 5])
  assert.deepEqual(pids([9, 5]), [5, 9])
  assert.deepEqual(pids([77]), [])
})

test('the machine counts as busy in user, nice, system, irq and softirq time', () => {
  assert.equal(parseMachineTicks('cpu  100 20 3 4000 500 60 7 800 9 10\ncpu0 1 1 1 1\n'), 190)
  assert.throws(() => parseMachineTicks('intr 1\n'))
})

test('kilobyte lines of status and smaps_rollup', () => {
  assert.equal(parseKilobytes('VmHWM:\t  512 kB\nVmRSS:\t    256 kB\n', 'VmRSS'), 256 * 1024)
  assert.equal(parseKilobytes('Pss_Dirty:  1 kB\nPss:   7 kB\n', 'Pss'), 7 * 1024)
  assert.equal(parseKilobytes('Name: x\n', 'VmRSS'), null)
})

test('listeners of a port, not connections of it', () => {
  const text = [
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
    '   0: 0100007F:1F48 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1',
    '   1: 0100007F:1F48 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 222 1',
    '   2: 0100007F:1F49 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1',
  ].join('\n')
  assert.deepEqual(parseListeners(text, 8008), ['111'])
  assert.deepEqual(parseListeners(text, 80), [])
})

test('this process is found by the port it listens on, with its memory', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  assert.ok(findListeners((server.address() as AddressInfo).port).includes(process.pid))
  server.close()
  const memory = treeMemory([process.pid])
  assert.ok(memory.rss > 10e6 && memory.peak >= memory.rss * 0.9 && memory.processes >= 1)
  // For a process alone both ways of counting agree, up to what changed between the two reads.
  assert.ok(
    memory.once! > memory.rss * 0.8 && memory.once! < memory.rss * 1.2,
    `${memory.once} of ${memory.rss}`,
  )
})

test('the time of a child counts while it lives and after it was waited for', async () => {
  const before = treeCpuMs([process.pid])
  const child = spawn('sh', ['-c', 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; read wait'])
  const shown = async () => {
    for (let tries = 0; tries < 200; tries++) {
      const spent = treeCpuMs([child.pid!])
      if (spent >= 100) return spent
      await new Promise((resolve) => {
        setTimeout(resolve, 20)
      })
    }
    throw new Error('the child used no time')
  }
  const alive = await shown()
  assert.ok(treeCpuMs([process.pid]) - before >= alive)
  child.stdin.end('\n')
  await once(child, 'exit')
  assert.ok(treeCpuMs([process.pid]) - before >= alive, 'its time went to its parent')
  assert.throws(() => processTree([child.pid!]), /is gone/)
})
