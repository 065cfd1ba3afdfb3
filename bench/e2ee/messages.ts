/** Messages to devices: to many at once, to one again and again, and a sync that finds many waiting. */
import { ask } from '../lib/bench.ts'
import { type Device, type Json, olmContent, V3 } from './material.ts'
import type { Run } from './run.ts'

const SENDERS = 10

function send(run: Run, sender: Device, txn: string, messages: Json): string {
  return run.request(sender, 'PUT', `${V3}/sendToDevice/m.room.encrypted/${txn}`, { messages })
}

/** One device writes to all others at once. */
export async function measureFanOut(run: Run): Promise<void> {
  const { devices } = run
  const to = (content: (m: number) => Json): Json =>
    Object.fromEntries(devices.map(({ user, id }, m) => [user.userId, { [id]: content(m) }]))
  const measure = async (name: string, txn: string, body: (n: number) => Json): Promise<void> => {
    const requests = Array.from({ length: run.repetitions }, (_, n) =>
      send(run, devices[0]!, `${txn}${n}`, body(n)),
    )
    await run.repeated(name, (n) => requests[n]!)
  }
  await measure(`message to ${devices.length} devices, one content`, 'one', (n) => {
    const content = olmContent(n, 0)
    return to(() => content)
  })
  await measure(`message to ${devices.length} devices, a content for each`, 'own', (n) =>
    to((m) => olmContent(n, m)),
  )
}

/** Messages to one device by several others at once, which then reads them, a hundred with each answer. */
export async function measureWaiting(run: Run, waiting: number): Promise<void> {
  const { devices, figures } = run
  const [reader, ...senders] = devices
  const sync = async (since: string): Promise<{ next: string; count: number }> => {
    const answer = await ask(run.connection, run.target, reader!.user, 'GET', syncPath(since))
    return { next: String(answer['next_batch']), count: countOf(answer) }
  }
  let since = ''
  for (let count = 1; count > 0; ) {
    const { next, count: got } = await sync(since)
    ;[since, count] = [next, got]
  }
  await figures.measure({
    name: `message to one device, ${SENDERS} senders`,
    times: waiting,
    atOnce: SENDERS,
    request: (n) =>
      send(run, senders[n % SENDERS]!, `wait${n}`, {
        [reader!.user.userId]: { [reader!.id]: olmContent(n, 0) },
      }),
  })
  let read = 0
  const times = Math.ceil(waiting / 100)
  await figures.measure({
    name: `sync with ${waiting} messages waiting`,
    times,
    atOnce: 1,
    request: () => run.request(reader!, 'GET', syncPath(since)),
    check: (text) => {
      const answer = JSON.parse(text) as Json
      since = String(answer['next_batch'])
      read += countOf(answer)
    },
  })
  while (read < waiting) {
    const { next, count } = await sync(since)
    if (count === 0) throw new Error(`${read} of ${waiting} messages were read`)
    read += count
    since = next
  }
}

const syncPath = (since: string): string => `${V3}/sync?timeout=0${since === '' ? '' : `&since=${since}`}`

function countOf(answer: Json): number {
  return (answer['to_device'] as { events?: unknown[] } | undefined)?.events?.length ?? 0
}
