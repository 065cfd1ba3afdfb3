"""Resolves one room with Synapse's library and prints the time and the result: see resolution.ts.

The store answers from memory what Synapse's database answers, by one walk over the auth chains for all states.
"""

import asyncio
import json
import sys
import time

from synapse import event_auth  # noqa: F401  imported first, or the library's modules meet in a circle
from synapse.api.room_versions import KNOWN_ROOM_VERSIONS
from synapse.events import make_event_from_dict
from synapse.state import v2
from synapse.storage.databases.main.event_federation import StateDifference

ROUNDS = 3


class Clock:
    async def sleep(self, _duration):
        return None


class Store:
    def __init__(self, events):
        self.events = events

    async def get_events(self, ids, allow_rejected=False):
        return {i: self.events[i] for i in ids if i in self.events}

    def chain(self, ids):
        seen, todo = set(), list(ids)
        while todo:
            i = todo.pop()
            if i not in seen:
                seen.add(i)
                todo.extend(self.events[i].auth_event_ids())
        return seen

    async def get_auth_chain_difference(self, _room, sets, conflicted, _more):
        chains = [self.chain(s) for s in sets]
        difference = set.union(*chains) - set.intersection(*chains)
        if conflicted is None:
            return StateDifference(auth_difference=difference, conflicted_subgraph=None)
        # Events between conflicted ones: behind one of them, and with one of them behind.
        behind = self.chain(conflicted)
        ahead = {}
        for i in behind:
            for parent in self.events[i].auth_event_ids():
                ahead.setdefault(parent, []).append(i)
        before, todo = set(), list(conflicted)
        while todo:
            i = todo.pop()
            if i not in before:
                before.add(i)
                todo.extend(ahead.get(i, ()))
        return StateDifference(auth_difference=difference, conflicted_subgraph=behind & before)


def main():
    with open(sys.argv[1]) as file:
        room = json.load(file)
    version = KNOWN_ROOM_VERSIONS[room["version"]]
    made = [make_event_from_dict(e, version) for e in room["events"]]
    events = {e.event_id: e for e in made}
    states = [{(events[i].type, events[i].state_key): i for i in ids} for ids in room["states"]]
    store = Store(events)
    best = None
    for _ in range(ROUNDS):
        sets = [dict(s) for s in states]
        begun = time.perf_counter()
        work = v2.resolve_events_with_store(Clock(), made[0].room_id, version, sets, None, store)
        resolved = dict(asyncio.run(work))
        took = time.perf_counter() - begun
        best = took if best is None else min(best, took)
    print(json.dumps({"ms": best * 1000, "resolved": sorted(resolved.values())}))


main()
