/** How long a room keeps its messages. https://element-hq.github.io/synapse/latest/message_retention_policies.html */
import { type JsonObject, member } from '#/protocol/json/value.ts'

/** Milliseconds; undefined stands for no bound. */
export interface RetentionPolicy {
  readonly defaultMaxMs: number | undefined
  readonly allowedMinMs: number | undefined
  readonly allowedMaxMs: number | undefined
}

/** A job for the rooms whose messages live longer than `shortestMs` and at most `longestMs`. */
export interface RetentionJob {
  readonly intervalMs: number
  readonly shortestMs: number | undefined
  readonly longestMs: number | undefined
}

/** The content of m.room.retention, as far as it is one: a lifetime is a whole number above 0. */
export function askedMaxMs(content: JsonObject | undefined): number | undefined {
  const asked = content && member(content, 'max_lifetime')
  return typeof asked === 'number' && Number.isSafeInteger(asked) && asked > 0 ? asked : undefined
}

/** Milliseconds after which messages of a room are deleted; undefined keeps them. */
export function maxLifetimeMs(
  { defaultMaxMs, allowedMinMs, allowedMaxMs }: RetentionPolicy,
  content: JsonObject | undefined,
): number | undefined {
  const wanted = askedMaxMs(content) ?? defaultMaxMs
  if (wanted === undefined) return undefined
  return Math.min(Math.max(wanted, allowedMinMs ?? 0), allowedMaxMs ?? Number.MAX_SAFE_INTEGER)
}

/** Whether a job is the one for this lifetime. */
export function isOfJob({ shortestMs, longestMs }: RetentionJob, lifetimeMs: number): boolean {
  return lifetimeMs > (shortestMs ?? 0) && lifetimeMs <= (longestMs ?? Number.MAX_SAFE_INTEGER)
}
