"""What holds of KubeVirt's list whatever many agents and others do to it, in any order."""

from __future__ import annotations

import copy
import json

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pcidevices.domain.permitted import Decision, Leave, Listed, Ours, Permission, Write, decide


POOL = (
    Permission("10de:1c02", "nvidia.com/A"),
    Permission("10de:1c02", "nvidia.com/B"),
    Permission("10de:1c03", "nvidia.com/A"),
    Permission("8086:15f9", "intel.com/C"),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


def permissions() -> st.SearchStrategy[frozenset[Permission]]:
    return st.frozensets(st.sampled_from(POOL))


def entries() -> st.SearchStrategy[Any]:
    """Anybody's, sensible or not; some are like ours."""
    near = st.sampled_from(POOL).map(lambda p: p.entry)
    changed = st.tuples(
        near, st.sampled_from(({"externalResourceProvider": False}, {"more": 1}, {"resourceName": "x/y"}))
    )
    return near | changed.map(lambda pair: pair[0] | pair[1]) | JSON


def listings() -> st.SearchStrategy[Listed]:
    whole = st.fixed_dictionaries(
        {}, optional={"pciHostDevices": st.none() | st.lists(entries(), max_size=5), "usb": st.lists(JSON, max_size=1)}
    )
    return st.none() | whole


def written(decision: Decision, listed: Listed, ours: Ours) -> tuple[Listed, Ours]:
    """What the API server has once *decision* is written."""
    if isinstance(decision, Leave):
        return listed, ours
    after = listed
    if decision.is_new_list:
        after = None if decision.entries is None else {**(listed or {}), "pciHostDevices": list(decision.entries)}
    return after, Ours.parse(decision.ours.annotation)


def of_others(listed: Listed, ours: Ours) -> list[Any]:
    """The list without what was added by us: of equal entries the first."""
    left = list((listed or {}).get("pciHostDevices") or [])
    for permission in ours.permissions:
        if permission.entry in left:
            left.remove(permission.entry)
    return left


@settings(max_examples=100)
@given(listings(), permissions(), permissions(), permissions(), st.booleans())
def test_nothing_of_others_is_lost_moved_or_changed(
    listed: Listed,
    mine: frozenset[Permission],
    here: frozenset[Permission],
    elsewhere: frozenset[Permission],
    began: bool,  # noqa: FBT001
) -> None:
    """What goes is what we remember and nobody needs; what comes stands at the end."""
    ours, before = Ours(mine, began and bool(mine)), copy.deepcopy(listed)

    decision = decide(listed, ours, here, elsewhere)
    after, _ = written(decision, listed, ours)

    added, removed = (decision.added, decision.removed) if isinstance(decision, Write) else ((), ())
    left, gone = texts(after), texts(before)
    assert left[len(left) - len(added) :] == [json.dumps(one.entry) for one in added]
    for text in left[: len(left) - len(added)]:
        gone = [*gone[: gone.index(text)], *gone[gone.index(text) + 1 :]]
    assert is_within(left[: len(left) - len(added)], texts(before))
    assert (
        len(gone)
        == len(removed)
        == sum(any(one.entry.items() <= json.loads(g).items() for one in removed) for g in gone)
    )
    assert set(removed) <= mine - here - elsewhere
    assert set(added) <= here
    assert json.dumps(listed) == json.dumps(before)
    if after is not None:
        assert {**after, "pciHostDevices": 0} == {**(before or {}), "pciHostDevices": 0}


def texts(listed: Listed) -> list[str]:
    """The entries, byte for byte."""
    return [json.dumps(entry) for entry in (listed or {}).get("pciHostDevices") or []]


def is_within(part: list[str], whole: list[str]) -> bool:
    """Whether *part* is *whole* with some left out, in the same order."""
    rest = iter(whole)
    return all(text in rest for text in part)


@settings(max_examples=100)
@given(listings(), permissions(), permissions(), permissions(), st.booleans())
def test_one_write_settles_it(
    listed: Listed,
    mine: frozenset[Permission],
    here: frozenset[Permission],
    elsewhere: frozenset[Permission],
    began: bool,  # noqa: FBT001
) -> None:
    """Nothing is written at rest."""
    ours = Ours(mine, began and bool(mine))
    after, remembered = written(decide(listed, ours, here, elsewhere), listed, ours)

    again = decide(after, remembered, here, elsewhere)

    assert isinstance(again, Leave)
    assert {p.resource_name for p in here} == set(again.findings)


@given(permissions(), st.booleans())
def test_what_is_remembered_can_be_read_again(mine: frozenset[Permission], began: bool) -> None:  # noqa: FBT001
    ours = Ours(mine, began and bool(mine))

    assert Ours.parse(ours.annotation) == ours


@dataclass
class Server:
    """The list, its version, and the claims of all nodes."""

    listed: Listed = None
    ours: Ours = field(default_factory=Ours)
    version: int = 0
    claims: list[set[Permission]] = field(default_factory=lambda: [set() for _ in range(3)])
    theirs: list[Any] = field(default_factory=list)
    """What others have put there, in their order."""
    writes: int = 0

    def put(self, decision: Decision, version: int) -> bool:
        if version != self.version or isinstance(decision, Leave):
            return isinstance(decision, Leave)
        self.listed, self.ours = written(decision, self.listed, self.ours)
        self.version += 1
        self.writes += 1
        return True

    def add_theirs(self, entry: Any) -> None:
        listed = self.listed or {}
        self.listed = {**listed, "pciHostDevices": [*listed.get("pciHostDevices", []), entry]}
        self.theirs.append(entry)
        self.version += 1


class Agent:
    """The order of requests of an agent, one at a time, so that anything may happen in between."""

    def __init__(self, server: Server, number: int) -> None:
        self._server = server
        self._number = number
        self._to_ask: set[Permission] = set()
        self._doubtful: set[Permission] = set()
        self._at = 0
        self.asked = True
        self.released: set[Permission] = set()

    @property
    def is_busy(self) -> bool:
        return self.asked or self._at != 0

    def step(self) -> None:
        """One request, if there is a reason for any."""
        server = self._server
        if not self.is_busy:
            return
        match self._at:
            case 0:  # see what this node needs
                self.asked = False
                self._needed = set(server.claims[self._number])
                self._to_ask, self.released = self._to_ask | self.released, set()
            case 1:  # read the list
                self._listed, self._ours, self._version = copy.deepcopy(server.listed), server.ours, server.version
            case 2:  # ask who needs what
                self._asked = self._doubtful | ((self._to_ask & self._ours.permissions) - self._needed)
                self._still = self._asked & set().union(*server.claims)
            case 3:  # write
                restored = self._doubtful & self._still
                elsewhere = (self._ours.permissions - self._asked) | self._still
                decision = decide(self._listed, self._ours, self._needed | restored, elsewhere)
                changed: set[Permission] = set()
                if isinstance(decision, Write):
                    changed = {*decision.removed, *restored.intersection(decision.added)}
                self._doubtful |= changed
                if not server.put(decision, self._version):
                    self._at, self.asked = 0, True
                    return
                self._doubtful = changed
                self._at = 1 if changed else 0
                self._to_ask = set()
                return
        self._at += 1


@settings(max_examples=100)
@given(st.data())
def test_ours_is_right_in_the_end_whatever_happens_in_between(data: st.DataObject) -> None:
    """
    Three agents, one request at a time in any order, while claims come and go and others write too.

    Nobody looks without a reason: a claim of its own node that changed, or a write that met another.
    """
    server = Server(listed=data.draw(st.sampled_from((None, {}, {"pciHostDevices": []}))))
    agents = [Agent(server, number) for number in range(3)]
    for draw in data.draw(st.lists(st.integers(0, 2**16), min_size=20, max_size=80)):
        choice, number = divmod(draw, 3)
        busy = [one for one in agents if one.is_busy]
        permission = POOL[choice % 2]
        if choice % 16 == 0:
            theirs = len(server.theirs)
            server.add_theirs({"pciVendorSelector": f"ffff:{theirs:04x}", "unknown": theirs})
        elif busy and choice % 16 < 12:
            busy[number % len(busy)].step()
        else:
            server.claims[number].symmetric_difference_update({permission})
            agents[number].asked = True
            agents[number].released |= {permission} - server.claims[number]

    for one in agents:
        while one.is_busy:
            one.step()

    needed = set().union(*server.claims)
    assert server.ours.permissions == needed
    assert of_others(server.listed, server.ours) == server.theirs
    mine = [entry for entry in (server.listed or {}).get("pciHostDevices", []) if entry not in server.theirs]
    assert sorted(map(str, mine)) == sorted(str(one.entry) for one in needed)
