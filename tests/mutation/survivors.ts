/**
 * Mutants that no test can tell from the code, each with the reason. A line with several places of the same change is
 * named once.
 */
export const SURVIVORS: readonly { readonly mutant: string; readonly why: string }[] = [
  {
    mutant: "auth/check-auth-events.ts | const pair = pairKey(auth.type, auth.stateKey ?? '') | '' -> '~'",
    why: 'The pair of a message event is never looked up: a message among the auth events is rejected by the next rule.',
  },
  {
    mutant:
      'auth/check-auth-events.ts | if (auth.stateKey === undefined || !wanted.has(pairKey(auth.type, auth.stateKey))) { | undefined -> null',
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
    mutant: "room-version/rules.ts | 'content', | 'content' -> '~content'",
    why: 'Redaction writes the content in any case, reduced.',
  },
]
