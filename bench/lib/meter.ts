import { machineCpuMs, treeCpuMs } from './proc.ts'

/** The processes whose time and memory count, by the ids of their roots. */
export interface Processes {
  readonly server: readonly number[]
  readonly database: readonly number[]
}

/** CPU time used since some start, milliseconds, and when that was read (monotonic milliseconds). */
interface Reading {
  readonly at: number
  readonly server: number
  readonly database: number
  readonly generator: number
  readonly machine: number
}

/** CPU time of one measured window, milliseconds. */
export interface Cpu {
  /** Length of the window in wall time, seconds. */
  readonly seconds: number
  readonly serverMs: number
  readonly databaseMs: number
  readonly generatorMs: number
  /** What the rest of the machine used meanwhile: noise, when it is not small. */
  readonly otherMs: number
}

/** The same per operation, milliseconds. `allMs` is server and database together. */
export interface CpuPerOperation {
  readonly allMs: number
  readonly serverMs: number
  readonly databaseMs: number
  readonly generatorMs: number
}

/** Reads CPU times at the two ends of a measured window. */
export class Meter {
  readonly #processes: Processes
  #start: Reading

  constructor(processes: Processes) {
    this.#processes = processes
    this.#start = this.#read()
  }

  start(): void {
    this.#start = this.#read()
  }

  /** CPU time used since `start`. */
  stop(): Cpu {
    const end = this.#read()
    const start = this.#start
    const serverMs = end.server - start.server
    const databaseMs = end.database - start.database
    const generatorMs = end.generator - start.generator
    return {
      seconds: (end.at - start.at) / 1000,
      serverMs,
      databaseMs,
      generatorMs,
      otherMs: Math.max(0, end.machine - start.machine - serverMs - databaseMs - generatorMs),
    }
  }

  #read(): Reading {
    const { user, system } = process.cpuUsage()
    return {
      at: performance.now(),
      server: treeCpuMs(this.#processes.server),
      database: treeCpuMs(this.#processes.database),
      generator: (user + system) / 1000,
      machine: machineCpuMs(),
    }
  }
}

/** CPU time divided by the number of operations; NaN for none. */
export function perOperation(cpu: Cpu, operations: number): CpuPerOperation {
  return {
    allMs: (cpu.serverMs + cpu.databaseMs) / operations,
    serverMs: cpu.serverMs / operations,
    databaseMs: cpu.databaseMs / operations,
    generatorMs: cpu.generatorMs / operations,
  }
}
