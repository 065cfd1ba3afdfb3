"""What Synapse's state resolution asks of a database, answered from memory."""

from synapse.storage.databases.main.event_federation import StateDifference


class Clock:
    async def sleep(self, _duration):
        return None


class Store:
    """Chains of a state hold the state's own events."""

    def __init__(self, events):
        self.events = events

    async def get_events(self, ids, allow_rejected=False):
        return {i: self.events[i] for i in ids if i in self.events}

    def chain(self, ids):
        return self._reach(ids, lambda i: self.events[i].auth_event_ids())

    async def get_auth_chain_difference(self, _room, sets, conflicted, _more):
        chains = [self.chain(s) for s in sets]
        difference = set.union(*chains) - set.intersection(*chains)
        subgraph = None if conflicted is None else self._between(conflicted)
        return StateDifference(auth_difference=difference, conflicted_subgraph=subgraph)

    def _between(self, conflicted):
        """Events behind one of the conflicted ones that have one of them behind."""
        behind = self.chain(conflicted)
        ahead = {}
        for i in behind:
            for parent in self.events[i].auth_event_ids():
                ahead.setdefault(parent, []).append(i)
        return behind & self._reach(conflicted, lambda i: ahead.get(i, ()))

    @staticmethod
    def _reach(ids, step):
        seen, todo = set(), list(ids)
        while todo:
            i = todo.pop()
            if i not in seen:
                seen.add(i)
                todo.extend(step(i))
        return seen
