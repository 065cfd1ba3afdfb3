/**
 * Mutants that no test can tell from the code, each with the reason. A line with several places of the same change is
 * named once.
 */
export const SURVIVORS: readonly { readonly mutant: string; readonly why: string }[] = [
  {
    mutant:
      "auth/check-auth-events.ts | const pair = stateMapKey(auth.type, auth.stateKey ?? '') | '' -> '~'",
    why: 'The pair of a message event is never looked up: a message among the auth events is rejected by the next rule.',
  },
  {
    mutant:
      'auth/check-auth-events.ts | if (auth.stateKey === undefined || !wanted.has(stateMapKey(auth.type, auth.stateKey))) { | undefined -> null',
    why: 'The key of a pair without state key is in no wanted set, so the second half says the same.',
  },
  {
    mutant:
      'auth/check-auth-rules.ts | const target = event.redacts === undefined ? undefined : domainOf(event.redacts) | undefined -> null',
    why: 'No domain of an event id equals null, as none equals undefined after the check that follows.',
  },
  {
    mutant: 'auth/level.ts | while (start < end && isSpace(text.charCodeAt(start))) start++ | < -> <=',
    why: 'Beyond the end there is no character, and so no white space.',
  },
  {
    mutant:
      'auth/numbering.ts | ): { readonly ok: false; readonly rule: string; readonly why: string } { | false -> true',
    why: 'A type, which does not run.',
  },
  {
    mutant: 'auth/power-levels.ts | if (map === undefined) return undefined | undefined -> null',
    why: 'The caller asks with ??, for which both are absent.',
  },
  {
    mutant:
      'auth/power-levels.ts | return value === undefined || value === null ? undefined : parseLevel(rules, value) | undefined -> null',
    why: 'The caller asks with ??, for which both are absent.',
  },
  {
    mutant:
      'state/facts.ts | return event?.stateKey === undefined || this.#facts.rejection(id) !== undefined ? undefined : event | undefined -> null',
    why: 'The caller asks with ?. for the state key, which is absent for null, undefined and messages alike.',
  },
  {
    mutant: 'state/limits.ts | export const RESOLUTION_NEED_MAX = 1000 | 1000 -> 1001',
    why: 'A limit of our own choice; the test holds answers to the limit, whatever its value.',
  },
  {
    mutant:
      'state/mainline.ts | if (a.position !== b.position) return a.position > b.position ? -1 : 1 | > -> >=',
    why: 'Equal positions do not come here.',
  },
  {
    mutant:
      'state/mainline.ts | if (a.position !== b.position) return a.position > b.position ? -1 : 1 | 1 -> 2',
    why: 'Sorting looks at the sign alone.',
  },
  {
    mutant: 'state/power-order.ts | if (a.power !== b.power) return a.power > b.power | > -> >=',
    why: 'Equal powers do not come here.',
  },
  {
    mutant: 'state/power-order.ts | return compareByTime(a.event, b.event) < 0 | < -> <=',
    why: '0 is an event compared with itself, and an event is in the heap once.',
  },
  {
    mutant: 'state/power-order.ts | return compareByTime(a.event, b.event) < 0 | 0 -> 1',
    why: 'Comparisons are integers, and 0 is an event compared with itself, which the heap never does.',
  },
  {
    mutant: 'state/resolve-v1.ts | if (asker.need.length > 0) return { need: asker.need } | 0 -> 1',
    why: 'A single missing event is told at the end as well, after work in vain.',
  },
  {
    mutant: 'state/resolve-v1.ts | if (a.depth !== b.depth) return a.depth > b.depth ? -1 : 1 | > -> >=',
    why: 'Equal depths do not come here.',
  },
  {
    mutant: 'state/resolve-v1.ts | if (a.depth !== b.depth) return a.depth > b.depth ? -1 : 1 | 1 -> 2',
    why: 'Sorting looks at the sign alone.',
  },
  {
    mutant: 'state/resolve-v1.ts | return a.sha1 < b.sha1 ? -1 : 1 | < -> <=',
    why: 'Equal hashes are equal ids, and an event is in the list once.',
  },
  {
    mutant: 'state/resolve-v1.ts | return a.sha1 < b.sha1 ? -1 : 1 | 1 -> 2',
    why: 'Sorting looks at the sign alone.',
  },
  {
    mutant: "state/resolve-v2.ts | version: 'v2' | 'v2.1', | 'v2' -> '~v2'",
    why: 'A type, which does not run.',
  },
  {
    mutant: "state/resolve-v2.ts | version: 'v2' | 'v2.1', | 'v2.1' -> '~v2.1'",
    why: 'A type, which does not run.',
  },
  {
    mutant: 'state/resolve-v2.ts | if (asker.need.length > 0) return { need: asker.need } | 0 -> 1',
    why: 'A single missing event is told after a later step as well, after work in vain; after the last step it is killed.',
  },
  {
    mutant:
      "visibility/history-visibility.ts | const VALUES = ['world_readable', 'shared', 'invited', 'joined'] as const | 'shared' -> '~shared'",
    why: 'What is not in the list counts as shared.',
  },
  {
    mutant:
      "visibility/history-visibility.ts | const nobody: Around<VisibleMembership> = { before: 'leave', after: 'leave' } | 'leave' -> '~leave'",
    why: 'The rules ask for join and invite; any other membership is the same to them.',
  },
  {
    mutant: 'state/heap.ts | if (items.length === 0 || last === undefined) return top | undefined -> null',
    why: 'The last item is undefined only where the length is 0, which the first half has asked.',
  },
]
