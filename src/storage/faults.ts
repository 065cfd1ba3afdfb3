/** Places where tests and the simulator let the storage fail. In production there are none. */

export type FaultPoint =
  /** Before a statement of a write runs. */
  | 'statement'
  /** Before a group is committed. */
  | 'commit'
  /** After the commit, before anyone is told. */
  | 'committed'

/** Throws to make the point fail. */
export type Faults = (point: FaultPoint) => void
