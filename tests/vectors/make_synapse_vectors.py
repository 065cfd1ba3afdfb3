#!/usr/bin/env python3
"""Makes the event vectors with Synapse's own library.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install matrix-synapse
    /tmp/venv/bin/python tests/vectors/make_synapse_vectors.py tests/vectors

Writes synapse-events.json.gz (format, redaction, hashes, ids, sizes of single events, valid and broken in every
member) and synapse-auth.json.gz (events against their auth_events and against a state). The seed is fixed, so a
second run with the same library writes the same files.
"""

import asyncio
import gzip
import hashlib
import json
import random
import sys
from importlib.metadata import version as package_version

from canonicaljson import encode_canonical_json
from signedjson.key import decode_signing_key_base64
from signedjson.sign import sign_json
from unpaddedbase64 import encode_base64

from synapse import event_auth
from synapse.api.errors import EventSizeError
from synapse.api.room_versions import KNOWN_ROOM_VERSIONS
from synapse.crypto.event_signing import check_event_content_hash, compute_content_hash
from synapse.events import make_event_from_dict
from synapse.events.utils import prune_event
from synapse.federation.federation_base import event_from_pdu_json

SEED = 20261122
VERSIONS = [str(v) for v in range(1, 13)]
SIGNING_KEY = decode_signing_key_base64("ed25519", "tpi", "YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1")
TPI_PUBLIC = encode_base64(bytes(SIGNING_KEY.verify_key))


def sha(data: bytes) -> str:
    return encode_base64(hashlib.sha256(data).digest())


# --------------------------------------------------------------------------- single events

HASH = "JRkpIvhGBvhsBZYZ2hQ2dAqTFj8NBKm7m5w5pR8Zq3E"


def ref(version: str, name: str):
    if version in ("1", "2"):
        return [f"${name}:a.example", {"sha256": HASH}]
    return "$" + encode_base64(hashlib.sha256(name.encode()).digest(), urlsafe=True)


def base_events(v: str):
    n = int(v)
    common = {
        "room_id": "!room:a.example",
        "sender": "@alice:a.example",
        "depth": 12,
        "origin_server_ts": 1700000000000,
        "origin": "a.example",
        "prev_events": [ref(v, "p1"), ref(v, "p2")],
        "auth_events": [ref(v, "a1")],
        "prev_state": [],
        "hashes": {"sha256": HASH},
        "signatures": {"a.example": {"ed25519:a": "c2ln"}},
        "unsigned": {"age": 5, "prev_content": {"x": 1}},
        "membership": "join",
        "zzz_extra": {"kept": False},
    }
    if n < 3:
        common["event_id"] = "$event:a.example"
    extra = {"extra": "gone", "1": 1, "10": 10, "9": 9}
    contents = [
        ("m.room.create", "", {"creator": "@alice:a.example", "room_version": v, "m.federate": True,
                               "predecessor": {"room_id": "!o:a.example"}, "additional_creators": []}),
        ("m.room.member", "@alice:a.example", {
            "membership": "join", "displayname": "A", "join_authorised_via_users_server": "@b:a.example",
            "third_party_invite": {"display_name": "x", "signed": {"mxid": "@a:b", "token": "t", "signatures": {}}}}),
        ("m.room.join_rules", "", {"join_rule": "restricted", "allow": [{"type": "m.room_membership"}]}),
        ("m.room.power_levels", "", {
            "ban": 50, "events": {"m.room.name": 50}, "events_default": 0, "invite": 0, "kick": 50,
            "notifications": {"room": 50}, "redact": 50, "state_default": 50,
            "users": {"@alice:a.example": 100}, "users_default": 0}),
        ("m.room.aliases", "a.example", {"aliases": ["#x:a.example"]}),
        ("m.room.history_visibility", "", {"history_visibility": "shared"}),
        ("m.room.redaction", None, {"redacts": "$target:a.example", "reason": "r"}),
        ("m.room.message", None, {"body": "h\u00e9llo \U0001f600 \u2028", "msgtype": "m.text", "format": None}),
        ("m.room.third_party_invite", "tok", {"public_key": TPI_PUBLIC, "display_name": "x"}),
    ]
    for etype, state_key, content in contents:
        event = json.loads(json.dumps({**common, "type": etype, "content": {**content, **extra}}))
        if state_key is not None:
            event["state_key"] = state_key
        if etype == "m.room.redaction":
            event["redacts"] = "$target:a.example"
        if etype == "m.room.create" and n >= 12:
            del event["room_id"]
        yield etype, event


class Raw:
    """A token written as it is."""

    def __init__(self, text):
        self.text = text


def dump(value) -> str:
    """json.dumps, but with raw tokens and members in the given order."""
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, dict):
        return "{" + ",".join(json.dumps(k) + ":" + dump(x) for k, x in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(dump(x) for x in value) + "]"
    return json.dumps(value)


ODD = [None, True, 0, 1, -1, "", "text", "@", "@:", "!x", "$x", "@u:b.example", "\u0000", [], {}, [1], [[]], ["$x"],
       [["$x"]], [["$x", {}]], {"a": 1}, "x" * 255, "x" * 256, "\u00e9" * 127, "\u00e9" * 128,
       Raw("1.5"), Raw("1.0"), Raw("1e3"), Raw("1E400"), Raw("-0"), Raw("-0.0"), Raw("9007199254740991"),
       Raw("9007199254740992"), Raw("-9007199254740992"), Raw("9223372036854775807"), Raw("9223372036854775808"),
       Raw("1e-7"), Raw("123456789012345680"), Raw("1e16"), Raw("1e15"), Raw("0.1"), Raw("-1.5e-5"), Raw("5e-324")]


def mutations(rng, v, event):
    yield "valid", event
    yield "no unsigned", {k: x for k, x in event.items() if k != "unsigned"}
    for key in event:
        yield f"without {key}", {k: x for k, x in event.items() if k != key}
    for key in list(event) + ["state_key", "redacts", "event_id", "age_ts", "outlier", "destinations"]:
        for odd in rng.sample(ODD, 3):
            yield f"{key} = {dump(odd)[:40]} odd", {**event, key: odd}
    for key in event["content"]:
        odd = rng.choice(ODD)
        yield f"content.{key} = {dump(odd)[:40]} odd", {**event, "content": {**event["content"], key: odd}}
    for odd in rng.sample(ODD, 4):
        yield f"content.n = {dump(odd)[:40]} odd", {**event, "content": {**event["content"], "n": [odd, {"k": odd}]}}
    keys = ["\U00010000", "\ue000", "\uffff", "\ud7ff", "a", "A", "10", "9", "__proto__", "constructor", ""]
    rng.shuffle(keys)
    yield "key order", {**event, "content": {k: {"v": i} for i, k in enumerate(keys)}}
    for size in (60000, 64000, 65000, 65200, 65536, 66000):
        yield f"size {size}", {**event, "content": {"body": "x" * size}}


def single(v, name, event):
    room_version = KNOWN_ROOM_VERSIONS[v]
    text = dump(event)
    out = {"v": v, "m": name, "t": text}
    try:
        parsed = json.loads(text)
        out["size"] = "unknown"
        pdu = event_from_pdu_json(json.loads(text), room_version)
        pdu.room_id
        out["id"] = pdu.event_id
        out["format"] = "ok"
    except Exception as e:
        out["format"] = f"{type(e).__name__}: {str(e)[:60]}"
        return out
    try:
        event_auth._check_size_limits(pdu)
        out["size"] = "ok"
    except EventSizeError as e:
        out["size"] = "drop" if e.unpersistable else "reject"
    except Exception as e:
        out["size"] = f"{type(e).__name__}: {str(e)[:60]}"
    del parsed
    try:
        redacted = prune_event(pdu).get_pdu_json()
        redacted.pop("unsigned", None)
        out["redacted"] = sha(encode_canonical_json(redacted))
    except Exception as e:
        out["redacted"] = f"{type(e).__name__}"
    try:
        out["hash"] = encode_base64(compute_content_hash(pdu.get_pdu_json(), hashlib.sha256)[1])
        out["hashOk"] = check_event_content_hash(pdu)
    except Exception as e:
        out["hashOk"] = f"{type(e).__name__}"
    return out


def single_events():
    rng = random.Random(SEED)
    rows = []
    for v in VERSIONS:
        for etype, event in base_events(v):
            cases = list(mutations(rng, v, event))
            keep = [c for c in cases if not c[0].endswith("odd")]
            if not etype.startswith("m.room.message"):
                keep = [c for c in keep if not c[0].startswith("size")]
            odd = [c for c in cases if c[0].endswith("odd")]
            for name, case in keep + rng.sample(odd, min(34, len(odd))):
                rows.append(single(v, f"{etype}: {name}", case))
    return rows


# --------------------------------------------------------------------------- authorisation

USERS = ["@creator:a.example", "@admin:a.example", "@mod:b.example", "@user:b.example", "@target:c.example",
         "@second:c.example"]
LEVELS = [0, 1, 25, 49, 50, 51, 75, 99, 100, 101, -1]
STRINGY = ["50", " 50 ", "+50", "-5", "050", "x", "5.0", "", "1_0", "\u0661", " ", "+", "5 0"]
JUNK = [None, True, False, [], {}, "abc", Raw("50.5"), Raw("50.9"), Raw("5e1"), Raw("1e400"), Raw("9007199254740993"),
        Raw("-0.5"), Raw("1e30")]


class Room:
    def __init__(self, rng, v):
        self.rng, self.v, self.n = rng, v, int(v)
        self.version = KNOWN_ROOM_VERSIONS[v]
        self.count = 0
        self.texts = {}
        self.contents = {}
        self.events = {}
        self.state = {}
        self.room_id = "!room:a.example"

    def make(self, etype, sender, state_key, content, prev=None, auth=None, **over):
        self.count += 1
        n_ref = lambda e: [e, {"sha256": HASH}] if self.n < 3 else e
        prev = ["$prev:a.example"] if prev is None else prev
        event = {
            "type": etype, "sender": sender, "content": content, "depth": self.count + 1,
            "origin_server_ts": 1700000000000 + self.count,
            "prev_events": [n_ref(e) for e in prev], "auth_events": [n_ref(e) for e in (auth or [])],
            "hashes": {"sha256": HASH}, "signatures": {sender.split(":", 1)[1]: {"ed25519:a": "c2ln"}},
        }
        if not (self.n >= 12 and etype == "m.room.create"):
            event["room_id"] = self.room_id
        if self.n < 3:
            event["event_id"] = f"$e{self.count}:{sender.split(':', 1)[1]}"
        if state_key is not None:
            event["state_key"] = state_key
        event.update(over)
        event = {k: x for k, x in event.items() if x is not ...}
        text = dump(event)
        pdu = make_event_from_dict(json.loads(text), self.version)
        self.texts[pdu.event_id] = text
        self.contents[pdu.event_id] = content
        self.events[pdu.event_id] = pdu
        return pdu

    def set(self, pdu):
        self.state[(pdu.type, pdu.state_key)] = pdu
        return pdu


def level(rng, n):
    roll = rng.random()
    if roll < 0.86:
        return rng.choice(LEVELS)
    if roll < 0.95:
        return rng.choice(STRINGY)
    junk = rng.choice(JUNK)
    # The library can neither hold an infinite float nor, from v6, any float.
    return 50 if isinstance(junk, Raw) and (n >= 6 or junk.text == "1e400") else junk


def levels_content(rng, n, base=None, junk=0.5):
    pick = (lambda: level(rng, n)) if rng.random() < junk else (lambda: rng.choice(LEVELS))
    content = dict(base) if base else {}
    for name in ["ban", "kick", "invite", "redact", "state_default", "events_default", "users_default"]:
        roll = rng.random()
        if roll < (0.12 if base else 0.35):
            content[name] = pick()
        elif roll < 0.16 and name in content:
            del content[name]
    for name, keys in [("users", USERS), ("events", ["m.room.name", "m.room.message", "m.room.power_levels",
                                                     "m.room.redaction", "m.room.third_party_invite", "m.reaction"]),
                       ("notifications", ["room", "other"])]:
        if rng.random() < 0.3 or not base:
            table = dict(content[name]) if isinstance(content.get(name), dict) else {}
            for key in rng.sample(keys, rng.randint(0, min(3, len(keys)))):
                if key in table and rng.random() < 0.3:
                    del table[key]
                else:
                    table[key] = pick()
            content[name] = table
    if rng.random() < 0.03:
        content[rng.choice(["users", "events", "notifications"])] = rng.choice([[], "x", None, 5])
    if rng.random() < 0.03:
        content.setdefault("users", {})
        if isinstance(content["users"], dict):
            content["users"][rng.choice(["nobody", "@nocolon", "@:b.example", "@x:", "@\u00e9:b.example"])] = 5
    return content


def membership_content(rng, room, membership, sender, target):
    content = {"membership": membership}
    if rng.random() < 0.25:
        content["join_authorised_via_users_server"] = rng.choice(USERS + [5, "junk", None])
    if membership == "invite" and rng.random() < 0.5:
        signed = {"mxid": target, "token": "tok"}
        if rng.random() < 0.15:
            signed["mxid"] = rng.choice(USERS)
        if rng.random() < 0.1:
            signed["token"] = "other"
        signed = sign_json(signed, "id.example", SIGNING_KEY)
        if rng.random() < 0.15:
            signed["extra"] = 1
        if rng.random() < 0.15:
            del signed[rng.choice(["mxid", "token", "signatures"])]
        content["third_party_invite"] = rng.choice([{"display_name": "x", "signed": signed}] * 8 + [{}, {"signed": 5}])
    return content


def make_room(rng, v):
    room = Room(rng, v)
    n = room.n
    content = {"creator": USERS[0], "room_version": v}
    if n >= 11 and rng.random() < 0.7:
        del content["creator"]
    if rng.random() < 0.2:
        content["m.federate"] = rng.choice([False, False, False, True, "no", None, 0])
    if rng.random() < (0.5 if n >= 12 else 0.1):
        content["additional_creators"] = rng.sample(USERS, rng.randint(0, 2))
    if n < 11 and rng.random() < 0.05:
        content["creator"] = USERS[1]
    create = room.set(room.make("m.room.create", USERS[0], "", content, prev=[], auth=[]))
    if n >= 12:
        room.room_id = create.room_id
    room.create = create
    if rng.random() < 0.75:
        content = levels_content(rng, n, junk=0.2)
        if rng.random() < 0.7 and isinstance(content.get("users"), dict) and n < 12:
            content["users"][USERS[0]] = 100
        room.set(room.make("m.room.power_levels", USERS[0], "", content))
    if rng.random() < 0.85:
        rule = rng.choice(["public", "invite", "knock", "restricted", "knock_restricted", "private", "odd", None, 5])
        room.set(room.make("m.room.join_rules", USERS[0], "", {"join_rule": rule} if rule != "odd" else {}))
    for user in USERS:
        membership = rng.choice(["join"] * 7 + [None, "invite", "leave", "ban", "knock"])
        if user == USERS[0] and rng.random() < 0.8:
            membership = "join"
        if membership is not None:
            room.set(room.make("m.room.member", user, user, {"membership": membership}))
    if rng.random() < 0.7:
        keys = {"public_key": TPI_PUBLIC}
        if rng.random() < 0.3:
            keys = {"public_keys": [{"public_key": "AAAA"}, {"public_key": TPI_PUBLIC}]}
        if rng.random() < 0.2:
            keys = {"public_key": encode_base64(b"\x05" * 32)}
        room.set(room.make("m.room.third_party_invite", rng.choice(USERS[:3]), "tok", keys))
    return room


def random_event(rng, room):
    n = room.n
    sender = rng.choice(USERS)
    kind = rng.choice(["member"] * 9 + ["levels"] * 6 + ["message"] * 2 + ["state"] * 3 + ["redaction"] * 2
                      + ["aliases", "tpi", "tpi", "create"])
    over, prev = {}, None
    state_key = None
    if kind == "member":
        membership = rng.choice(["join"] * 4 + ["invite"] * 4 + ["leave"] * 3 + ["ban"] * 2 + ["knock"] * 2 + ["odd"])
        state_key = sender if rng.random() < {"join": 0.9, "knock": 0.9, "leave": 0.4}.get(membership, 0.1) \
            else rng.choice(USERS)
        content = membership_content(rng, room, membership, sender, state_key)
        if rng.random() < 0.04:
            content["membership"] = rng.choice([5, None, True])
        if rng.random() < 0.1:
            prev = [room.create.event_id]
        if rng.random() < 0.02:
            state_key = rng.choice(["", "nobody", "@nocolon"])
        etype = "m.room.member"
    elif kind == "levels":
        etype, state_key = "m.room.power_levels", ""
        current = room.state.get(("m.room.power_levels", ""))
        base = room.contents[current.event_id] if current and rng.random() < 0.9 else None
        content = levels_content(rng, n, base, junk=0.3)
        if rng.random() < 0.06:
            state_key = rng.choice([None, "x", "x"])
    elif kind == "message":
        etype, content = rng.choice(["m.room.message", "m.reaction", "m.room.name"]), {"body": "x"}
    elif kind == "state":
        etype, content = rng.choice(["m.room.name", "m.room.topic", "m.odd"]), {"x": 1}
        state_key = rng.choice(["", "x", sender, rng.choice(USERS)])
    elif kind == "redaction":
        etype, content = "m.room.redaction", {}
        target = rng.choice(["$x:a.example", "$x:b.example", "$x:c.example", "$x"] + list(room.events))
        over["redacts"] = target
        content["redacts"] = target
    elif kind == "aliases":
        etype, content = "m.room.aliases", {"aliases": []}
        state_key = rng.choice(["a.example", "b.example", "", None])
    elif kind == "tpi":
        etype, content, state_key = "m.room.third_party_invite", {"public_key": TPI_PUBLIC}, "tok2"
    else:
        etype, state_key, prev = "m.room.create", "", []
        content = {"creator": sender, "room_version": rng.choice([room.v, "1", "99", 5, None])}
        for key in ["creator", "room_version"]:
            if rng.random() < 0.3:
                del content[key]
        if rng.random() < 0.2:
            prev = ["$x:a.example"]
        if rng.random() < 0.4:
            content["additional_creators"] = rng.choice([[], [USERS[1]], ["x"], "x", [5], None, ["@x:"]])
    return etype, sender, state_key, content, prev, over


class Store:
    def __init__(self, events):
        self.events = events

    async def get_events(self, event_ids, redact_behaviour=None, get_prev_content=False, allow_rejected=False):
        return {e: self.events[e] for e in event_ids if e in self.events}


def outcome(fn):
    try:
        fn()
        return "allow"
    except Exception as e:
        return f"{type(e).__name__}: {str(e)[:80]}"


def auth_events():
    rng = random.Random(SEED + 1)
    rows = []
    for v in VERSIONS:
        made = 0
        while made < 900:
            room = make_room(rng, v)
            cases = []
            for _ in range(20):
                etype, sender, state_key, content, prev, over = random_event(rng, room)
                probe = room.make(etype, sender, state_key, content, prev, **over)
                try:
                    wanted = event_auth.auth_types_for_event(room.version, probe)
                except Exception:
                    wanted = {("m.room.create", ""), ("m.room.power_levels", ""), ("m.room.member", sender)}
                chosen = [room.state[k].event_id for k in sorted(wanted, key=str)
                          if k in room.state and not (room.n >= 12 and k[0] == "m.room.create")]
                rejected, mischief = [], "none"
                if etype != "m.room.create" and rng.random() < 0.15:
                    mischief = rng.choice(["drop", "double", "extra", "twin", "rejected", "foreign", "message"])
                    if mischief == "drop" and chosen:
                        chosen.remove(rng.choice(chosen))
                    elif mischief == "double" and chosen:
                        chosen.append(chosen[0])
                    elif mischief == "extra":
                        chosen.append(rng.choice(list(room.state.values())).event_id)
                    elif mischief == "twin":
                        chosen.append(room.make("m.room.member", sender, sender, {"membership": "join"}).event_id)
                    elif mischief == "rejected" and chosen:
                        rejected.append(rng.choice(chosen))
                    elif mischief == "foreign" and room.n < 12:
                        chosen.append(room.make("m.room.join_rules", USERS[0], "", {"join_rule": "public"},
                                                room_id="!other:a.example").event_id)
                    elif mischief == "message":
                        chosen.append(room.make("m.room.message", USERS[0], None, {}).event_id)
                pdu = room.make(etype, sender, state_key, content, prev, chosen, **over)
                events = dict(room.events)
                for e in rejected:
                    events[e] = make_event_from_dict(json.loads(room.texts[e]), room.version,
                                                     rejected_reason="auth_error")
                own = outcome(lambda: asyncio.run(event_auth.check_state_independent_auth_rules(
                    Store(events), pdu)))
                named = {} if room.n < 12 else {room.create.event_id: room.create}
                named.update({e: room.events[e] for e in chosen})
                if own == "allow":
                    own = outcome(lambda: event_auth.check_state_dependent_auth_rules(pdu, named.values()))
                state = own if etype == "m.room.create" else outcome(lambda: event_auth.check_state_dependent_auth_rules(
                    pdu, [room.state[k] for k in wanted | {("m.room.create", "")} if k in room.state]))
                cases.append({"e": room.texts[pdu.event_id], "id": pdu.event_id, "own": own, "state": state,
                              "auth": chosen, "rejected": rejected, "m": f"{etype} {mischief}"})
            used = {e for c in cases for e in c["auth"]} | {p.event_id for p in room.state.values()}
            rows.append({"v": v, "state": [p.event_id for p in room.state.values()],
                         "events": {e: room.texts[e] for e in sorted(used)}, "cases": cases})
            made += len(cases)
    return rows


def write(path, rows):
    data = {"library": "matrix-synapse " + package_version("matrix-synapse"), "seed": SEED, "rows": rows}
    raw = json.dumps(data, separators=(",", ":"), ensure_ascii=True).encode()
    with open(path, "wb") as f:
        with gzip.GzipFile(fileobj=f, mode="wb", mtime=0, filename="", compresslevel=9) as z:
            z.write(raw)


if __name__ == "__main__":
    folder = sys.argv[1]
    write(f"{folder}/synapse-events.json.gz", single_events())
    write(f"{folder}/synapse-auth.json.gz", auth_events())
