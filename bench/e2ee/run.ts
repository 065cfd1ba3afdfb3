/** What the scenarios of one run share. */
import { ask, type Bench } from '../lib/bench.ts'
import { Connection, type Target } from '../lib/connection.ts'
import { forEachLimited, requestText } from '../lib/matrix.ts'
import { Figures } from './figures.ts'
import { type Device, V3 } from './material.ts'

const SETUP_AT_ONCE = 8
/** Expensive requests that are made before those that are measured. */
const WARM_UP = 5

/** The devices of one run on one server, and how their requests are made and measured. */
export class Run {
  readonly target: Target
  readonly devices: readonly Device[]
  readonly figures: Figures
  /** How often an expensive request is made. */
  readonly #repeat: number
  /** For what is not measured. */
  readonly connection: Connection

  constructor(bench: Bench, devices: readonly Device[], repeat: number, others: boolean) {
    this.target = bench.target
    this.devices = devices
    const beside = requestText(bench.target, 'GET', `${V3}/account/whoami`, devices.at(-1)!.user.accessToken)
    this.figures = new Figures(bench.target, bench.processes, bench.stalls, others ? beside : undefined)
    this.#repeat = repeat
    this.connection = new Connection(bench.target)
  }

  /** The text of a request by a device. */
  request({ user }: Device, method: string, path: string, body?: object): string {
    return requestText(this.target, method, path, user.accessToken, body)
  }

  /** The text of a POST by a device; `path` stands behind the client API's version. */
  post(device: Device, path: string, body: object): string {
    return this.request(device, 'POST', `${V3}/${path}`, body)
  }

  /** How many requests `repeated` makes, those that do not count included. */
  get repetitions(): number {
    return this.#repeat + WARM_UP
  }

  /** Measures an expensive request of a client that waits for each answer; `request` gives it by number, from 0. */
  repeated(
    name: string,
    request: (n: number) => string,
    check: (text: string) => void = () => {},
  ): Promise<void> {
    return this.figures.measure({ name, times: this.#repeat, warmUp: WARM_UP, atOnce: 1, request, check })
  }
}

/** New users with a device each. */
export async function devicesOf(bench: Bench, count: number): Promise<Device[]> {
  const users = await bench.setup.users(count)
  const connections = Array.from({ length: SETUP_AT_ONCE }, () => new Connection(bench.target))
  const devices: Device[] = []
  await forEachLimited([...users.entries()], SETUP_AT_ONCE, async ([index, user], slot) => {
    const answer = await ask(connections[slot]!, bench.target, user, 'GET', `${V3}/account/whoami`)
    devices[index] = { user, id: String(answer['device_id']) }
  })
  for (const connection of connections) connection.close()
  return devices
}
