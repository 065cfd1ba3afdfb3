"""Makes random forked rooms and resolves their states with Synapse's library.

    python -m venv venv && venv/bin/pip install matrix-synapse
    PYTHONHASHSEED=0 venv/bin/python tests/vectors-state/make_vectors.py 1200 tests/vectors-state/rooms.jsonl.gz

The first line of the output tells how it was made; each other line is a room:
  v  room version
  e  events in order: [type, sender, state_key, content, origin_server_ts, depth, prev, auth, rejected], where prev
     and auth are positions in this list and rejected is 1 for an event that failed against the state before it
  s  states to resolve, as lists of positions
  r  the state that Synapse resolves them to
  i  SHA-256 over all event ids, each followed by a newline: the reader computes the ids itself
"""

import asyncio
import gzip
import hashlib
import json
import random
import sys
from importlib.metadata import version as package_version

from synapse import event_auth
from synapse.api.errors import SynapseError
from synapse.api.room_versions import KNOWN_ROOM_VERSIONS, StateResolutionVersions
from synapse.events import make_event_from_dict
from synapse.state import v1, v2
from synapse.storage.databases.main.event_federation import StateDifference

from synapse_store import Clock, Store

VERSIONS = [str(n) for n in range(1, 13)]
USERS = ["@alice:a", "@bob:b", "@carol:c", "@dave:a", "@erin:b", "@frank:d"]
LEVELS = [0, 0, 25, 50, 50, 75, 99, 100]
# Up to this many events Synapse works out the auth difference itself, as for events not yet in its database. Above,
# that takes too long on random graphs, and the store in memory stands in for the database.
UNPERSISTED_MAX = 24


class Room:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.version = KNOWN_ROOM_VERSIONS[VERSIONS[seed % len(VERSIONS)]]
        self.number = int(self.version.identifier)
        self.room_id = "!room:a"
        self.list, self.rows, self.index, self.events = [], [], {}, {}
        self.old = []
        self.users = USERS[: self.rng.randint(2, len(USERS))]

    # -- events ---------------------------------------------------------------------------------------------------

    def refs(self, ids):
        if self.number <= 2:
            return [[i, {"sha256": "x"}] for i in ids]
        return list(ids)

    def send(self, branch, type_, sender, key, content):
        rng = self.rng
        create = type_ == "m.room.create"
        branch["depth"] += 1
        branch["ts"] += rng.choice([0, 0, 1, 3, 7, 20, -5])
        state = branch["state"]
        source = rng.choice(self.old) if self.old and rng.random() < 0.08 else state
        draft = {
            "type": type_,
            "sender": sender,
            "state_key": key,
            "content": content,
            "origin_server_ts": branch["ts"],
            "depth": branch["depth"],
            "prev_events": self.refs([] if create else branch["tips"]),
            "auth_events": [],
            "hashes": {"sha256": "x"},
            "signatures": {},
        }
        if not (create and self.number >= 12):
            draft["room_id"] = self.room_id
        if self.number <= 2:
            draft["event_id"] = "$%d%s:%s" % (len(self.list), "abcxyz"[branch["ts"] % 6], sender.split(":")[1])
        auth = []
        if not create:
            probe = make_event_from_dict(draft, self.version)
            keys = sorted(event_auth.auth_types_for_event(self.version, probe))
            auth = [source[k] for k in keys if k in source]
            if self.number >= 12:
                auth = [i for i in auth if self.events[i].type != "m.room.create"]
        draft["auth_events"] = self.refs(auth)
        event = make_event_from_dict(draft, self.version)
        if create and self.number >= 12:
            self.room_id = event.room_id
        rejected = 0
        if not create:
            own = [self.events[i] for i in event.auth_event_ids()]
            if any(e.rejected_reason for e in own) or not self.allowed(event, own):
                return  # failed against its own auth events: such events never appear
            here = [self.events[i] for i in state.values()]
            if not self.allowed(event, here):
                rejected = 1
                event = make_event_from_dict(draft, self.version, rejected_reason="auth_error")
        if event.event_id in self.index:
            return
        row = [type_, sender, key, content, branch["ts"], branch["depth"]]
        row += [[self.index[i] for i in ([] if create else branch["tips"])], [self.index[i] for i in auth], rejected]
        self.index[event.event_id] = len(self.list)
        self.list.append(event)
        self.rows.append(row)
        self.events[event.event_id] = event
        branch["tips"] = [event.event_id]
        if not rejected or rng.random() < 0.03:
            state[(type_, key)] = event.event_id

    @staticmethod
    def allowed(event, auth):
        try:
            event_auth.check_state_dependent_auth_rules(event, auth)
            return True
        except (SynapseError, AssertionError, KeyError):
            return False

    # -- what people do -------------------------------------------------------------------------------------------

    def power_levels(self, branch, sender):
        rng, creator = self.rng, USERS[0]
        current = branch["state"].get(("m.room.power_levels", ""))
        content = dict(self.events[current].content) if current and rng.random() < 0.7 else {}
        users = dict(content.get("users", {}))
        if not users and self.number < 12:
            users[creator] = 100
        for _ in range(rng.randint(1, 3)):
            level = rng.choice(LEVELS)
            if self.number <= 9 and rng.random() < 0.1:
                level = rng.choice([" %d", "%d ", "+%d", "%d"]) % level
            if self.number >= 12 and rng.random() < 0.9:
                users[rng.choice(self.users[1:])] = level
            else:
                users[rng.choice(self.users)] = level
        content["users"] = users
        for name in ("ban", "kick", "invite", "state_default", "users_default", "events_default"):
            if rng.random() < 0.08:
                content[name] = rng.choice(LEVELS)
        if rng.random() < 0.1:
            content["events"] = {rng.choice(["m.room.topic", "m.room.name"]): rng.choice(LEVELS)}
        if rng.random() < 0.05:
            content["notifications"] = {"room": rng.choice(LEVELS)}
        self.send(branch, "m.room.power_levels", sender, "", content)

    def step(self, branch):
        rng = self.rng
        sender, target = rng.choice(self.users), rng.choice(self.users)
        powerful = self.users[0] if rng.random() < 0.4 else sender
        dice = rng.random()
        if dice < 0.2:
            self.power_levels(branch, powerful)
        elif dice < 0.4:
            key = rng.choice(["", "", "", "x", sender])
            self.send(branch, rng.choice(["m.room.topic", "m.room.name"]), sender, key, {"v": rng.randint(0, 9)})
        elif dice < 0.62:
            membership = rng.choice(["join", "join", "join", "leave", "knock"])
            content = {"membership": membership}
            if self.number >= 8 and membership == "join" and rng.random() < 0.2:
                content["join_authorised_via_users_server"] = target
            self.send(branch, "m.room.member", sender, sender, content)
        elif dice < 0.85:
            content = {"membership": rng.choice(["ban", "leave", "invite", "invite"])}
            self.send(branch, "m.room.member", powerful, target, content)
        elif dice < 0.97:
            rules = ["public", "public", "invite", "knock", "private"]
            if self.number >= 8:
                rules.append("restricted")
            if self.number >= 10:
                rules.append("knock_restricted")
            self.send(branch, "m.room.join_rules", powerful, "", {"join_rule": rng.choice(rules)})
        else:
            type_ = rng.choice(["m.room.aliases", "m.room.power_levels", "m.room.join_rules"])
            self.send(branch, type_, powerful, rng.choice(["a", "b", "x"]), {"aliases": []})
        if rng.random() < 0.2:
            self.old.append(dict(branch["state"]))

    def begin(self):
        rng, creator = self.rng, USERS[0]
        branch = {"state": {}, "depth": 0, "ts": 1000, "tips": []}
        content = {"room_version": self.version.identifier}
        if self.number <= 10:
            content["creator"] = creator
        if self.number >= 12 and rng.random() < 0.3:
            content["additional_creators"] = [USERS[1]]
        if rng.random() < 0.05:
            content["m.federate"] = False
        self.send(branch, "m.room.create", creator, "", content)
        self.send(branch, "m.room.member", creator, creator, {"membership": "join"})
        if rng.random() < 0.9:
            users = {} if self.number >= 12 else {creator: 100}
            if rng.random() < 0.5 and not content.get("additional_creators"):
                users[self.users[1]] = rng.choice([50, 100])
            self.send(branch, "m.room.power_levels", creator, "", {"users": users})
        if rng.random() < 0.9:
            self.send(branch, "m.room.join_rules", creator, "", {"join_rule": "public"})
        for user in self.users[1:]:
            if rng.random() < 0.9:
                self.send(branch, "m.room.member", user, user, {"membership": "join"})
        return branch

    # -- resolution -----------------------------------------------------------------------------------------------

    def resolve(self, sets):
        sets = [dict(s) for s in sets]
        if self.version.state_res == StateResolutionVersions.V1:

            async def factory(ids):
                return {i: self.events[i] for i in ids}

            work = v1.resolve_events_with_store(self.room_id, self.version, sets, None, factory)
        else:
            known = dict(self.events) if len(self.list) <= UNPERSISTED_MAX else None
            store = Store(self.events)
            if known is not None:

                async def nothing(_room, _sets, conflicted, _more):
                    return StateDifference(set(), None if conflicted is None else set())

                store.get_auth_chain_difference = nothing
            work = v2.resolve_events_with_store(Clock(), self.room_id, self.version, sets, known, store)
        return dict(asyncio.run(work))

    def wrong(self, state):
        """A state as a faulty or hostile server gives it: keys missing, or older events for some keys."""
        rng = self.rng
        state = dict(state)
        for key in list(state):
            if rng.random() < 0.015:
                del state[key]
            elif self.old and rng.random() < 0.05:
                state[key] = rng.choice(self.old).get(key, state[key])
        return state

    def make(self):
        rng = self.rng
        branches = [self.begin()]
        wanted = rng.choice([rng.randint(8, 24), rng.randint(12, 50), rng.randint(50, 110), rng.randint(110, 200)])
        for _ in range(wanted * 5):
            if len(self.list) >= wanted:
                break
            dice = rng.random()
            if dice < 0.1 and len(branches) < 5:
                chosen = rng.choice(branches)
                branches.append({**chosen, "state": dict(chosen["state"])})
            elif dice < 0.15 and len(branches) > 1:
                a, b = branches.pop(0), branches.pop(0)
                merged = self.resolve([a["state"], b["state"]])
                tips = sorted(set(a["tips"] + b["tips"]), key=self.index.get)
                ts, depth = max(a["ts"], b["ts"]), max(a["depth"], b["depth"])
                branches.append({"state": merged, "depth": depth, "ts": ts, "tips": tips})
            else:
                self.step(rng.choice(branches))
        if len(branches) == 1:
            branches.append({**branches[0], "state": dict(branches[0]["state"])})
            for branch in branches:
                self.step(branch)
                self.step(branch)
        bad = rng.random() < 0.5
        sets = [self.wrong(b["state"]) if bad else b["state"] for b in branches]
        if all(s == sets[0] for s in sets):
            return None
        result = self.resolve(sets)
        numbers = lambda state: sorted(self.index[i] for i in state.values())
        ids = hashlib.sha256("".join(e.event_id + "\n" for e in self.list).encode()).hexdigest()
        return {
            "v": self.version.identifier,
            "e": self.rows,
            "s": [numbers(s) for s in sets],
            "r": numbers(result),
            "i": ids,
        }


def main():
    wanted, path = int(sys.argv[1]), sys.argv[2]
    about = {"synapse": package_version("matrix-synapse"), "rooms": wanted}
    made = failed = events = 0
    out = gzip.GzipFile(path, "wb", 9, mtime=0)
    out.write((json.dumps(about) + "\n").encode())
    seed = 0
    while made < wanted:
        seed += 1
        try:
            room = Room(seed).make()
        except AssertionError:
            failed += 1  # Synapse gives up on a state without a create event
            continue
        if room is None:
            continue
        out.write((json.dumps(room, separators=(",", ":")) + "\n").encode())
        made += 1
        events += len(room["e"])
    out.close()
    print(f"{made} rooms, {events} events, {failed} given up, {seed} seeds")


main()
