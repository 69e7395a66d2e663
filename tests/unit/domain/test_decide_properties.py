"""What holds in every situation."""

# ruff: noqa: FBT001  situations are drawn, nobody calls them

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pcidevices.domain.device import PciDevice
from pcidevices.domain.inventory import Amend, Create, Leave, Policy, Remove
from pcidevices.domain.published import Node, PublishedDevice

from .arbitrary import nodes, observations, policies
from .arbitrary import published as publications
from .turns import NOW, Seen, decided, written


MAYBE_PUBLISHED = st.none() | publications()
LATER = "2027-01-01T00:00:00Z"


@given(observations(), MAYBE_PUBLISHED, st.booleans(), policies(), nodes())
def test_what_is_written_settles(
    seen: Seen,
    published: PublishedDevice | None,
    claimed: bool,
    policy: Policy,
    node: Node | None,
) -> None:
    after = written(decided(seen, published, claimed=claimed, policy=policy, node=node), published)

    again = decided(seen, after, claimed=claimed, policy=policy, node=node, now=LATER)

    assert again == Leave() or (after is None and isinstance(again, Create))


@given(observations(), publications(), st.booleans(), policies(), nodes())
def test_what_belongs_to_others_is_kept(
    seen: Seen,
    published: PublishedDevice,
    claimed: bool,
    policy: Policy,
    node: Node | None,
) -> None:
    after = written(decided(seen, published, claimed=claimed, policy=policy, node=node), published)

    if after is not None:
        assert after.labels.get("team") == published.labels.get("team")
        assert [o for o in published.owners if o.kind != "Node"] == [o for o in after.owners if o.kind != "Node"]
        assert [c for c in published.status.conditions if c.type != "Present"] == [
            c for c in after.status.conditions if c.type != "Present"
        ]


@given(observations(), publications(), st.booleans(), policies())
def test_a_conditions_time_moves_exactly_when_its_status_does(
    seen: Seen,
    published: PublishedDevice,
    claimed: bool,
    policy: Policy,
) -> None:
    after = written(decided(seen, published, claimed=claimed, policy=policy), published)

    before = {c.type: c for c in published.status.conditions}
    for condition in after.status.conditions if after else ():
        old = before.get(condition.type)
        moved = old is None or condition.last_transition_time != old.last_transition_time
        assert moved == (old is None or condition.status != old.status)
        assert not moved or condition.last_transition_time == NOW


@given(observations(), MAYBE_PUBLISHED, st.booleans(), policies())
def test_only_an_unclaimed_object_of_an_absent_device_is_removed(
    seen: Seen,
    published: PublishedDevice | None,
    claimed: bool,
    policy: Policy,
) -> None:
    decision = decided(seen, published, claimed=claimed, policy=policy)

    if isinstance(decision, Remove) and published is not None and published.is_simulated == policy.simulated:
        assert not claimed
        assert seen is None or (isinstance(seen, PciDevice) and seen.class_id == "0604" and not policy.bridges)


@given(observations(), publications(), st.booleans())
def test_a_simulation_touches_only_what_is_simulated(
    seen: Seen,
    published: PublishedDevice,
    claimed: bool,
) -> None:
    decision = decided(seen, published, claimed=claimed, policy=Policy(simulated=True))

    assert decision == Leave() or published.is_simulated


@given(observations(), publications(), st.booleans(), nodes())
def test_an_amendment_changes_something(
    seen: Seen,
    published: PublishedDevice,
    claimed: bool,
    node: Node | None,
) -> None:
    decision = decided(seen, published, claimed=claimed, node=node)

    if isinstance(decision, Amend):
        assert written(decision, published) != published
