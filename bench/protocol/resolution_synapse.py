"""Resolves one room with Synapse's library and prints the time and the result: see resolution.ts."""

import asyncio
import json
import sys
import time
from pathlib import Path

from synapse import event_auth  # noqa: F401  imported first, or the library's modules meet in a circle
from synapse.api.room_versions import KNOWN_ROOM_VERSIONS
from synapse.events import make_event_from_dict
from synapse.state import v2

sys.path.append(str(Path(__file__).parents[2] / "tests" / "vectors-state"))
from synapse_store import Clock, Store  # noqa: E402

ROUNDS = 3


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
