/** What concerns people, as a server without a word about it in its configuration has it. */
import type { PeopleOptions } from '#/app/people.ts'

export const PLAIN_PEOPLE: PeopleOptions = {
  directory: {
    enabled: true,
    searchAllUsers: false,
    preferLocalUsers: false,
    excludeRemoteUsers: false,
    showLockedUsers: false,
  },
  turn: {
    uris: [],
    sharedSecret: undefined,
    username: undefined,
    password: undefined,
    lifetimeMs: 3_600_000,
    guests: true,
  },
  rtcTransports: [],
  onlyAdminsInvite: false,
  inviteRules: false,
  profileRules: { onInvite: true, perRoom: true },
}
