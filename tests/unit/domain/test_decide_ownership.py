"""Whose object it is: the node's of today, and never a real one for a simulation."""

from __future__ import annotations

import pytest

from pcidevices.domain.inventory import Amend, Create, Leave, Policy
from pcidevices.domain.published import Owner
from tests.support.builders import a_gpu, a_nic, a_node, a_published

from .turns import Seen, decided, settled


GPU = a_gpu()
FOREIGN = Owner("v1", "ConfigMap", "inventory", "cm-1")
OTHER_NODE = a_node("titan", "node-9").as_owner
SIMULATED = Policy(simulated=True)


def test_an_owner_of_an_earlier_life_of_the_node_is_replaced() -> None:
    """The garbage collector deletes what belongs to a Node that has another uid now."""
    before = a_published(GPU, owners=[a_node(uid="earlier").as_owner, FOREIGN])

    decision = decided(GPU, before)

    assert decision == Amend(labels=None, owners=(FOREIGN, a_node().as_owner), status=None)


@pytest.mark.parametrize("foreign", [FOREIGN, OTHER_NODE])
def test_owners_of_others_are_kept(foreign: Owner) -> None:
    before = a_published(GPU, owners=[foreign])

    after = settled(GPU, before)

    assert after is not None
    assert after.owners == (foreign, a_node().as_owner)


def test_without_a_node_owners_are_left_as_they_are() -> None:
    before = a_published(GPU, owners=[a_node(uid="earlier").as_owner])

    assert decided(GPU, before, node=None) == Leave()


@pytest.mark.parametrize("seen", [None, a_nic("0000:04:00.0"), GPU])
def test_a_simulation_never_touches_a_real_devices_object(seen: Seen) -> None:
    assert decided(seen, a_published(GPU), policy=SIMULATED) == Leave()


def test_simulated_devices_say_that_they_are() -> None:
    decision = decided(GPU, None, policy=SIMULATED)

    assert isinstance(decision, Create)
    assert decision.labels["devices.harvesterhci.io/simulated"] == "true"


def test_a_simulation_keeps_its_own_objects_up_to_date() -> None:
    mine = a_published(GPU, simulated=True)

    assert settled(None, mine, policy=SIMULATED) is None
    assert decided(GPU, mine, policy=SIMULATED) == Leave()


def test_a_real_devices_object_does_not_stay_marked_as_simulated() -> None:
    """
    After a rehearsal on the same node the object would tell people that the device is not real,
    and the next simulation would take it for its own.
    """
    left_behind = a_published(GPU, simulated=True)

    after = settled(GPU, left_behind)

    assert after is not None
    assert not after.is_simulated
