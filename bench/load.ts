/** Command line of the load generator; see README.md and `--help`. */
import { writeFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { runDelivery } from './lib/delivery.ts'
import { bytesOnDisk, measureSync } from './lib/disk.ts'
import { RUN_MS_MAX } from './lib/limits.ts'
import { Setup, type User } from './lib/matrix.ts'
import { Meter } from './lib/meter.ts'
import { HELP, type Options, parseOptions, type Scenario } from './lib/options.ts'
import { treeMemory } from './lib/proc.ts'
import { type MemoryReading, type Outcome, type Report, render } from './lib/report.ts'
import { runSends, Sender, type Window } from './lib/sends.ts'
import { StallLog } from './lib/stalls.ts'

const DISK_ROOM_MEMBERS = 10
/** Senders of the delivery scenario; a message waits when all of them wait for an answer. */
const DELIVERY_SENDERS = 5

class Run {
  readonly #options: Options
  readonly #setup: Setup
  readonly #window: Window
  readonly #stalls: StallLog

  constructor(options: Options) {
    this.#options = options
    this.#setup = new Setup(options.target, options.registration, options.roomVersion)
    this.#stalls = new StallLog(options.metrics)
    this.#window = {
      warmUpMs: options.warmUp * 1000,
      measureMs: options.seconds * 1000,
      operationsMax: options.operationsMax,
    }
  }

  async run(): Promise<Report> {
    const { settle, label } = this.#options
    const version = await this.#serverVersion()
    const syncMs = measureSync(this.#options.fsyncDir)
    const loadAverage = loadavg()[0]!
    const idle = this.#memory()
    const outcomes: Outcome[] = []
    for (const scenario of this.#options.scenarios) {
      progress(`${scenario.name}: setting up`)
      outcomes.push(await this.#scenario(scenario))
    }
    progress(`waiting ${settle} s before the last look at memory`)
    await new Promise((resolve) => {
      setTimeout(resolve, settle * 1000)
    })
    const after = this.#memory()
    return {
      label: label ?? version ?? this.#options.url,
      url: this.#options.url,
      at: new Date().toISOString(),
      serverVersion: version,
      durability: this.#options.durability,
      notes: this.#options.notes,
      machine: {
        cpu: cpus()[0]?.model ?? 'unknown',
        cores: cpus().length,
        memoryBytes: totalmem(),
        kernel: release(),
        node: process.version,
        loadAverage,
      },
      options: this.#described(),
      syncMs,
      memory: { idle, after, settleSeconds: settle },
      outcomes,
    }
  }

  /** The table of the event loop's stalls; empty where the server's metrics are not read. */
  get stalls(): string {
    return this.#stalls.table()
  }

  close(): void {
    this.#setup.close()
  }

  #described(): Record<string, string | number> {
    const { seconds, warmUp, roomMembers, roomVersion, textBytes, readers, presence } = this.#options
    return {
      'measured seconds': seconds,
      'warm-up seconds': warmUp,
      'members of a room in one and many-N': roomMembers,
      'room version': roomVersion ?? "the server's default",
      'text bytes': textBytes,
      readers,
      'presence of readers': presence,
      'timeline limit': this.#options.timelineLimit,
      'seconds before the last look at memory': this.#options.settle,
    }
  }

  #memory(): MemoryReading {
    const { server, database } = this.#options.processes
    return { server: treeMemory(server), database: treeMemory(database) }
  }

  async #serverVersion(): Promise<string | null> {
    const versions = await this.#setup.get('/_matrix/client/versions')
    if (versions.status !== 200) throw new Error(`/_matrix/client/versions answered ${versions.status}`)
    const { status, body } = await this.#setup.get('/_matrix/federation/v1/version')
    const server = body['server'] as { name?: string; version?: string } | undefined
    return status === 200 && server ? `${server.name} ${server.version}` : null
  }

  #scenario(scenario: Scenario): Promise<Outcome> {
    switch (scenario.kind) {
      case 'send':
        return this.#send(scenario)
      case 'delivery':
        return this.#delivery(scenario.name, scenario.perSecond)
      case 'disk':
        return this.#disk(scenario.name)
    }
  }

  async #send(scenario: Scenario & { kind: 'send' }): Promise<Outcome> {
    const { name, senders: count, oneRoom } = scenario
    const { roomMembers, textBytes, target } = this.#options
    const start = performance.now()
    const membersPerRoom = oneRoom ? count : roomMembers
    const users = await this.#setup.users(Math.max(count, membersPerRoom))
    const memberships = oneRoom
      ? [users]
      : users.slice(0, count).map((_, index) => circle(users, index, roomMembers))
    const rooms = await this.#setup.rooms(memberships)
    const senders = users
      .slice(0, count)
      .map(
        (user, index) => new Sender(target, user, rooms[oneRoom ? 0 : index]!, `${name}-${index}`, textBytes),
      )
    const setUpSeconds = (performance.now() - start) / 1000
    progress(
      `${name}: ${count} senders, ${rooms.length} rooms of ${membersPerRoom}, set up in ${setUpSeconds.toFixed(1)} s`,
    )
    await this.#stalls.skip()
    const figures = await runSends(senders, this.#window, new Meter(this.#options.processes))
    await this.#stalls.tell(name)
    for (const { connection } of senders) connection.close()
    await this.#checkLast(senders[0]!, oneRoom ? count : 1)
    return { kind: 'send', name, senders: count, rooms: rooms.length, membersPerRoom, figures, setUpSeconds }
  }

  /** The last message that a sender was promised must be among the room's last ones. */
  async #checkLast(sender: Sender, roomSenders: number): Promise<void> {
    if (sender.sent === 0) return
    const mark = sender.mark(sender.sent - 1)
    const texts = await this.#setup.lastMessages(sender.user, sender.roomId, Math.min(1000, roomSenders * 5))
    if (!texts.some((text) => text.startsWith(mark)))
      throw new Error(`${mark} was acknowledged and is not in the room`)
  }

  async #delivery(name: string, perSecond: number): Promise<Outcome> {
    const { readers, target, textBytes, presence, timelineLimit, processes } = this.#options
    const start = performance.now()
    const users = await this.#setup.users(readers + DELIVERY_SENDERS)
    const [roomId] = await this.#setup.rooms([users])
    const senders = users
      .slice(0, DELIVERY_SENDERS)
      .map((user, index) => new Sender(target, user, roomId!, `${name}-${index}`, textBytes))
    const setUpSeconds = (performance.now() - start) / 1000
    progress(`${name}: ${readers} readers, ${perSecond} sends/s, set up in ${setUpSeconds.toFixed(1)} s`)
    await this.#stalls.skip()
    const figures = await runDelivery(
      target,
      senders,
      users.slice(DELIVERY_SENDERS).map((user) => ({ user, roomId: roomId! })),
      { presence, timelineLimit },
      this.#window,
      perSecond,
      new Meter(processes),
    )
    await this.#stalls.tell(name)
    return { kind: 'delivery', name, figures, setUpSeconds }
  }

  async #disk(name: string): Promise<Outcome> {
    const { storage, target, textBytes, diskMessages, diskSeconds, processes } = this.#options
    const start = performance.now()
    const users = await this.#setup.users(DISK_ROOM_MEMBERS)
    const [roomId] = await this.#setup.rooms([users])
    const senders = users.map(
      (user, index) => new Sender(target, user, roomId!, `${name}-${index}`, textBytes),
    )
    const setUpSeconds = (performance.now() - start) / 1000
    const bytesBefore = bytesOnDisk(storage)
    if (bytesBefore === null) throw new Error('the disk scenario needs --data-dir or --size-command')
    progress(`${name}: room of ${DISK_ROOM_MEMBERS}, set up in ${setUpSeconds.toFixed(1)} s`)
    // The two looks at the disk frame all that was sent, so there is no warm-up.
    const window = { warmUpMs: 0, measureMs: diskSeconds * 1000, operationsMax: diskMessages }
    await this.#stalls.skip()
    const { failures } = await runSends(senders, window, new Meter(processes))
    await this.#stalls.tell(name)
    for (const { connection } of senders) connection.close()
    const messages = senders.reduce((sum, sender) => sum + sender.sent, 0) - failures.count
    const bytesAfter = bytesOnDisk(storage)!
    const bytesPerMessage = (bytesAfter - bytesBefore) / messages
    const figures = {
      messages,
      roomMembers: DISK_ROOM_MEMBERS,
      bytesBefore,
      bytesAfter,
      bytesPerMessage,
      failures,
    }
    return { kind: 'disk', name, figures, setUpSeconds }
  }
}

/** `count` users from place `start` on, from the beginning again after the last. */
function circle(users: readonly User[], start: number, count: number): User[] {
  return Array.from({ length: count }, (_, index) => users[(start + index) % users.length]!)
}

function progress(text: string): void {
  console.error(`[${new Date().toISOString().slice(11, 19)}] ${text}`)
}

/** Exit status 2 tells that requests failed or deliveries went missing, so that the figures stand for less. */
function exitStatus(report: Report): number {
  const bad = report.outcomes.some(
    ({ kind, figures }) =>
      figures.failures.count > 0 || (kind === 'delivery' && figures.missing + figures.doubled > 0),
  )
  return bad ? 2 : 0
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2))
  if (!options) {
    console.log(HELP)
    return 0
  }
  setTimeout(() => {
    console.error(`the run took more than ${RUN_MS_MAX / 60_000} minutes and was ended`)
    process.exit(1)
  }, RUN_MS_MAX).unref()
  const run = new Run(options)
  const report = await run.run().finally(() => run.close())
  if (options.json) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`)
  console.log(render(report) + run.stalls)
  for (const { name, figures } of report.outcomes) {
    for (const example of figures.failures.examples) console.error(`${name}: ${example}`)
  }
  return exitStatus(report)
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  // Senders or readers of the scenario that failed may still have requests under way.
  process.exit(1)
}
