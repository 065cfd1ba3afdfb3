/** A test with devices of matrix-nio on one server, in stages. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ENGINES, type EngineName, LiveServer, logLines } from '../../support/live-server.ts'
import { clientReport, refusedRequests } from '../report.ts'
import { type NioDevice, NioHouse, passwordOf } from './devices.ts'
import { meet } from './meeting.ts'

const python = process.env['MYELIN_TEST_PYTHON']
if (!python && process.env['CI']) throw new Error('MYELIN_TEST_PYTHON is not set')
const noPython = python ? false : 'MYELIN_TEST_PYTHON is not set'

const TEST_MS_MAX = 180_000

/** What the stages share; alice1, alice2, bob1 and bob2 are the first four devices. */
export interface Stage {
  readonly server: LiveServer
  readonly house: NioHouse
  readonly room: string
  /** Devices in the room. */
  readonly devices: NioDevice[]
}

/**
 * Two users with two devices each meet and go through the stages. In the end nothing is unreadable, nothing was read
 * twice, and the server has refused no request but those that are named: `401 POST /path`.
 */
export function nioTalk(
  name: string,
  engine: EngineName,
  stages: readonly ((stage: Stage) => Promise<void>)[],
  refused: readonly string[] = [],
): void {
  const skip = ENGINES.find((one) => one.engine === engine)!.skip || noPython
  test(name, { skip, timeout: TEST_MS_MAX }, async (t) => {
    await using server = await LiveServer.start({ engine, config: 'myelin: { log_level: debug }' })
    for (const name of ['alice', 'bob', 'carol']) await server.makeAccount(name, passwordOf(name))
    await using house = new NioHouse(python ?? '', server)
    let began = performance.now()
    const done = (name: string) => {
      t.diagnostic(`${name}: ${Math.round(performance.now() - began)} ms`)
      began = performance.now()
    }
    try {
      const stage = { server, house, ...(await meet(house)) }
      done(meet.name)
      for (const step of stages) {
        await step(stage)
        done(step.name)
      }
      for (const device of house.devices) nothingLost(device)
    } finally {
      clientReport(server, [house], (text) => t.diagnostic(text))
    }
    const lines = logLines(server.log)
    const warnings = new Set(lines.filter(({ level }) => level === 'warn').map(({ msg }) => msg))
    t.diagnostic(`warnings: ${[...warnings].join('; ')}`)
    assert.deepEqual(
      lines.filter(({ level }) => level === 'error' || level === 'fatal'),
      [],
    )
    assert.deepEqual([...refusedRequests(server).keys()].sort(), [...refused].sort())
    assert.equal(await server.stop(), 0)
  })
}

/** All that came was decrypted in the end, each event once. */
function nothingLost(device: NioDevice): void {
  const ids = device.read.map(({ eventId }) => eventId)
  assert.deepEqual(
    ids.filter((id, i) => ids.indexOf(id) !== i),
    [],
    `${device.who} has read an event twice`,
  )
  assert.deepEqual(
    device.unreadable.filter((id) => !ids.includes(id) && !device.before.includes(id)),
    [],
    `${device.who} cannot read everything`,
  )
  assert.equal(device.broken, undefined, `${device.who} syncs`)
}
