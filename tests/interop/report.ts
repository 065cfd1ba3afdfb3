/** What is told at the end of a conversation: requests that were refused, and what the clients complained about. */
import assert from 'node:assert/strict'
import { type LiveServer, logLines } from '../support/live-server.ts'
import type { Talker } from './talker.ts'

/** Requests that were answered with an error, `401 GET /path`, and how often. */
export function refusedRequests(server: LiveServer): Map<string, number> {
  const refused = new Map<string, number>()
  for (const line of logLines(server.log)) {
    if (line.msg !== 'request' || line.status === undefined || line.status < 400) continue
    const key = `${line.status} ${line.method} ${line.route}`
    refused.set(key, (refused.get(key) ?? 0) + 1)
  }
  return refused
}

/** Prints refused requests and complaints. No request may have ended in an error of the server's own. */
export function clientReport(
  server: LiveServer,
  talkers: readonly Pick<Talker, 'complaints'>[],
  say: (text: string) => void,
): void {
  const refused = refusedRequests(server)
  for (const [key, count] of [...refused].sort()) say(`refused ${count} times: ${key}`)
  const complaints = new Set(talkers.flatMap((talker) => talker.complaints))
  for (const complaint of [...complaints].sort().slice(0, 40)) say(`complaint: ${complaint.slice(0, 300)}`)
  const broken = [...refused.keys()].filter((key) => key.startsWith('5'))
  assert.deepEqual(broken, [], `the server failed:\n${server.log.slice(-5_000)}`)
}
