/** UIA sessions in memory: for tests, the simulator, and servers that may forget them at a restart. */
import { UIA_SESSIONS_MAX } from './limits.ts'
import type { UiaSession, UiaSessionStore } from './uia.ts'

/** A store of at most `max` sessions; the oldest goes first. */
export function memoryUiaSessions(max: number = UIA_SESSIONS_MAX): UiaSessionStore {
  const sessions = new Map<string, UiaSession>()
  const change = (id: string, how: (session: UiaSession) => UiaSession): void => {
    const session = sessions.get(id)
    if (session !== undefined) sessions.set(id, how(session))
  }
  return {
    async create(session) {
      if (sessions.size >= max) {
        for (const oldest of sessions.keys()) {
          sessions.delete(oldest)
          break
        }
      }
      sessions.set(session.id, session)
    },
    get: async (id) => sessions.get(id),
    complete: async (id, stage, kept) =>
      change(id, (session) => ({ ...session, completed: { ...session.completed, [stage]: kept } })),
    fail: async (id) => change(id, (session) => ({ ...session, failures: session.failures + 1 })),
    async delete(id) {
      sessions.delete(id)
    },
  }
}
