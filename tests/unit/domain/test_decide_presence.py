"""The condition Present: whether the device was there at the last look."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from pcidevices.api.v1beta1 import Condition
from pcidevices.domain.device import Unreadable
from pcidevices.domain.inventory import Amend, Leave
from pcidevices.domain.published import PublishedDevice
from tests.support.builders import LONG_AGO, a_condition, a_gpu, a_published, seen

from .turns import NOW, decided, settled, written


GPU = a_gpu()
UNREADABLE = Unreadable(str(GPU.address), "vendor is missing")
MISSING = a_published(GPU, conditions=[a_condition(status="False", reason="DeviceNotFound")])


def present(published: PublishedDevice | None) -> Condition:
    assert published is not None
    (condition,) = (c for c in published.status.conditions if c.type == "Present")
    return condition


def test_a_claimed_device_that_vanished_stays_and_is_said_to_be_missing() -> None:
    before = a_published(GPU)

    after = settled(None, before, claimed=True)

    assert after is not None
    assert msgspec.structs.replace(after.status, conditions=()) == msgspec.structs.replace(before.status, conditions=())
    assert present(after).status == "False"
    assert present(after).reason == "DeviceNotFound"
    assert str(GPU.address) in present(after).message
    assert present(after).last_transition_time == NOW


def test_a_missing_device_goes_once_nobody_claims_it() -> None:
    assert settled(None, MISSING, claimed=False) is None


def test_a_device_that_came_back_is_present_again() -> None:
    after = settled(GPU, MISSING, claimed=True)

    assert present(after).status == "True"
    assert present(after).last_transition_time == NOW


@pytest.mark.parametrize("claimed", [True, False])
def test_an_unreadable_device_keeps_what_was_known_of_it(claimed: bool) -> None:  # noqa: FBT001  a situation
    before = a_published(GPU, labels={"nodename": "janus", "team": "blue"})

    after = settled(UNREADABLE, before, claimed=claimed)

    assert after is not None
    assert after.labels == before.labels
    assert after.status.kernel_driver_in_use == "nvidia"
    assert present(after).status == "Unknown"
    assert present(after).reason == "DeviceUnreadable"
    assert present(after).message == UNREADABLE.problem


def test_the_time_of_a_condition_moves_only_with_its_status() -> None:
    """Another reason or message is no transition."""
    before = a_published(GPU, conditions=[a_condition(status="Unknown", reason="DeviceUnreadable", message="other")])

    decision = decided(UNREADABLE, before)

    assert isinstance(decision, Amend)
    assert present(written(decision, before)).last_transition_time == LONG_AGO
    assert present(written(decision, before)).message == UNREADABLE.problem


def test_a_later_look_that_sees_the_same_writes_nothing() -> None:
    assert decided(GPU, a_published(GPU), now="2030-01-01T00:00:00Z") == Leave()


def test_conditions_of_others_are_kept_in_their_places() -> None:
    others = a_condition("Healthy", "False"), a_condition("Permitted")
    before = a_published(GPU, conditions=[others[0], seen(), others[1]])

    after = settled(None, before, claimed=True)

    assert after is not None
    assert [c.type for c in after.status.conditions] == ["Healthy", "Present", "Permitted"]
    assert (after.status.conditions[0], after.status.conditions[2]) == others


def test_a_missing_device_is_named_although_its_status_was_lost() -> None:
    """The message is for an operator: it names the thing even if the status made no sense."""
    before = a_published(GPU)
    lost = replace(before, status=type(before.status)())

    after = settled(None, lost, claimed=True)

    assert str(GPU.address) in present(after).message or before.name in present(after).message
