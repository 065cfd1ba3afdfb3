/** Row ids and stream positions: blocks of a sequence, and the position below which everything is committed. */
import { StoreError } from '#/base/store-error.ts'
import type { Op, Plan } from '#/ports/store/plan.ts'
import { POSITIONS_RESERVED } from '../limits.ts'
import type { PositionSource } from '../ops/context.ts'

/** Positions of one batch: those after `start` up to `end`. */
export class PositionBlock implements PositionSource {
  readonly start: number
  readonly end: number
  #last: number

  constructor(start: number, end: number) {
    this.start = start
    this.end = end
    this.#last = start
  }

  next(): number {
    if (this.#last >= this.end)
      throw new StoreError('invalid', 'a plan takes more positions than were reserved')
    return ++this.#last
  }

  /** Begins again, for a batch that was rolled back. */
  reset(): void {
    this.#last = this.start
  }
}

/** The greatest number of positions that a plan can take. */
export function positionsOf(plan: Plan): number {
  let count = 0
  for (const op of plan.ops) count += positionsOfOp(op)
  return count
}

function positionsOfOp(op: Op): number {
  /* One for the change itself where the plan has no event, and one for each key that is new. */
  if (op.op === 'state.change') return 1 + op.changes.length
  /* A person who is new in the directory takes one. */
  if (op.op === 'profile.put') return 2
  /* The device, its user's device list, and keys that are gone. */
  if (op.op === 'device.put' || op.op === 'device.delete') return 3
  if (op.op === 'keys.upload') return 3 + op.oneTime.length
  if (op.op === 'to_device.put') return 1 + op.messages.length
  /* Each person of the page may be new to the directory. */
  return op.op === 'directory.reindex' || op.op === 'directory.check' ? op.limit : 1
}

/**
 * Reserves ?1 numbers of the sequence and gives the last of them. The lock makes one step of the two, also between
 * processes; it ends with the statement.
 */
export const RESERVE = `SELECT setval('myelin_positions', nextval('myelin_positions') + ?1 - 1) AS last
  FROM pg_advisory_xact_lock(CAST(CAST('myelin_positions' AS regclass) AS BIGINT))`

/** Reserves `count` numbers of the sequence and gives the last of them. */
export type Reserve = (count: number) => Promise<number>

/** Hands out blocks in order and knows which are still being written. */
export class Positions {
  readonly #reserve: Reserve
  #next: number
  #end: number
  #reserving: Promise<void> | undefined
  /* In the order of their starts, since blocks are handed out in order. */
  readonly #underWay = new Set<PositionBlock>()

  /** `last` is the last number that was given out before. */
  constructor(last: number, reserve: Reserve) {
    this.#next = last
    this.#end = last
    this.#reserve = reserve
  }

  /** A block for a batch, which counts as under way until `done`. */
  async take(count: number): Promise<PositionBlock> {
    while (this.#end - this.#next < count) await this.#more(count)
    const block = new PositionBlock(this.#next, this.#next + count)
    this.#next = block.end
    this.#underWay.add(block)
    return block
  }

  done(block: PositionBlock): void {
    this.#underWay.delete(block)
  }

  /** The position below which no batch is under way. */
  get settled(): number {
    for (const block of this.#underWay) return block.start
    return this.#next
  }

  /* One reservation at a time: the two steps of two of them must not mix. */
  #more(count: number): Promise<void> {
    this.#reserving ??= this.#fetch(Math.max(count, POSITIONS_RESERVED)).finally(() => {
      this.#reserving = undefined
    })
    return this.#reserving
  }

  async #fetch(count: number): Promise<void> {
    const last = await this.#reserve(count)
    /* After a crash the server may have skipped numbers; then what was left of the old block is given up. */
    if (last - count !== this.#end) this.#next = last - count
    this.#end = last
  }
}
