/** The measured history: 10,000 users join a room, then come, go and rename themselves, 100,000 changes in all. */
export interface MemberChange {
  readonly user: string
  readonly membership: 'join' | 'leave'
}

/** Evenly spread numbers from a fixed seed, so that every engine and candidate stores the same history. */
export function seeded(seed: number): (limit: number) => number {
  let state = seed
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % limit
  }
}

export function userName(i: number): string {
  return `@some-user-${i}:server${i % 300}.example.org`
}

export function* memberChanges(users: number, changes: number): Generator<MemberChange> {
  const below = seeded(1)
  for (let i = 0; i < changes; i++) {
    const user = i < users ? i : below(users)
    yield { user: userName(user), membership: i < users || below(3) > 0 ? 'join' : 'leave' }
  }
}

/** Prints times in milliseconds; the fastest says most on a machine that does other work as well. */
export async function timed(name: string, times: number, work: (i: number) => unknown): Promise<void> {
  const took: number[] = []
  for (let i = 0; i < times; i++) {
    const start = performance.now()
    await work(i)
    took.push(performance.now() - start)
  }
  took.sort((a, b) => a - b)
  const at = (q: number): string => took[Math.min(took.length - 1, Math.floor(took.length * q))]!.toFixed(2)
  console.log(`  ${name}: fastest ${at(0)} ms, median ${at(0.5)} ms, p90 ${at(0.9)} ms`)
}
