/** Devices with matrix-nio and its encryption, all in one Python process (nio_devices.py). */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LiveServer } from '../../support/live-server.ts'
import { until } from '../conversation.ts'
import { LinesProcess } from '../lines-process.ts'
import type { Stage } from './talk.ts'

const SCRIPT = `${import.meta.dirname}/../nio_devices.py`

/** A message that a device has decrypted, or that came without encryption. */
export interface Read {
  readonly room: string
  readonly eventId: string
  readonly sender: string
  readonly text: string
  readonly encrypted: boolean
  /** Sent by a device that the reader has verified. */
  readonly verified: boolean
}

/** To-device messages of one sync answer, and the numbers of those that mean nothing. */
export interface Synced {
  readonly messages: number
  readonly noise: readonly number[]
}

interface SasNews {
  readonly txn: string
  readonly step: 'signs' | 'mac' | 'cancelled'
  readonly signs?: readonly number[]
  readonly verified?: boolean
  readonly why?: string
}

interface News {
  readonly who: string
  readonly read?: Read
  readonly unreadable?: string
  readonly sas?: SasNews
  readonly synced?: Synced
  readonly lost?: string
  readonly broken?: string
}

export interface NioLogin {
  readonly userId: string
  readonly deviceId: string
  readonly accessToken: string
}

export const passwordOf = (name: string): string => `${name} has a password`

/** All devices of a test, on one server. */
export class NioHouse implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'myelin-nio-'))
  readonly devices: NioDevice[] = []
  readonly python: LinesProcess

  constructor(python: string, server: LiveServer) {
    this.python = new LinesProcess(python, [SCRIPT, server.url, this.folder], (line) => {
      const news = line as News
      this.devices.find(({ who }) => who === news.who)?.hear(news)
    })
  }

  get complaints(): readonly string[] {
    return this.python.complaints
  }

  /** Logs in with a new device, which syncs then. */
  async login(name: string, who: string, deviceId?: string): Promise<NioDevice> {
    const device = new NioDevice(this.python, who)
    this.devices.push(device)
    const args = { name, password: passwordOf(name), ...(deviceId === undefined ? {} : { deviceId }) }
    device.session = (await device.ask('login', args)) as NioLogin
    await device.ask('start')
    return device
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.python.close()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

export class NioDevice {
  readonly who: string
  session: NioLogin = { userId: '', deviceId: '', accessToken: '' }
  /** Everything decrypted, in order; a repetition stands twice. */
  readonly read: Read[] = []
  /** Events that could not be decrypted when they came. */
  readonly unreadable: string[] = []
  /** Those of them that were sent before it was there. */
  before: readonly string[] = []
  readonly syncs: Synced[] = []
  readonly sas: SasNews[] = []
  /** The error with which its sync was refused. */
  lost: string | undefined
  away = false
  /** What ended its sync loop. */
  broken: string | undefined
  readonly #python: LinesProcess

  constructor(python: LinesProcess, who: string) {
    this.#python = python
    this.who = who
  }

  get userId(): string {
    return this.session.userId
  }

  get deviceId(): string {
    return this.session.deviceId
  }

  hear({ read, unreadable, sas, synced, lost, broken }: News): void {
    if (read) this.read.push(read)
    if (unreadable !== undefined) this.unreadable.push(unreadable)
    if (sas) this.sas.push(sas)
    if (synced) this.syncs.push(synced)
    if (lost !== undefined) this.lost = lost
    if (broken !== undefined) this.broken = broken
  }

  ask(what: string, args: object = {}): Promise<unknown> {
    return this.#python.ask(what, { ...args, who: this.who })
  }

  /** Goes away: no sync, no connection. */
  async stop(): Promise<void> {
    this.away = true
    await this.ask('stop')
  }

  /** Comes back as a program that starts with what it had on disk. */
  async reopen(): Promise<void> {
    await this.ask('reopen')
    this.away = false
  }

  join = async (room: string) => void (await this.ask('join', { room }))
  /** A new room key before the next message. */
  newSession = async (room: string) => void (await this.ask('newSession', { room }))
  send = async (room: string, text: string) =>
    (await this.ask('send', { room, text, txn: `${this.who}-${text}` })) as string
  /** Devices of a user that it knows, without those that are gone. */
  devicesOf = async (user: string) => (await this.ask('devices', { user })) as string[]
  trusts = async (other: NioDevice) =>
    (await this.ask('trust', { user: other.userId, device: other.deviceId })) as boolean

  /** Waits until it sees both users in the room, and that the room is encrypted. */
  isIn = (room: string): Promise<void> =>
    until(
      async () => ((await this.ask('inRoom', { room })) as string[]).length === 2,
      () => `${this.who} sees both in the room`,
    )

  /** Waits until it has decrypted a message; it must have been encrypted. */
  async reads(text: string): Promise<Read> {
    const found = () => this.read.find((one) => one.text === text)
    await until(
      () => found() !== undefined,
      () => `${this.who} reads "${text}"${this.broken ? `, but its sync ended: ${this.broken}` : ''}`,
    )
    const read = found()!
    assert.ok(read.encrypted, `"${text}" came encrypted`)
    return read
  }

  /** Waits until it knows exactly these devices of their user, itself left out. */
  async knows(others: readonly NioDevice[], user: string): Promise<void> {
    const wanted = others
      .filter((one) => one.userId === user && one !== this)
      .map(({ deviceId }) => deviceId)
      .sort()
    let known: string[] = []
    await until(
      async () => {
        known = await this.devicesOf(user)
        return known.join() === wanted.join()
      },
      () => `${this.who} knows ${wanted.join(', ')} of ${user}, not ${known.join(', ')}`,
    )
  }
}

/** Everybody knows everybody's devices. */
export async function allKnown(devices: readonly NioDevice[]): Promise<void> {
  const users = [...new Set(devices.map(({ userId }) => userId))]
  await Promise.all(devices.flatMap((one) => users.map((user) => one.knows(devices, user))))
}

/** A further device comes into the room, and all know it. What was said before is unreadable for it. */
export async function enter(stage: Stage, name: string, who: string): Promise<NioDevice> {
  const { house, devices, room } = stage
  const device = await house.login(name, who)
  await device.isIn(room)
  device.before = [...device.unreadable]
  devices.push(device)
  const awake = devices.filter((one) => !one.away)
  await Promise.all(
    awake.flatMap((one) => [one.knows(devices, device.userId), device.knows(devices, one.userId)]),
  )
  return device
}

/** A message that all others read who are there. */
export async function tellAll(sender: NioDevice, stage: Stage, text: string): Promise<Read[]> {
  await sender.send(stage.room, text)
  const others = stage.devices.filter((one) => one !== sender && !one.away)
  return Promise.all(others.map((one) => one.reads(text)))
}
