/** Runs a child, kills it, and keeps what it had acknowledged. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { ChildTask, FromChild } from './child.ts'

/** All that was ever acknowledged, over all lives. */
export interface Acknowledged {
  readonly rooms: Set<string>
  readonly events: Map<string, { readonly room: string; readonly sender: string; readonly txn?: string }>
}

export interface Life {
  /** Milliseconds from opening to the first commit, as far as it came. */
  readonly ready: number | undefined
  readonly acknowledged: number
}

const CHILD = new URL('./child.ts', import.meta.url).pathname

export function startChild(task: ChildTask, node: readonly string[] = []): ChildProcess {
  const child = spawn(process.execPath, [...node, CHILD, JSON.stringify(task)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  child.stderr?.setEncoding('utf8')
  return child
}

/**
 * Lets a child live until `killAfterMs` after it is ready, or after its start when `early` is set. What it said is
 * added to `all`. Throws when it ended by itself.
 */
export async function liveAndDie(
  task: ChildTask,
  { killAfterMs, early }: { killAfterMs: number; early: boolean },
  all: Acknowledged,
): Promise<Life> {
  const child = startChild(task)
  let ready: number | undefined
  let acknowledged = 0
  let errors = ''
  let killed = false
  const kill = (): void => {
    killed = true
    child.kill('SIGKILL')
  }
  child.stderr?.on('data', (text: string) => {
    errors += text
  })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  if (early) setTimeout(kill, killAfterMs)
  for await (const line of createInterface({ input: child.stdout! })) {
    const message = parse(line)
    if (!message) continue
    if ('ready' in message) {
      ready = message.ready
      if (!early) setTimeout(kill, killAfterMs)
    } else if ('event' in message) {
      acknowledged++
      const { event, ...rest } = message
      if (all.events.has(event)) throw new Error(`${event} was acknowledged twice`)
      all.events.set(event, rest)
    } else all.rooms.add(message.room)
  }
  await ended
  if (!killed) throw new Error(`the child ended by itself: ${errors}`)
  return { ready, acknowledged }
}

/** A line that the kill cut short says nothing: its write was not told to anybody. */
function parse(line: string): FromChild | undefined {
  try {
    return JSON.parse(line) as FromChild
  } catch {
    return undefined
  }
}
